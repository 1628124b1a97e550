package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The shape of a vision transformer, as Hugging Face's {@code config.json} gives it.
 *
 * @param family whose spelling its files have
 * @param hiddenSize D, the length of a token; a multiple of {@code heads}
 * @param layers the number of transformer layers
 * @param heads the number of attention heads
 * @param intermediateSize the width of the feed-forward part between its two linear layers
 * @param imageHeight pixels, at least {@code patchSize}; rows beyond the last whole patch are left
 *     out
 * @param imageWidth pixels, at least {@code patchSize}; columns beyond the last whole patch are
 *     left out
 * @param patchSize pixels
 * @param layerNormEps what is added to the variance
 * @param qkvBias whether query, key and value have a bias
 * @param activation the activation of the feed-forward part
 * @param feedForward the kind of the feed-forward part
 * @param layerScale whether what a layer adds is multiplied by a learned vector (Touvron et al.
 *     2021, "Going deeper with Image Transformers")
 * @param stem what stands before the first layer
 * @param pooling how tokens become a feature vector
 * @param labels the names of the classes of the checkpoint's own classifier; empty if unknown
 */
public record VitConfig(
        VitFamily family,
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
        FeedForward feedForward,
        boolean layerScale,
        Stem stem,
        Pooling pooling,
        List<String> labels) {

    /** The activation of the feed-forward part, by Hugging Face's name. */
    public enum Activation {
        /** {@code gelu}: x Phi(x) with the exact error function. */
        GELU("gelu"),
        /** {@code gelu_new}, {@code gelu_pytorch_tanh}: the approximation by tanh. */
        GELU_TANH("gelu_new"),
        /** {@code quick_gelu}: x sigmoid(1.702 x). */
        QUICK_GELU("quick_gelu"),
        /** {@code relu}: max(x, 0). */
        RELU("relu"),
        /** {@code silu}, {@code swish}: x sigmoid(x). */
        SILU("silu");

        private final String huggingFace;

        Activation(String huggingFace) {
            this.huggingFace = huggingFace;
        }

        String huggingFace() {
            return huggingFace;
        }
    }

    /** The part of a layer that treats each token by itself. */
    public enum FeedForward {
        /** {@code fc2(activation(fc1(x)))}. */
        MLP,
        /**
         * {@code out(silu(g) * h)}, where {@code in(x)} is g and h side by side (Shazeer 2020, "GLU
         * Variants Improve Transformer").
         */
        SWIGLU
    }

    /**
     * What stands before the first layer beside the projection of the patches.
     *
     * @param classToken whether a class token comes first
     * @param distillationToken whether a distillation token follows it
     * @param registers how many register tokens follow that
     * @param positions how many of these tokens, from the first on, have a position: none, those
     *     before the registers, or all
     * @param norm whether the tokens are normalised before the first layer; the projection of the
     *     patches then has no bias
     */
    public record Stem(
            boolean classToken,
            boolean distillationToken,
            int registers,
            int positions,
            boolean norm) {

        /** A class token with a position, as ViT has it. */
        public static final Stem CLASS = new Stem(true, false, 0, 1, false);

        /** Refuses numbers of registers and positions that are not possible. */
        public Stem {
            checkArgument(registers >= 0, "registers must be at least 0, found %s", registers);
            int before = (classToken ? 1 : 0) + (distillationToken ? 1 : 0);
            checkArgument(
                    positions == 0 || positions == before || positions == before + registers,
                    "positions must be 0, %s or %s, found %s",
                    before,
                    before + registers,
                    positions);
        }

        /**
         * The number of tokens before those of the patches.
         *
         * @return class token, distillation token and registers
         */
        public int tokens() {
            return (classToken ? 1 : 0) + (distillationToken ? 1 : 0) + registers;
        }
    }

    /** Checks that the sizes fit together. */
    public VitConfig {
        labels = List.copyOf(labels);
        checkPositive("hidden_size", hiddenSize);
        checkPositive("num_hidden_layers", layers);
        checkPositive("num_attention_heads", heads);
        checkPositive("intermediate_size", intermediateSize);
        checkPositive("patch_size", patchSize);
        checkArgument(
                hiddenSize % heads == 0,
                "hidden_size %s is not a multiple of num_attention_heads %s",
                hiddenSize,
                heads);
        checkArgument(
                imageHeight >= patchSize && imageWidth >= patchSize,
                "image_size %s x %s is less than patch_size %s",
                imageHeight,
                imageWidth,
                patchSize);
        checkArgument(
                stem.classToken() || (pooling != Pooling.CLS && pooling != Pooling.CLS_MEAN),
                "pooling %s needs a class token",
                pooling);
        checkArgument(
                pooling != Pooling.MEAN_NORM || family == VitFamily.TIMM,
                "pooling %s is timm's, found family %s",
                pooling,
                family);
        checkArgument(
                pooling != Pooling.CLS_DISTILLATION
                        || (stem.classToken() && stem.distillationToken()),
                "pooling %s needs a class token and a distillation token",
                pooling);
        family.check(stem, layerScale, feedForward);
    }

    private static void checkPositive(String field, int value) {
        checkArgument(value >= 1, "%s must be at least 1, found %s", field, value);
    }

    /**
     * A ViT with the usual choices: MLP of 4 D, exact GELU, bias, class token.
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
                VitFamily.VIT,
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
                FeedForward.MLP,
                false,
                Stem.CLASS,
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
        return with(imageHeight, imageWidth, changed);
    }

    /**
     * The same for images of another size. {@link VisionTransformer#load(Path, ai.djl.Device,
     * LoadOptions)} interpolates the positions of a checkpoint to it.
     *
     * @param height pixels
     * @param width pixels
     * @return a new configuration
     */
    public VitConfig withImageSize(int height, int width) {
        return with(height, width, pooling);
    }

    /** All but the spelling of its files, as text. */
    String described() {
        return toString().replace("family=" + family + ", ", "");
    }

    private VitConfig with(int height, int width, Pooling pooled) {
        return new VitConfig(
                family,
                hiddenSize,
                layers,
                heads,
                intermediateSize,
                height,
                width,
                patchSize,
                layerNormEps,
                qkvBias,
                activation,
                feedForward,
                layerScale,
                stem,
                pooled,
                labels);
    }

    /** The number of rows of patches. */
    int patchRows() {
        return imageHeight / patchSize;
    }

    /** The number of columns of patches. */
    int patchColumns() {
        return imageWidth / patchSize;
    }

    /**
     * The number of patches of an image.
     *
     * @return N
     */
    public int patches() {
        return patchRows() * patchColumns();
    }

    /**
     * Reads {@code config.json} of a model of Hugging Face.
     *
     * @param file the file
     * @return the configuration
     * @throws IOException if the file cannot be read or is not JSON
     * @throws IllegalArgumentException if it describes another kind of model, or sizes that do not
     *     fit together
     */
    public static VitConfig read(Path file) throws IOException {
        JsonNode json = ModelFiles.json(file);
        try {
            return parse(json);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * Reads the configuration from JSON.
     *
     * @param json the content of {@code config.json} of a model of Hugging Face
     * @return the configuration
     * @throws IllegalArgumentException if it describes another kind of model, or sizes that do not
     *     fit together
     */
    public static VitConfig parse(JsonNode json) {
        return HuggingFaceConfig.parse(json);
    }

    /**
     * The content of {@code config.json}, which Hugging Face's transformers or timm reads too.
     *
     * @return a JSON object
     */
    public ObjectNode toJson() {
        return family == VitFamily.TIMM
                ? TimmConfig.write(this, VitPreprocessing.DEFAULT)
                : HuggingFaceConfig.write(this);
    }
}
