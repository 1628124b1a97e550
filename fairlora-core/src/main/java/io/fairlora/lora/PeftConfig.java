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
import com.google.common.collect.ImmutableSet;
import com.google.common.primitives.Ints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * {@code adapter_config.json}: reading, checking and writing.
 *
 * @param config what it says
 * @param ranks ranks by a pattern of layers' paths, the first that matches counts
 * @param alphas alphas likewise
 */
record PeftConfig(LoraConfig config, Map<String, Number> ranks, Map<String, Number> alphas) {

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

    /** Fields that would change what is computed; anything but null, false or empty is refused. */
    private static final Set<String> UNSUPPORTED =
            ImmutableSet.of(
                    "alora_invocation_tokens",
                    "arrow_config",
                    "corda_config",
                    "exclude_modules",
                    "fan_in_fan_out",
                    "kasa_config",
                    "layer_replication",
                    "layers_pattern",
                    "loftq_config",
                    "lora_bias",
                    "lora_ga_config",
                    "megatron_config",
                    "monteclora_config",
                    "target_parameters",
                    "trainable_token_indices",
                    "use_bdlora",
                    "use_dora",
                    "use_qalora",
                    "velora_config");

    /** Initialisations that leave the base weights alone; the others rewrite them on loading. */
    private static final Set<String> INITIALISATIONS =
            ImmutableSet.of("true", "false", "gaussian", "orthogonal", "eva");

    /** Fields that are read into a configuration or written anew. */
    private static final Set<String> OWN =
            ImmutableSet.of(
                    "alpha_pattern",
                    "base_model_name_or_path",
                    "bias",
                    "inference_mode",
                    "init_lora_weights",
                    "layers_to_transform",
                    "lora_alpha",
                    "lora_dropout",
                    "modules_to_save",
                    "peft_type",
                    "peft_version",
                    "r",
                    "rank_pattern",
                    "target_modules",
                    "use_rslora");

    static PeftConfig read(Path file) throws IOException {
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

    int rankOf(String path) {
        return valueFor(path, ranks, config.rank()).intValue();
    }

    double scaleOf(String path) {
        return config.scaling(rankOf(path), valueFor(path, alphas, config.alpha()).doubleValue());
    }

    /** A pattern that none of the paths match, if there is one. */
    @Nullable String unusedPattern(Collection<String> paths) {
        List<String> patterns = new ArrayList<>(ranks.keySet());
        patterns.addAll(alphas.keySet());
        for (String pattern : patterns) {
            if (paths.stream().noneMatch(path -> isMatch(pattern, path))) {
                return pattern;
            }
        }
        return null;
    }

    private static Number valueFor(String path, Map<String, Number> values, Number otherwise) {
        for (Map.Entry<String, Number> entry : values.entrySet()) {
            if (isMatch(entry.getKey(), path)) {
                return entry.getValue();
            }
        }
        return otherwise;
    }

    private static boolean isMatch(String pattern, String path) {
        return Pattern.compile("(.*\\.)?(" + pattern + ")$").matcher(path).lookingAt();
    }

    /** One pass over the fields. */
    private static final class Reader {

        private final Path file;
        private final ObjectNode fields;

        Reader(Path file, ObjectNode fields) {
            this.file = file;
            this.fields = fields;
        }

        PeftConfig read() throws PeftFormatException {
            checkSupported();
            LoraConfig.Builder builder = LoraConfig.builder();
            try {
                builder.rank(integer("r", 8));
                builder.alpha(number("lora_alpha", 8));
                builder.dropout(number("lora_dropout", 0));
                builder.rsLora(fields.path("use_rslora").asBoolean(false));
                readTargets(builder);
                builder.layersToTransform(Ints.toArray(layers()));
                builder.modulesToSave(strings("modules_to_save").toArray(new String[0]));
                builder.otherFields(otherFields());
                return new PeftConfig(
                        builder.build(), pattern("rank_pattern"), pattern("alpha_pattern"));
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
            if (!fields.path("bias").asText("none").equals("none")) {
                throw new PeftFormatException(
                        file, "bias is " + fields.get("bias") + ", only \"none\" is supported");
            }
            String initialisation = fields.path("init_lora_weights").asText("true");
            if (!INITIALISATIONS.contains(initialisation)) {
                throw new PeftFormatException(
                        file,
                        "init_lora_weights is "
                                + fields.get("init_lora_weights")
                                + ", which changes the base weights and is not supported");
            }
        }

        private static boolean isNeutral(JsonNode value) {
            return value.isMissingNode()
                    || value.isNull()
                    || (value.isBoolean() && !value.asBoolean())
                    || (value.isContainerNode() && value.isEmpty());
        }

        private void readTargets(LoraConfig.Builder builder) throws PeftFormatException {
            JsonNode targets = fields.path("target_modules");
            if (targets.isTextual()) {
                if (targets.asText().equalsIgnoreCase("all-linear")) {
                    throw new PeftFormatException(
                            file, "target_modules is \"all-linear\", expected the layers' names");
                }
                builder.targetRegex(targets.asText());
            } else {
                builder.targetModules(strings("target_modules"));
            }
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

        private Map<String, Number> pattern(String field) throws PeftFormatException {
            JsonNode value = fields.path(field);
            if (!isNeutral(value) && !value.isObject()) {
                throw wrong(field, "an object");
            }
            Map<String, Number> pattern = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : value.properties()) {
                JsonNode number = entry.getValue();
                if (!number.isNumber() || !(number.doubleValue() > 0)) {
                    throw wrong(field, "positive numbers");
                }
                try {
                    Pattern.compile(entry.getKey());
                } catch (PatternSyntaxException e) {
                    throw new PeftFormatException(
                            file, field + " holds the malformed pattern " + entry.getKey());
                }
                pattern.put(entry.getKey(), number.numberValue());
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
     * that came with the configuration.
     */
    static byte[] write(
            LoraConfig config,
            Collection<String> modulesToSave,
            Map<String, Integer> ranks,
            String baseModel)
            throws IOException {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        Map<String, JsonNode> fields = new TreeMap<>();
        fields.put("revision", nodes.nullNode());
        fields.put("task_type", nodes.nullNode());
        for (Map.Entry<String, String> entry : config.otherFields().entrySet()) {
            fields.put(entry.getKey(), JSON.readTree(entry.getValue()));
        }
        ObjectNode rankPattern = nodes.objectNode();
        new TreeMap<>(ranks)
                .forEach((path, rank) -> rankPattern.put(patternFor(path), rank.intValue()));
        fields.put("alpha_pattern", nodes.objectNode());
        fields.put("base_model_name_or_path", nodes.textNode(baseModel));
        fields.put("bias", nodes.textNode("none"));
        fields.put("fan_in_fan_out", nodes.booleanNode(false));
        fields.put("inference_mode", nodes.booleanNode(true));
        fields.put("init_lora_weights", nodes.booleanNode(true));
        fields.put("layers_pattern", nodes.nullNode());
        fields.put("layers_to_transform", nodes.nullNode());
        if (!config.layersToTransform().isEmpty()) {
            ArrayNode layers = nodes.arrayNode();
            config.layersToTransform().forEach(layers::add);
            fields.put("layers_to_transform", layers);
        }
        fields.put("lora_alpha", number(config.alpha()));
        fields.put("lora_dropout", nodes.numberNode(config.dropout()));
        fields.put(
                "modules_to_save",
                modulesToSave.isEmpty() ? nodes.nullNode() : array(modulesToSave));
        fields.put("peft_type", nodes.textNode("LORA"));
        fields.put("r", nodes.numberNode(config.rank()));
        fields.put("rank_pattern", rankPattern);
        fields.put(
                "target_modules",
                config.targetRegex()
                        .<JsonNode>map(nodes::textNode)
                        .orElseGet(() -> array(config.targetModules())));
        fields.put("use_rslora", nodes.booleanNode(config.rsLora()));
        return JSON.writer(INDENTED).writeValueAsBytes(fields);
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
