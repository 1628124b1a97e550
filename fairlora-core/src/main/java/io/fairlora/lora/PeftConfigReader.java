package io.fairlora.lora;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableSet;
import com.google.common.primitives.Ints;
import com.google.common.primitives.Longs;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;

/** One pass over the fields of {@code adapter_config.json}. */
final class PeftConfigReader {

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

    private final Path file;
    private final ObjectNode fields;
    private final Optional<String> pissaSeed;

    PeftConfigReader(Path file, ObjectNode fields, Optional<String> pissaSeed) {
        this.file = file;
        this.fields = fields;
        this.pissaSeed = pissaSeed;
    }

    LoraConfig read() throws PeftFormatException {
        checkSupported();
        LoraConfig.Builder builder = LoraConfig.builder();
        try {
            builder.rank(integer("r", 8));
            builder.alpha(number("lora_alpha", 8));
            builder.rankPattern(
                    pattern("rank_pattern", "whole numbers", JsonNode::isInt, JsonNode::intValue));
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
            builder.bias(named("bias", "none", PeftConfig.BIASES));
            readInitialization(builder);
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
    private void readInitialization(LoraConfig.Builder builder) throws PeftFormatException {
        String name = fields.path("init_lora_weights").asText();
        boolean randomized = name.startsWith(PeftConfig.RANDOMIZED_PISSA);
        if ((randomized && pissaSeed.isEmpty()) || name.equals("corda") || name.equals("loftq")) {
            throw new PeftFormatException(
                    file,
                    "init_lora_weights is \""
                            + name
                            + "\", which changes the base weights in a way that the file does"
                            + " not tell; save it from PEFT with"
                            + " path_initial_model_for_weight_conversion");
        }
        if (randomized) {
            String number = name.substring(PeftConfig.RANDOMIZED_PISSA.length());
            Integer iterations = Ints.tryParse(number);
            Long seed = Longs.tryParse(pissaSeed.get());
            if (iterations == null || seed == null) {
                throw wrong("init_lora_weights", "pissa_niter_N, and a whole number as its seed");
            }
            builder.pissa(new RandomizedSvd(iterations, seed));
        } else {
            builder.initialization(named("init_lora_weights", "true", PeftConfig.INITIALIZATIONS));
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
            String field, String expected, Predicate<JsonNode> check, Function<JsonNode, V> values)
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
