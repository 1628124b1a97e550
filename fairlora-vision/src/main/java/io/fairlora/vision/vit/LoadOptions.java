package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.ndarray.HostTensor;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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
 *     whatever the file has
 * @param classifierSize how many features the classifier reads that the model is loaded for
 */
public record LoadOptions(
        Optional<VitConfig> config,
        Optional<VitPreprocessing> preprocessing,
        Optional<ImageSize> imageSize,
        Optional<Pooling> pooling,
        Optional<String> prefix,
        OptionalInt classifierSize) {

    /** The path of something in a layer; what stands before the layers is the prefix. */
    private static final Pattern LAYER =
            Pattern.compile("(.*?)(?:encoder\\.layers?|layers|blocks)\\.\\d+\\.");

    /** As the files say. */
    public static final LoadOptions DEFAULT =
            new LoadOptions(
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    Optional.empty(),
                    OptionalInt.empty());

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
        return new LoadOptions(
                Optional.of(changed), preprocessing, imageSize, pooling, prefix, classifierSize);
    }

    /**
     * A preprocessing instead of {@code preprocessor_config.json}.
     *
     * @param changed what happens to an image before the first layer
     * @return new options
     */
    public LoadOptions withPreprocessing(VitPreprocessing changed) {
        return new LoadOptions(
                config, Optional.of(changed), imageSize, pooling, prefix, classifierSize);
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
        return new LoadOptions(
                config, preprocessing, Optional.of(size), pooling, prefix, classifierSize);
    }

    /**
     * Another pooling.
     *
     * @param changed how tokens become a feature vector
     * @return new options
     */
    public LoadOptions withPooling(Pooling changed) {
        return new LoadOptions(
                config, preprocessing, imageSize, Optional.of(changed), prefix, classifierSize);
    }

    /**
     * Names as in a model that has this one as a part.
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
        return new LoadOptions(
                config, preprocessing, imageSize, pooling, Optional.of(changed), classifierSize);
    }

    /**
     * What an adapter asks of its model. PEFT names the layers of an adapter on a classifier {@code
     * vit.encoder...}, where the file of the plain model that it was trained from has {@code
     * encoder...}; and a classifier beside the adapter may read the class token and the mean of a
     * DINOv2 of which the file names the class token only.
     *
     * @param adapter the adapter that the model is going to carry
     * @return new options
     */
    public LoadOptions withAdapter(LoraAdapter adapter) {
        Optional<String> found =
                adapter.layers().keySet().stream()
                        .map(LAYER::matcher)
                        .filter(Matcher::lookingAt)
                        .map(matcher -> matcher.group(1))
                        .findFirst();
        HostTensor classifier = adapter.savedModules().get("classifier.weight");
        return new LoadOptions(
                config,
                preprocessing,
                imageSize,
                pooling,
                found.or(() -> prefix),
                classifier == null || classifier.shape().dimension() != 2
                        ? classifierSize
                        : OptionalInt.of((int) classifier.shape().get(1)));
    }
}
