package io.fairlora.metrics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;

/** Reads the files that tools/golden/metrics.py writes. */
public final class Golden {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Golden() {}

    public static List<JsonNode> lines(String name) {
        try (InputStream raw =
                        Objects.requireNonNull(
                                Golden.class.getResourceAsStream("/io/fairlora/metrics/" + name));
                BufferedReader reader =
                        new BufferedReader(
                                new InputStreamReader(
                                        new GZIPInputStream(raw), StandardCharsets.UTF_8))) {
            List<JsonNode> lines = new ArrayList<>();
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(MAPPER.readTree(line));
            }
            return lines;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static int[] digits(JsonNode node) {
        return node.asText().chars().map(c -> c - '0').toArray();
    }

    public static double[] numbers(JsonNode node) {
        return StreamSupport.stream(node.spliterator(), false)
                .mapToDouble(JsonNode::asDouble)
                .toArray();
    }

    /** The groups 0, 1, ... up to the largest digit. */
    public static List<Group> groups(int[] codes) {
        int largest = IntStream.of(codes).max().orElse(-1);
        return IntStream.rangeClosed(0, largest)
                .mapToObj(i -> Group.of("g", Integer.toString(i)))
                .toList();
    }
}
