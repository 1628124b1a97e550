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

/** Parts of the stable JSON form of accumulators. */
final class AccumulatorJson {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private AccumulatorJson() {}

    static ObjectNode begin(String format, List<Group> groups) {
        ObjectNode root = MAPPER.createObjectNode();
        root.put("format", format);
        ArrayNode nodes = root.putArray("groups");
        for (Group group : groups) {
            ObjectNode node = nodes.addObject();
            group.attributes().forEach(node::put);
        }
        return root;
    }

    static void putTexts(ObjectNode node, String name, List<String> texts) {
        ArrayNode nodes = node.putArray(name);
        texts.forEach(nodes::add);
    }

    static void putCounts(ObjectNode node, String name, long[] counts) {
        ArrayNode values = node.putArray(name);
        for (long count : counts) {
            values.add(count);
        }
    }

    /** Both parts of each sum, so that reading restores the exact state. */
    static void putSums(ObjectNode node, String name, CompensatedSums sums) {
        putNumbers(node, name, sums.high());
        putNumbers(node, name + "_low", sums.low());
    }

    static void putWeights(ObjectNode node, WeightSums weights) {
        putSums(node, "weights", weights.weights());
        putSums(node, "squared_weights", weights.squares());
    }

    private static void putNumbers(ObjectNode node, String name, double[] numbers) {
        ArrayNode values = node.putArray(name);
        for (double number : numbers) {
            values.add(number);
        }
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

    static List<Group> groups(JsonNode root) {
        List<Group> groups = new ArrayList<>();
        for (JsonNode node : root.path("groups")) {
            ImmutableMap.Builder<String, String> attributes = ImmutableMap.builder();
            node.properties().forEach(e -> attributes.put(e.getKey(), e.getValue().asText()));
            groups.add(Group.of(attributes.buildOrThrow()));
        }
        return groups;
    }

    static List<String> texts(JsonNode root, String name) {
        List<String> texts = new ArrayList<>();
        root.path(name).forEach(node -> texts.add(node.asText()));
        return texts;
    }

    static long[] counts(JsonNode root, String name, int length) {
        JsonNode nodes = array(root, name, length);
        long[] counts = new long[length];
        for (int i = 0; i < length; i++) {
            JsonNode count = nodes.get(i);
            if (!count.isIntegralNumber() || !count.canConvertToLong() || count.asLong() < 0) {
                throw new IllegalArgumentException(
                        name
                                + "["
                                + i
                                + "] is "
                                + count
                                + ", expected a whole number of 0 or more");
            }
            counts[i] = count.asLong();
        }
        return counts;
    }

    static double[] numbers(JsonNode root, String name, int length) {
        JsonNode nodes = array(root, name, length);
        double[] values = new double[length];
        for (int i = 0; i < length; i++) {
            values[i] = nodes.get(i).isNumber() ? nodes.get(i).asDouble() : Double.NaN;
            if (!Double.isFinite(values[i])) {
                throw new IllegalArgumentException(
                        name + "[" + i + "] is " + nodes.get(i) + ", expected a finite number");
            }
        }
        return values;
    }

    static CompensatedSums sums(JsonNode root, String name, int length) {
        return CompensatedSums.of(
                numbers(root, name, length), numbers(root, name + "_low", length));
    }

    static @Nullable WeightSums weights(JsonNode root, int length) {
        if (!root.has("weights")) {
            return null;
        }
        CompensatedSums weights = sums(root, "weights", length);
        CompensatedSums squares = sums(root, "squared_weights", length);
        for (int i = 0; i < length; i++) {
            if (weights.sum(i) < 0 || squares.sum(i) < 0) {
                throw new IllegalArgumentException(
                        "weights["
                                + i
                                + "] is "
                                + Math.min(weights.sum(i), squares.sum(i))
                                + ", expected a number of 0 or more");
            }
        }
        return new WeightSums(weights, squares);
    }

    private static JsonNode array(JsonNode root, String name, int length) {
        JsonNode nodes = root.path(name);
        if (!nodes.isArray() || nodes.size() != length) {
            throw new IllegalArgumentException(
                    name + " has " + nodes.size() + " numbers, expected " + length);
        }
        return nodes;
    }
}
