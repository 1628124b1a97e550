package io.fairlora.lora;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableBiMap;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/** {@code adapter_config.json}: reading, checking and writing. */
final class PeftConfig {

    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
                    .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
                    .build();

    /** As Python's {@code json.dumps(..., indent=2)}. */
    private static final DefaultPrettyPrinter INDENTED =
            new DefaultPrettyPrinter(
                            Separators.createDefaultInstance()
                                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
                                    .withObjectEmptySeparator("")
                                    .withArrayEmptySeparator(""))
                    .withObjectIndenter(new DefaultIndenter("  ", "\n"))
                    .withArrayIndenter(new DefaultIndenter("  ", "\n"));

    /** What stands in a file for each initialisation; the booleans as JSON spells them. */
    static final ImmutableBiMap<String, Initialization> INITIALIZATIONS =
            ImmutableBiMap.<String, Initialization>builder()
                    .put("true", Initialization.KAIMING_UNIFORM)
                    .put("false", Initialization.RANDOM)
                    .put("gaussian", Initialization.GAUSSIAN)
                    .put("orthogonal", Initialization.ORTHOGONAL)
                    .put("pissa", Initialization.PISSA)
                    .put("olora", Initialization.OLORA)
                    .put("eva", Initialization.EVA)
                    .buildOrThrow();

    /** What stands before the number of iterations, for PISSA by a randomised decomposition. */
    static final String RANDOMIZED_PISSA = "pissa_niter_";

    static final ImmutableBiMap<String, TrainedBias> BIASES =
            ImmutableBiMap.of(
                    "none", TrainedBias.NONE,
                    "all", TrainedBias.ALL,
                    "lora_only", TrainedBias.LORA_ONLY);

    private PeftConfig() {}

    /**
     * Reads a configuration.
     *
     * @param pissaSeed the seed of a randomised decomposition, which this file has no field for
     */
    static LoraConfig read(Path file, Optional<String> pissaSeed) throws IOException {
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new PeftFormatException(file, "is not valid JSON: " + e.getOriginalMessage());
        }
        if (!(root instanceof ObjectNode fields)) {
            throw new PeftFormatException(file, "is not a JSON object");
        }
        return new PeftConfigReader(file, fields, pissaSeed).read();
    }

    /**
     * The file's bytes: keys sorted, and only fields that every PEFT since 0.7 knows, beside those
     * that came with the configuration and newer ones whose value is not their default.
     *
     * @param ranks the ranks of the layers by path
     */
    static byte[] write(LoraConfig config, Map<String, Integer> ranks, String baseModel)
            throws IOException {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        Map<String, JsonNode> fields = new TreeMap<>();
        fields.put("revision", nodes.nullNode());
        fields.put("task_type", nodes.nullNode());
        for (Map.Entry<String, String> entry : config.otherFields().entrySet()) {
            fields.put(entry.getKey(), JSON.readTree(entry.getValue()));
        }
        Map<String, Double> alphas = new LinkedHashMap<>();
        ranks.keySet().forEach(path -> alphas.put(path, config.alphaOf(path)));
        fields.put(
                "alpha_pattern", numbers(patterns(config.alphaPattern(), config.alpha(), alphas)));
        fields.put("base_model_name_or_path", nodes.textNode(baseModel));
        fields.put("bias", nodes.textNode(nameOf(BIASES, config.bias())));
        fields.put("fan_in_fan_out", nodes.booleanNode(config.fanInFanOut()));
        fields.put("inference_mode", nodes.booleanNode(true));
        fields.put("init_lora_weights", initialization(config));
        fields.put("layers_pattern", listOrNull(config.layersPattern()));
        fields.put("layers_to_transform", nodes.nullNode());
        if (!config.layersToTransform().isEmpty()) {
            ArrayNode layers = nodes.arrayNode();
            config.layersToTransform().forEach(layers::add);
            fields.put("layers_to_transform", layers);
        }
        fields.put("lora_alpha", number(config.alpha()));
        fields.put("lora_dropout", nodes.numberNode(config.dropout()));
        fields.put("modules_to_save", listOrNull(config.modulesToSave()));
        fields.put("peft_type", nodes.textNode("LORA"));
        fields.put("r", nodes.numberNode(config.rank()));
        fields.put("rank_pattern", numbers(patterns(config.rankPattern(), config.rank(), ranks)));
        fields.put("target_modules", targets(config, ranks.keySet()));
        fields.put("use_rslora", nodes.booleanNode(config.rsLora()));
        if (config.dora()) {
            fields.put("use_dora", nodes.booleanNode(true));
        }
        if (config.loraBias()) {
            fields.put("lora_bias", nodes.booleanNode(true));
        }
        if (config.excludeRegex().isPresent()) {
            fields.put("exclude_modules", nodes.textNode(config.excludeRegex().get()));
        } else if (!config.excludeModules().isEmpty()) {
            fields.put("exclude_modules", array(config.excludeModules()));
        }
        return JSON.writer(INDENTED).writeValueAsBytes(fields);
    }

    /** All linear layers by their paths, as PEFT writes them, for the head is one of its own. */
    private static JsonNode targets(LoraConfig config, Collection<String> paths) {
        if (config.allLinear()) {
            return array(new TreeSet<>(paths));
        }
        return config.targetRegex()
                .<JsonNode>map(JsonNodeFactory.instance::textNode)
                .orElseGet(() -> array(config.targetModules()));
    }

    /**
     * Patterns that give every layer its value. PEFT reads them in the order of their keys, which
     * writing sorts: if the given ones then say something else, single layers are named.
     */
    private static <V> Map<String, V> patterns(
            Map<String, V> given, V otherwise, Map<String, V> wanted) {
        Map<String, V> sorted = new TreeMap<>(given);
        if (wanted.entrySet().stream()
                .allMatch(
                        entry ->
                                LayerPatterns.first(sorted, entry.getKey())
                                        .orElse(otherwise)
                                        .equals(entry.getValue()))) {
            return sorted;
        }
        Map<String, V> single = new TreeMap<>();
        wanted.forEach(
                (path, value) -> {
                    if (!value.equals(otherwise)) {
                        single.put(patternFor(path), value);
                    }
                });
        return single;
    }

    private static ObjectNode numbers(Map<String, ? extends Number> values) {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        values.forEach((pattern, value) -> object.set(pattern, number(value.doubleValue())));
        return object;
    }

    private static JsonNode initialization(LoraConfig config) {
        if (config.pissaSvd().isPresent()) {
            return JsonNodeFactory.instance.textNode(
                    RANDOMIZED_PISSA + config.pissaSvd().get().iterations());
        }
        String name = nameOf(INITIALIZATIONS, config.initialization());
        return switch (name) {
            case "true" -> JsonNodeFactory.instance.booleanNode(true);
            case "false" -> JsonNodeFactory.instance.booleanNode(false);
            default -> JsonNodeFactory.instance.textNode(name);
        };
    }

    private static <V> String nameOf(ImmutableBiMap<String, V> names, V value) {
        String name = names.inverse().get(value);
        if (name == null) {
            throw new IllegalStateException("no name for " + value);
        }
        return name;
    }

    private static JsonNode listOrNull(Collection<String> strings) {
        return strings.isEmpty() ? JsonNodeFactory.instance.nullNode() : array(strings);
    }

    private static ArrayNode array(Collection<String> strings) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        strings.forEach(array::add);
        return array;
    }

    /** Whole where it can be, as PEFT declares the field. */
    private static JsonNode number(double value) {
        return value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE
                ? JsonNodeFactory.instance.numberNode((int) value)
                : JsonNodeFactory.instance.numberNode(value);
    }

    /** A pattern that matches one path and no other that ends with it. */
    private static String patternFor(String path) {
        return "^" + path.replaceAll("([^A-Za-z0-9_])", "\\\\$1");
    }
}
