package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Optional;

/**
 * What of a model is to be other than its files say.
 *
 * <pre>{@code
 * VisionTransformer vit =
 *         VisionTransformer.load(
 *                 directory, device, LoadOptions.DEFAULT.withImageSize(384, 384));
 * }</pre>
 *
 * @param config instead of {@code config.json}
 * @param preprocessing instead of {@code preprocessor_config.json}
 * @param imageSize the size of the images; positions are interpolated to it
 * @param pooling how tokens become a feature vector
 * @param prefix what the names of weights and linear layers begin with, {@code "vit."} for example,
 *     whatever the file has; an adapter's layers are found under the names it was trained with
 */
public record LoadOptions(
        Optional<VitConfig> config,
        Optional<VitPreprocessing> preprocessing,
        Optional<ImageSize> imageSize,
        Optional<Pooling> pooling,
        Optional<String> prefix) {

    /** As the files say. */
    public static final LoadOptions DEFAULT =
            new LoadOptions(
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty());

    /**
     * The size of an image.
     *
     * @param height pixels, at least 1
     * @param width pixels, at least 1
     */
    public record ImageSize(int height, int width) {

        /** Refuses sizes below 1. */
        public ImageSize {
            checkArgument(
                    height >= 1 && width >= 1,
                    "an image is at least 1 x 1, found %s x %s",
                    height,
                    width);
        }
    }

    /**
     * A configuration instead of {@code config.json}, which then need not exist.
     *
     * @param changed the shape of the checkpoint
     * @return new options
     */
    public LoadOptions withConfig(VitConfig changed) {
        return new LoadOptions(Optional.of(changed), preprocessing, imageSize, pooling, prefix);
    }

    /**
     * A preprocessing instead of {@code preprocessor_config.json}.
     *
     * @param changed what happens to an image before the first layer
     * @return new options
     */
    public LoadOptions withPreprocessing(VitPreprocessing changed) {
        return new LoadOptions(config, Optional.of(changed), imageSize, pooling, prefix);
    }

    /**
     * Images of another size than the checkpoint's. Positions are interpolated as the library of
     * the model's family does it: transformers with {@code interpolate_pos_encoding}, or timm with
     * {@code img_size}.
     *
     * @param height pixels, at least the patch size
     * @param width pixels, at least the patch size
     * @return new options
     */
    public LoadOptions withImageSize(int height, int width) {
        ImageSize size = new ImageSize(height, width);
        return new LoadOptions(config, preprocessing, Optional.of(size), pooling, prefix);
    }

    /**
     * Another pooling.
     *
     * @param changed how tokens become a feature vector
     * @return new options
     */
    public LoadOptions withPooling(Pooling changed) {
        return new LoadOptions(config, preprocessing, imageSize, Optional.of(changed), prefix);
    }

    /**
     * Names as in a model that has this one as a part. PEFT names the layers of an adapter on a
     * classifier {@code vit.encoder...}, where the file of the plain model has {@code encoder...}.
     *
     * @param changed empty, or ends with a dot
     * @return new options
     * @throws IllegalArgumentException if {@code changed} does neither
     */
    public LoadOptions withPrefix(String changed) {
        checkArgument(
                changed.isEmpty() || changed.endsWith("."),
                "a prefix is empty or ends with a dot, found '%s'",
                changed);
        return new LoadOptions(config, preprocessing, imageSize, pooling, Optional.of(changed));
    }
}
