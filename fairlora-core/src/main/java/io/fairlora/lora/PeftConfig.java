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
import com.google.common.collect.ImmutableSet;
import com.google.common.primitives.Ints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;

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

    private static final String ALL_LINEAR = "all-linear";

    /** Fields that would change what is computed; anything but null, false or empty is refused. */
    private static final Set<String> UNSUPPORTED =
            ImmutableSet.of(
                    "alora_invocation_tokens",
                    "arrow_config",
                    "corda_config",
                    "kasa_config",
                    "layer_replication",
                    "loftq_config",
                    "lora_ga_config",
                    "megatron_config",
                    "monteclora_config",
                    "target_parameters",
                    "trainable_token_indices",
                    "use_bdlora",
                    "use_qalora",
                    "velora_config");

    /** What stands in a file for each initialisation; the booleans as JSON spells them. */
    private static final ImmutableBiMap<String, Initialization> INITIALIZATIONS =
            ImmutableBiMap.<String, Initialization>builder()
                    .put("true", Initialization.KAIMING_UNIFORM)
                    .put("false", Initialization.RANDOM)
                    .put("gaussian", Initialization.GAUSSIAN)
                    .put("orthogonal", Initialization.ORTHOGONAL)
                    .put("pissa", Initialization.PISSA)
                    .put("olora", Initialization.OLORA)
                    .put("eva", Initialization.EVA)
                    .buildOrThrow();

    private static final ImmutableBiMap<String, TrainedBias> BIASES =
            ImmutableBiMap.of(
                    "none", TrainedBias.NONE,
                    "all", TrainedBias.ALL,
                    "lora_only", TrainedBias.LORA_ONLY);

    /** Fields that are read into a configuration or written anew. */
    private static final Set<String> OWN =
            ImmutableSet.of(
                    "alpha_pattern",
                    "base_model_name_or_path",
                    "bias",
                    "exclude_modules",
                    "fan_in_fan_out",
                    "inference_mode",
                    "init_lora_weights",
                    "layers_pattern",
                    "layers_to_transform",
                    "lora_alpha",
                    "lora_bias",
                    "lora_dropout",
                    "modules_to_save",
                    "peft_type",
                    "peft_version",
                    "r",
                    "rank_pattern",
                    "target_modules",
                    "use_dora",
                    "use_rslora");

    private PeftConfig() {}

    static LoraConfig read(Path file) throws IOException {
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new PeftFormatException(file, "is not valid JSON: " + e.getOriginalMessage());
        }
        if (!(root instanceof ObjectNode fields)) {
            throw new PeftFormatException(file, "is not a JSON object");
        }
        return new Reader(file, fields).read();
    }

    /** One pass over the fields. */
    private static final class Reader {

        private final Path file;
        private final ObjectNode fields;

        Reader(Path file, ObjectNode fields) {
            this.file = file;
            this.fields = fields;
        }

        LoraConfig read() throws PeftFormatException {
            checkSupported();
            LoraConfig.Builder builder = LoraConfig.builder();
            try {
                builder.rank(integer("r", 8));
                builder.alpha(number("lora_alpha", 8));
                builder.rankPattern(
                        pattern(
                                "rank_pattern",
                                "whole numbers",
                                JsonNode::isInt,
                                JsonNode::intValue));
                builder.alphaPattern(
                        pattern(
                                "alpha_pattern",
                                "positive numbers",
                                JsonNode::isNumber,
                                JsonNode::doubleValue));
                builder.dropout(number("lora_dropout", 0));
                builder.rsLora(bool("use_rslora"));
                builder.dora(bool("use_dora"));
                builder.loraBias(bool("lora_bias"));
                builder.fanInFanOut(bool("fan_in_fan_out"));
                builder.bias(named("bias", "none", BIASES));
                checkInitialization();
                builder.initialization(named("init_lora_weights", "true", INITIALIZATIONS));
                readTargets(builder);
                readExclusions(builder);
                builder.layersToTransform(Ints.toArray(layers()));
                builder.layersPattern(oneOrMore("layers_pattern").toArray(new String[0]));
                builder.modulesToSave(strings("modules_to_save").toArray(new String[0]));
                builder.otherFields(otherFields());
                return builder.build();
            } catch (IllegalArgumentException | IllegalStateException e) {
                throw new PeftFormatException(file, String.valueOf(e.getMessage()));
            }
        }

        private void checkSupported() throws PeftFormatException {
            if (!fields.path("peft_type").asText().equals("LORA")) {
                throw new PeftFormatException(
                        file, "peft_type is " + fields.get("peft_type") + ", expected \"LORA\"");
            }
            for (String field : UNSUPPORTED) {
                if (!isNeutral(fields.path(field))) {
                    throw new PeftFormatException(
                            file, field + " is " + fields.get(field) + ", which is not supported");
                }
            }
        }

        /** Refuses what changes the base weights in a way that cannot be repeated from a file. */
        private void checkInitialization() throws PeftFormatException {
            String name = fields.path("init_lora_weights").asText();
            if (name.startsWith("pissa_niter_") || name.equals("corda") || name.equals("loftq")) {
                throw new PeftFormatException(
                        file,
                        "init_lora_weights is \""
                                + name
                                + "\", which changes the base weights in a way that the file does"
                                + " not tell; save it from PEFT with"
                                + " path_initial_model_for_weight_conversion");
            }
        }

        private <V> V named(String field, String otherwise, Map<String, V> names)
                throws PeftFormatException {
            JsonNode value = fields.path(field);
            V found =
                    names.get(
                            value.isMissingNode()
                                    ? otherwise
                                    : value.asText().toLowerCase(Locale.ROOT));
            if (found == null) {
                throw wrong(field, "one of " + names.keySet());
            }
            return found;
        }

        private static boolean isNeutral(JsonNode value) {
            return value.isMissingNode()
                    || value.isNull()
                    || (value.isBoolean() && !value.asBoolean())
                    || (value.isContainerNode() && value.isEmpty());
        }

        private void readTargets(LoraConfig.Builder builder) throws PeftFormatException {
            JsonNode targets = fields.path("target_modules");
            if (!targets.isTextual()) {
                builder.targetModules(strings("target_modules"));
            } else if (targets.asText().equalsIgnoreCase(ALL_LINEAR)) {
                builder.allLinear();
            } else {
                builder.targetRegex(targets.asText());
            }
        }

        private void readExclusions(LoraConfig.Builder builder) throws PeftFormatException {
            JsonNode excluded = fields.path("exclude_modules");
            if (excluded.isTextual()) {
                builder.excludeRegex(excluded.asText());
            } else {
                builder.excludeModules(strings("exclude_modules").toArray(new String[0]));
            }
        }

        /** A list of strings, of which PEFT takes a single one for a list of one. */
        private List<String> oneOrMore(String field) throws PeftFormatException {
            JsonNode value = fields.path(field);
            return value.isTextual() ? List.of(value.asText()) : strings(field);
        }

        private List<Integer> layers() throws PeftFormatException {
            JsonNode value = fields.path("layers_to_transform");
            List<Integer> layers = new ArrayList<>();
            for (JsonNode element : value.isInt() ? List.of(value) : elements(value)) {
                if (!element.isInt()) {
                    throw wrong("layers_to_transform", "whole numbers");
                }
                layers.add(element.intValue());
            }
            return layers;
        }

        private List<String> strings(String field) throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (!isNeutral(value) && !value.isArray()) {
                throw wrong(field, "a list of names");
            }
            List<String> strings = new ArrayList<>();
            for (JsonNode element : elements(value)) {
                if (!element.isTextual()) {
                    throw wrong(field, "a list of names");
                }
                strings.add(element.asText());
            }
            return strings;
        }

        private static List<JsonNode> elements(JsonNode value) {
            List<JsonNode> elements = new ArrayList<>();
            value.elements().forEachRemaining(elements::add);
            return elements;
        }

        private int integer(String field, int otherwise) throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (value.isMissingNode()) {
                return otherwise;
            }
            if (!value.isInt()) {
                throw wrong(field, "a whole number");
            }
            return value.intValue();
        }

        private double number(String field, double otherwise) throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (value.isMissingNode()) {
                return otherwise;
            }
            if (!value.isNumber()) {
                throw wrong(field, "a number");
            }
            return value.doubleValue();
        }

        private boolean bool(String field) throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (!isNeutral(value) && !value.isBoolean()) {
                throw wrong(field, "true or false");
            }
            return value.asBoolean();
        }

        private <V> Map<String, V> pattern(
                String field,
                String expected,
                Predicate<JsonNode> check,
                Function<JsonNode, V> values)
                throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (!isNeutral(value) && !value.isObject()) {
                throw wrong(field, "an object");
            }
            Map<String, V> pattern = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : value.properties()) {
                if (!check.test(entry.getValue())) {
                    throw wrong(field, expected);
                }
                pattern.put(entry.getKey(), values.apply(entry.getValue()));
            }
            return pattern;
        }

        private Map<String, String> otherFields() {
            Map<String, String> others = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : fields.properties()) {
                String field = entry.getKey();
                if (!OWN.contains(field) && !UNSUPPORTED.contains(field)) {
                    others.put(field, entry.getValue().toString());
                }
            }
            return others;
        }

        private PeftFormatException wrong(String field, String expected) {
            return new PeftFormatException(
                    file, field + " is " + fields.get(field) + ", expected " + expected);
        }
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
        fields.put("init_lora_weights", initialization(config.initialization()));
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
                                valueFor(entry.getKey(), sorted, otherwise)
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

    private static <V> V valueFor(String path, Map<String, V> values, V otherwise) {
        return values.entrySet().stream()
                .filter(entry -> LoraConfig.isMatch(entry.getKey(), path))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse(otherwise);
    }

    private static ObjectNode numbers(Map<String, ? extends Number> values) {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        values.forEach((pattern, value) -> object.set(pattern, number(value.doubleValue())));
        return object;
    }

    private static JsonNode initialization(Initialization initialization) {
        String name = nameOf(INITIALIZATIONS, initialization);
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
