package io.fairlora.vision.vit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.Interpolation;
import io.fairlora.vision.vit.LoadOptions.ImageSize;
import org.jspecify.annotations.Nullable;

/**
 * How an image becomes the numbers that the first layer sees: resized to exactly the model's size,
 * or resized and cut to it, then normalised; the image processors of Hugging Face for ViT, DeiT,
 * DINOv2 ({@code BitImageProcessor}) and CLIP, and timm's evaluation transform.
 *
 * @param interpolation how it is resized
 * @param normalization how its pixels are scaled
 * @param crop what it is resized to before its middle is cut out, or {@code null} if it is resized
 *     to the model's size
 */
public record VitPreprocessing(
        Interpolation interpolation, Normalization normalization, @Nullable CentreCrop crop) {

    /** Bilinear to the model's size, mean and standard deviation 0.5. */
    public static final VitPreprocessing DEFAULT =
            new VitPreprocessing(Interpolation.BILINEAR, Normalization.HALF);

    /**
     * A preprocessing without a cut.
     *
     * @param interpolation how an image is resized
     * @param normalization how its pixels are scaled
     */
    public VitPreprocessing(Interpolation interpolation, Normalization normalization) {
        this(interpolation, normalization, null);
    }

    /**
     * Reads the content of {@code preprocessor_config.json}.
     *
     * @param json the JSON object
     * @return the preprocessing
     * @throws IllegalArgumentException if it asks for something that is not supported
     */
    public static VitPreprocessing parse(JsonNode json) {
        return ImageProcessorConfig.parse(json).preprocessing();
    }

    /**
     * Reads timm's {@code pretrained_cfg}, for its evaluation transform at the size it names.
     *
     * @param json the JSON object, or one that has it as a field of that name
     * @return the preprocessing
     * @throws IllegalArgumentException if it asks for something that is not supported
     */
    public static VitPreprocessing parseTimm(JsonNode json) {
        return TimmConfig.preprocessing(json);
    }

    /** The same for images of another size: what they are resized to before the cut grows alike. */
    VitPreprocessing scaled(ImageSize from, ImageSize to) {
        if (crop == null || from.equals(to)) {
            return this;
        }
        CentreCrop changed =
                switch (crop.resize()) {
                    case NONE -> crop;
                    case EXACT ->
                            CentreCrop.ofSize(
                                    scaled(crop.height(), from.height(), to.height()),
                                    scaled(crop.width(), from.width(), to.width()),
                                    crop.rounding());
                    case SHORTEST_EDGE ->
                            CentreCrop.ofShortestEdge(
                                    Math.max(
                                            scaled(crop.height(), from.height(), to.height()),
                                            scaled(crop.width(), from.width(), to.width())),
                                    crop.rounding());
                };
        return new VitPreprocessing(interpolation, normalization, changed);
    }

    private static int scaled(int length, int from, int to) {
        return (int) ((long) length * to / from);
    }

    ObjectNode toJson(VitConfig config) {
        return ImageProcessorConfig.write(this, config);
    }
}
