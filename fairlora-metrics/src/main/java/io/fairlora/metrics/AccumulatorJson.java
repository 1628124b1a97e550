package io.fairlora.metrics;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableMap;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The stable JSON form of a confusion accumulator. */
final class AccumulatorJson {
    private static final String FORMAT = "fairlora-group-confusion/1";
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final String[] PARTS = {
        "weights", "weights_low", "squared_weights", "squared_weights_low"
    };

    private AccumulatorJson() {}

    static String write(
            List<String> classes, List<Group> groups, long[] counts, @Nullable WeightSums weights) {
        ObjectNode root = MAPPER.createObjectNode();
        root.put("format", FORMAT);
        ArrayNode classNodes = root.putArray("classes");
        classes.forEach(classNodes::add);
        writeGroups(root.putArray("groups"), groups);
        ArrayNode countNodes = root.putArray("counts");
        for (long count : counts) {
            countNodes.add(count);
        }
        if (weights != null) {
            double[][] parts = weights.parts();
            for (int i = 0; i < PARTS.length; i++) {
                ArrayNode values = root.putArray(PARTS[i]);
                for (double value : parts[i]) {
                    values.add(value);
                }
            }
        }
        return root.toString();
    }

    static void writeGroups(ArrayNode target, List<Group> groups) {
        for (Group group : groups) {
            ObjectNode node = target.addObject();
            group.attributes().forEach(node::put);
        }
    }

    static GroupConfusion read(String json) {
        JsonNode root = parse(json, FORMAT);
        List<String> classes = new ArrayList<>();
        root.path("classes").forEach(c -> classes.add(c.asText()));
        List<Group> groups = readGroups(root.path("groups"));
        int cells = groups.size() * classes.size() * classes.size();
        double[] counted = numbers(root, "counts", cells);
        long[] counts = new long[cells];
        for (int i = 0; i < cells; i++) {
            JsonNode count = root.path("counts").get(i);
            if (!count.canConvertToLong() || !count.isIntegralNumber() || counted[i] < 0) {
                throw new IllegalArgumentException(
                        "counts[" + i + "] is " + count + ", expected a whole number of 0 or more");
            }
            counts[i] = count.asLong();
        }
        WeightSums weights = null;
        if (root.has(PARTS[0])) {
            double[][] parts = new double[PARTS.length][];
            for (int i = 0; i < PARTS.length; i++) {
                parts[i] = numbers(root, PARTS[i], cells);
            }
            weights = WeightSums.ofParts(parts);
        }
        return new GroupConfusion(classes, groups, counts, weights);
    }

    static JsonNode parse(String json, String format) {
        JsonNode root;
        try {
            root = MAPPER.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "expected a JSON object of format " + format + ", found no valid JSON", e);
        }
        String found = root.path("format").asText("none");
        if (!found.equals(format)) {
            throw new IllegalArgumentException(
                    "expected a JSON object of format " + format + ", found format " + found);
        }
        return root;
    }

    static List<Group> readGroups(JsonNode nodes) {
        List<Group> groups = new ArrayList<>();
        for (JsonNode node : nodes) {
            ImmutableMap.Builder<String, String> attributes = ImmutableMap.builder();
            node.properties().forEach(e -> attributes.put(e.getKey(), e.getValue().asText()));
            groups.add(Group.of(attributes.buildOrThrow()));
        }
        return groups;
    }

    static double[] numbers(JsonNode root, String name, int length) {
        JsonNode nodes = root.path(name);
        if (!nodes.isArray() || nodes.size() != length) {
            throw new IllegalArgumentException(
                    name + " has " + nodes.size() + " numbers, expected " + length);
        }
        double[] values = new double[length];
        for (int i = 0; i < length; i++) {
            if (!nodes.get(i).isNumber()) {
                throw new IllegalArgumentException(
                        name + "[" + i + "] is " + nodes.get(i) + ", expected a number");
            }
            values[i] = nodes.get(i).asDouble();
        }
        return values;
    }
}
