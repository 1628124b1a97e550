package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.vision.vit.VitConfig.Activation;
import io.fairlora.vision.vit.VitConfig.FeedForward;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** {@code config.json} as Hugging Face's transformers spells it, with its defaults. */
final class HuggingFaceConfig {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String POOLING = "fairlora_pooling";

    private HuggingFaceConfig() {}

    static VitConfig parse(JsonNode root) {
        VitFamily family = VitFamily.ofModelType(root.path("model_type").asText("vit"));
        boolean twoTowers = family.isTower() && root.path("vision_config").isObject();
        JsonNode json = twoTowers ? root.path("vision_config") : root;
        int channels = json.path("num_channels").asInt(3);
        checkArgument(channels == 3, "num_channels must be 3, found %s", channels);
        JsonNode size = json.path("image_size");
        int height = size.isArray() ? size.path(0).asInt() : size.asInt(224);
        int width = size.isArray() ? size.path(1).asInt() : size.asInt(224);
        int hidden = json.path("hidden_size").asInt(768);
        boolean swiglu = family.isDinov2() && json.path("use_swiglu_ffn").asBoolean(false);
        return new VitConfig(
                family,
                hidden,
                json.path("num_hidden_layers").asInt(12),
                json.path("num_attention_heads").asInt(12),
                intermediateSize(family, json, hidden, swiglu),
                height,
                width,
                patchSize(family, json.path("patch_size")),
                json.path("layer_norm_eps").asDouble(eps(family)),
                json.path("qkv_bias").asBoolean(true),
                activation(json.path("hidden_act").asText(usualActivation(family))),
                swiglu ? FeedForward.SWIGLU : FeedForward.MLP,
                family.isDinov2(),
                family.stem(json.path("num_register_tokens").asInt(4)),
                pooling(family, root),
                labels(root));
    }

    private static double eps(VitFamily family) {
        return switch (family) {
            case VIT, DEIT -> 1e-12;
            case CLIP -> 1e-5;
            default -> 1e-6;
        };
    }

    private static String usualActivation(VitFamily family) {
        return switch (family) {
            case CLIP -> "quick_gelu";
            case SIGLIP -> "gelu_pytorch_tanh";
            default -> "gelu";
        };
    }

    private static int patchSize(VitFamily family, JsonNode size) {
        if (size.isArray()) {
            checkArgument(
                    size.path(0).asInt() == size.path(1).asInt(),
                    "patch_size must be the same in both directions, found %s",
                    size);
            return size.path(0).asInt();
        }
        return size.asInt(
                switch (family) {
                    case DINOV2 -> 14;
                    case CLIP -> 32;
                    default -> 16;
                });
    }

    private static int intermediateSize(
            VitFamily family, JsonNode json, int hidden, boolean swiglu) {
        if (!family.isDinov2()) {
            return json.path("intermediate_size").asInt(3072);
        }
        int wide = (int) (hidden * json.path("mlp_ratio").asDouble(4));
        return swiglu ? gated(wide) : wide;
    }

    /** Two thirds, rounded up to a multiple of 8: as many weights as an MLP, well aligned. */
    private static int gated(int wide) {
        return ((int) (wide * 2 / 3.0) + 7) / 8 * 8;
    }

    /** What the model named by {@code architectures} hands on, unless the file says otherwise. */
    private static Pooling pooling(VitFamily family, JsonNode json) {
        if (json.has(POOLING)) {
            String name = json.path(POOLING).asText();
            try {
                return Pooling.valueOf(name.toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(
                        POOLING + " must be the name of a pooling, found " + name, e);
            }
        }
        String architecture = json.path("architectures").path(0).asText("");
        if (family == VitFamily.DEIT && architecture.endsWith("WithTeacher")) {
            return Pooling.CLS_DISTILLATION;
        }
        if (family.isDinov2() && architecture.endsWith("ForImageClassification")) {
            return Pooling.CLS_MEAN;
        }
        if (family == VitFamily.CLIP && architecture.endsWith("ForImageClassification")) {
            return Pooling.MEAN_UNNORMED;
        }
        return family == VitFamily.SIGLIP ? Pooling.MEAN : Pooling.CLS;
    }

    private static List<String> labels(JsonNode json) {
        List<String> labels = new ArrayList<>();
        JsonNode names = json.path("id2label");
        for (int i = 0; names.has(Integer.toString(i)); i++) {
            labels.add(names.get(Integer.toString(i)).asText());
        }
        return labels;
    }

    private static Activation activation(String name) {
        return switch (name) {
            case "gelu", "gelu_python" -> Activation.GELU;
            case "gelu_new",
                    "gelu_fast",
                    "gelu_accurate",
                    "gelu_pytorch_tanh",
                    "gelu_python_tanh" ->
                    Activation.GELU_TANH;
            case "quick_gelu" -> Activation.QUICK_GELU;
            case "relu" -> Activation.RELU;
            case "silu", "swish" -> Activation.SILU;
            default ->
                    throw new IllegalArgumentException(
                            "hidden_act must be gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu"
                                    + " or silu, found "
                                    + name);
        };
    }

    static ObjectNode write(VitConfig config) {
        VitFamily family = config.family();
        ObjectNode json = JSON.createObjectNode();
        json.putArray("architectures").add(family.architecture());
        json.put("model_type", family.modelType());
        json.put("hidden_size", config.hiddenSize());
        json.put("num_hidden_layers", config.layers());
        json.put("num_attention_heads", config.heads());
        if (family.isDinov2()) {
            boolean swiglu = config.feedForward() == FeedForward.SWIGLU;
            int width = config.intermediateSize();
            json.put(
                    "mlp_ratio",
                    swiglu
                            ? gatedRatio(config.hiddenSize(), width)
                            : ratio(config.hiddenSize(), width));
            json.put("use_swiglu_ffn", swiglu);
        } else {
            json.put("intermediate_size", config.intermediateSize());
        }
        if (config.imageHeight() == config.imageWidth()) {
            json.put("image_size", config.imageHeight());
        } else {
            json.putArray("image_size").add(config.imageHeight()).add(config.imageWidth());
        }
        json.put("patch_size", config.patchSize());
        json.put("num_channels", 3);
        json.put("layer_norm_eps", config.layerNormEps());
        json.put("qkv_bias", config.qkvBias());
        json.put("hidden_act", config.activation().huggingFace());
        if (family == VitFamily.DINOV2_WITH_REGISTERS) {
            json.put("num_register_tokens", config.stem().registers());
        }
        if (family == VitFamily.SIGLIP) {
            json.put("vision_use_head", false);
        }
        if (config.pooling() != Pooling.CLS) {
            json.put(POOLING, config.pooling().name().toLowerCase(Locale.ROOT));
        }
        if (!config.labels().isEmpty()) {
            ObjectNode names = json.putObject("id2label");
            for (int i = 0; i < config.labels().size(); i++) {
                names.put(Integer.toString(i), config.labels().get(i));
            }
        }
        return json;
    }

    /** A ratio from which the width is computed again by cutting off. */
    static double ratio(int hidden, int width) {
        double ratio = (double) width / hidden;
        while ((int) (hidden * ratio) < width) {
            ratio = Math.nextUp(ratio);
        }
        return ratio;
    }

    private static double gatedRatio(int hidden, int width) {
        for (int wide = width; wide <= 2 * width; wide++) {
            double ratio = ratio(hidden, wide);
            if (gated((int) (hidden * ratio)) == width) {
                return ratio;
            }
        }
        throw new IllegalArgumentException(
                "a gated feed-forward part of "
                        + width
                        + " cannot be written, transformers knows multiples of 8 only");
    }
}
