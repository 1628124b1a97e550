package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The shape of a vision transformer, as {@code config.json} of Hugging Face's {@code ViTModel}
 * gives it.
 *
 * @param hiddenSize D, the length of a token; a multiple of {@code heads}
 * @param layers the number of transformer layers
 * @param heads the number of attention heads
 * @param intermediateSize the width of the MLP
 * @param imageHeight pixels, a multiple of {@code patchSize}
 * @param imageWidth pixels, a multiple of {@code patchSize}
 * @param patchSize pixels
 * @param layerNormEps what is added to the variance
 * @param qkvBias whether query, key and value have a bias
 * @param activation the MLP's activation
 * @param pooling how tokens become a feature vector
 * @param labels the names of the classes of the checkpoint's own classifier; empty if unknown
 */
public record VitConfig(
        int hiddenSize,
        int layers,
        int heads,
        int intermediateSize,
        int imageHeight,
        int imageWidth,
        int patchSize,
        double layerNormEps,
        boolean qkvBias,
        Activation activation,
        Pooling pooling,
        List<String> labels) {

    private static final ObjectMapper JSON = new ObjectMapper();

    /** The MLP's activation, by Hugging Face's name. */
    public enum Activation {
        /** {@code gelu}: x Phi(x) with the exact error function. */
        GELU,
        /** {@code gelu_new}, {@code gelu_pytorch_tanh}: the approximation by tanh. */
        GELU_TANH
    }

    /** Checks that the sizes fit together. */
    public VitConfig {
        labels = List.copyOf(labels);
        checkPositive("hidden_size", hiddenSize);
        checkPositive("num_hidden_layers", layers);
        checkPositive("num_attention_heads", heads);
        checkPositive("intermediate_size", intermediateSize);
        checkPositive("patch_size", patchSize);
        checkPositive("image_size", imageHeight);
        checkPositive("image_size", imageWidth);
        checkArgument(
                hiddenSize % heads == 0,
                "hidden_size %s is not a multiple of num_attention_heads %s",
                hiddenSize,
                heads);
        checkArgument(
                imageHeight % patchSize == 0 && imageWidth % patchSize == 0,
                "image_size %s x %s is not a multiple of patch_size %s",
                imageHeight,
                imageWidth,
                patchSize);
    }

    private static void checkPositive(String field, int value) {
        checkArgument(value >= 1, "%s must be at least 1, found %s", field, value);
    }

    /**
     * A configuration with the usual choices: MLP of 4 D, exact GELU, bias, class token.
     *
     * @param hiddenSize D
     * @param layers the number of layers
     * @param heads the number of heads
     * @param imageSize pixels, of both sides
     * @param patchSize pixels
     * @return the configuration
     */
    public static VitConfig of(
            int hiddenSize, int layers, int heads, int imageSize, int patchSize) {
        return new VitConfig(
                hiddenSize,
                layers,
                heads,
                4 * hiddenSize,
                imageSize,
                imageSize,
                patchSize,
                1e-12,
                true,
                Activation.GELU,
                Pooling.CLS,
                List.of());
    }

    /**
     * The same with another pooling.
     *
     * @param changed how tokens become a feature vector
     * @return a new configuration
     */
    public VitConfig withPooling(Pooling changed) {
        return new VitConfig(
                hiddenSize,
                layers,
                heads,
                intermediateSize,
                imageHeight,
                imageWidth,
                patchSize,
                layerNormEps,
                qkvBias,
                activation,
                changed,
                labels);
    }

    /**
     * The number of patches of an image.
     *
     * @return N
     */
    public int patches() {
        return imageHeight / patchSize * (imageWidth / patchSize);
    }

    /**
     * Reads {@code config.json}.
     *
     * @param file the file
     * @return the configuration
     * @throws IOException if the file cannot be read or is not JSON
     * @throws IllegalArgumentException if it describes another kind of model, or sizes that do not
     *     fit together
     */
    public static VitConfig read(Path file) throws IOException {
        JsonNode json;
        try {
            json = JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new IOException(file + " is not JSON: " + e.getOriginalMessage(), e);
        }
        try {
            return parse(json);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * Reads the configuration from JSON.
     *
     * @param json the content of {@code config.json}
     * @return the configuration
     * @throws IllegalArgumentException if it describes another kind of model, or sizes that do not
     *     fit together
     */
    public static VitConfig parse(JsonNode json) {
        String type = json.path("model_type").asText("vit");
        checkArgument(type.equals("vit"), "model_type must be vit, found %s", type);
        int channels = json.path("num_channels").asInt(3);
        checkArgument(channels == 3, "num_channels must be 3, found %s", channels);
        JsonNode size = json.path("image_size");
        int height = size.isArray() ? size.path(0).asInt() : size.asInt(224);
        int width = size.isArray() ? size.path(1).asInt() : size.asInt(224);
        List<String> labels = new ArrayList<>();
        JsonNode names = json.path("id2label");
        for (int i = 0; names.has(Integer.toString(i)); i++) {
            labels.add(names.get(Integer.toString(i)).asText());
        }
        return new VitConfig(
                json.path("hidden_size").asInt(768),
                json.path("num_hidden_layers").asInt(12),
                json.path("num_attention_heads").asInt(12),
                json.path("intermediate_size").asInt(3072),
                height,
                width,
                json.path("patch_size").asInt(16),
                json.path("layer_norm_eps").asDouble(1e-12),
                json.path("qkv_bias").asBoolean(true),
                activation(json.path("hidden_act").asText("gelu")),
                json.path("fairlora_pooling").asText("cls").equals("mean")
                        ? Pooling.MEAN
                        : Pooling.CLS,
                labels);
    }

    private static Activation activation(String name) {
        return switch (name) {
            case "gelu" -> Activation.GELU;
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            default ->
                    throw new IllegalArgumentException(
                            "hidden_act must be gelu, gelu_new or gelu_pytorch_tanh, found "
                                    + name);
        };
    }

    /**
     * The content of {@code config.json}, which Hugging Face's transformers reads too.
     *
     * @return a JSON object
     */
    public ObjectNode toJson() {
        ObjectNode json = JSON.createObjectNode();
        json.putArray("architectures").add("ViTModel");
        json.put("model_type", "vit");
        json.put("hidden_size", hiddenSize);
        json.put("num_hidden_layers", layers);
        json.put("num_attention_heads", heads);
        json.put("intermediate_size", intermediateSize);
        if (imageHeight == imageWidth) {
            json.put("image_size", imageHeight);
        } else {
            json.putArray("image_size").add(imageHeight).add(imageWidth);
        }
        json.put("patch_size", patchSize);
        json.put("num_channels", 3);
        json.put("layer_norm_eps", layerNormEps);
        json.put("qkv_bias", qkvBias);
        json.put("hidden_act", activation == Activation.GELU ? "gelu" : "gelu_new");
        if (pooling == Pooling.MEAN) {
            json.put("fairlora_pooling", "mean");
        }
        if (!labels.isEmpty()) {
            ObjectNode names = json.putObject("id2label");
            for (int i = 0; i < labels.size(); i++) {
                names.put(Integer.toString(i), labels.get(i));
            }
        }
        return json;
    }
}
