package io.fairlora.vision.vit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How an image becomes the numbers that the first layer sees: resized to exactly the model's size
 * or resized and cut to its middle, then normalised. Reads what Hugging Face's image processors for
 * ViT, DeiT, BiT (DINOv2's), CLIP and SigLIP write, and timm's {@code pretrained_cfg}.
 *
 * @param interpolation how it is resized
 * @param normalization how its pixels are scaled
 * @param crop the middle that is cut out, or {@code null} if the whole image is resized
 */
public record VitPreprocessing(
        Interpolation interpolation, Normalization normalization, @Nullable Crop crop) {

    /** Bilinear, the whole image, mean and standard deviation 0.5. */
    public static final VitPreprocessing DEFAULT =
            new VitPreprocessing(Interpolation.BILINEAR, Normalization.HALF);

    /** Hugging Face's {@code OPENAI_CLIP_MEAN} and {@code OPENAI_CLIP_STD}. */
    private static final Normalization CLIP =
            new Normalization(
                    List.of(0.48145466, 0.4578275, 0.40821073),
                    List.of(0.26862954, 0.26130258, 0.27577711));

    private static final String ROUNDING = "fairlora_crop_rounding";

    /**
     * A cut of one size after a resize.
     *
     * @param centre how an image is resized before
     * @param height rows of the cut, at least 1
     * @param width columns of the cut, at least 1
     */
    public record Crop(CentreCrop centre, int height, int width) {

        /** Refuses sizes below 1. */
        public Crop {
            if (height < 1 || width < 1) {
                throw new IllegalArgumentException(
                        "crop_size must be at least 1 x 1, found " + height + " x " + width);
            }
        }

        /** The same part of an image for a model of another size. */
        CentreCrop scaledTo(int modelHeight, int modelWidth) {
            if (centre.resize() == CentreCrop.Resize.NONE) {
                return centre;
            }
            if (centre.resize() == CentreCrop.Resize.SHORTEST_EDGE) {
                double scale = Math.max((double) modelHeight / height, (double) modelWidth / width);
                return CentreCrop.ofShortestEdge(
                        Math.max(1, (int) Math.round(centre.height() * scale)), centre.rounding());
            }
            return CentreCrop.ofSize(
                    Math.max(1, (int) Math.round((double) centre.height() * modelHeight / height)),
                    Math.max(1, (int) Math.round((double) centre.width() * modelWidth / width)),
                    centre.rounding());
        }
    }

    /**
     * A preprocessing that resizes the whole image.
     *
     * @param interpolation how it is resized
     * @param normalization how its pixels are scaled
     */
    public VitPreprocessing(Interpolation interpolation, Normalization normalization) {
        this(interpolation, normalization, null);
    }

    /**
     * What a model of a size asks for. Where the file cuts to another size than the model's, the
     * same part of the image is cut out at the model's size.
     *
     * @param height the model's rows, at least 1
     * @param width the model's columns, at least 1
     * @return the size, the interpolation and what precedes the cut
     */
    public InputSpec input(int height, int width) {
        return new InputSpec(
                height, width, interpolation, crop == null ? null : crop.scaledTo(height, width));
    }

    /**
     * Reads the content of {@code preprocessor_config.json}. What it lacks has the default of its
     * kind of processor; a kind that is not known is taken as ViT's.
     *
     * @param json the JSON object
     * @return the preprocessing
     * @throws IllegalArgumentException if it asks for something that would change the pixels and is
     *     not supported: a resampling that is neither bilinear nor bicubic, a size by the longest
     *     edge, ConvNeXT's {@code crop_pct}
     */
    public static VitPreprocessing parse(JsonNode json) {
        String type =
                json.path("image_processor_type")
                        .asText(json.path("feature_extractor_type").asText(""));
        boolean crops =
                type.startsWith("DeiT") || type.startsWith("Bit") || type.startsWith("CLIP");
        if (json.hasNonNull("crop_pct")) {
            throw new IllegalArgumentException(
                    "crop_pct of "
                            + (type.isEmpty() ? "an image processor" : type)
                            + " is not supported, expected size and crop_size");
        }
        Interpolation interpolation =
                interpolation(json, crops || type.startsWith("Siglip") ? 3 : 2);
        return new VitPreprocessing(
                interpolation,
                normalization(json, type),
                json.path("do_center_crop").asBoolean(crops) ? crop(json, type) : null);
    }

    /**
     * Reads timm's {@code pretrained_cfg}, for its evaluation transform.
     *
     * @param json the JSON object
     * @return the preprocessing
     * @throws IllegalArgumentException if the interpolation is neither bilinear nor bicubic, the
     *     input is not square or has not three channels, or the crop mode is neither {@code center}
     *     nor {@code squash}
     */
    public static VitPreprocessing parseTimm(JsonNode json) {
        String resample = json.path("interpolation").asText("bilinear");
        Interpolation interpolation =
                switch (resample) {
                    case "bilinear" -> Interpolation.BILINEAR;
                    case "bicubic" -> Interpolation.BICUBIC;
                    default ->
                            throw new IllegalArgumentException(
                                    "interpolation must be bilinear or bicubic, found " + resample);
                };
        JsonNode input = json.path("input_size");
        int size = input.path(2).asInt(224);
        if (!input.isMissingNode()
                && (input.path(0).asInt() != 3 || input.path(1).asInt() != size || size < 1)) {
            throw new IllegalArgumentException(
                    "input_size must be [3, n, n], found " + input.toString());
        }
        double fraction = json.path("crop_pct").asDouble(0.875);
        if (!(fraction > 0)) {
            throw new IllegalArgumentException("crop_pct must be above 0, found " + fraction);
        }
        int edge = (int) Math.floor(size / fraction);
        String mode = json.path("crop_mode").asText("center");
        CentreCrop centre =
                switch (mode) {
                    case "center" -> CentreCrop.ofShortestEdge(edge, Rounding.HALF_EVEN);
                    case "squash" -> CentreCrop.ofSize(edge, edge, Rounding.HALF_EVEN);
                    default ->
                            throw new IllegalArgumentException(
                                    "crop_mode must be center or squash, found " + mode);
                };
        return new VitPreprocessing(
                interpolation,
                new Normalization(
                        numbers(json.path("mean"), List.of(0.485, 0.456, 0.406)),
                        numbers(json.path("std"), List.of(0.229, 0.224, 0.225))),
                new Crop(centre, size, size));
    }

    private static Interpolation interpolation(JsonNode json, int absent) {
        int resample = json.path("resample").asInt(absent);
        return switch (resample) {
            case 2 -> Interpolation.BILINEAR;
            case 3 -> Interpolation.BICUBIC;
            default ->
                    throw new IllegalArgumentException(
                            "resample must be 2 (bilinear) or 3 (bicubic), found " + resample);
        };
    }

    /** What a processor does to a pixel p is {@code (p * factor - mean) / std}. */
    private static Normalization normalization(JsonNode json, String type) {
        boolean normalizes = json.path("do_normalize").asBoolean(true);
        List<Double> mean = List.of(0.0, 0.0, 0.0);
        List<Double> std = List.of(1.0, 1.0, 1.0);
        if (normalizes) {
            Normalization absent =
                    type.startsWith("Bit") || type.startsWith("CLIP") ? CLIP : Normalization.HALF;
            mean = numbers(json.path("image_mean"), absent.mean());
            std = numbers(json.path("image_std"), absent.std());
        }
        double factor =
                json.path("do_rescale").asBoolean(true)
                        ? json.path("rescale_factor").asDouble(1 / 255.0)
                        : 1;
        double scale = 255 * factor;
        if (Math.abs(scale - 1) < 1e-6) {
            return new Normalization(mean, std);
        }
        if (!(scale > 0)) {
            throw new IllegalArgumentException("rescale_factor must be above 0, found " + factor);
        }
        return new Normalization(
                mean.stream().map(m -> m / scale).toList(),
                std.stream().map(s -> s / scale).toList());
    }

    private static Crop crop(JsonNode json, String type) {
        int cropDefault = 224;
        JsonNode size = json.path("size");
        JsonNode cropSize = json.path("crop_size");
        int height = edge(cropSize, "height", cropDefault);
        int width = edge(cropSize, "width", cropDefault);
        Rounding rounding =
                json.path(ROUNDING).asText("").equals("half_even")
                        ? Rounding.HALF_EVEN
                        : Rounding.DOWN;
        CentreCrop centre;
        if (!json.path("do_resize").asBoolean(true)) {
            centre = CentreCrop.ofOriginal(rounding);
        } else if (size.has("height") && size.has("width")) {
            centre =
                    CentreCrop.ofSize(
                            size.path("height").asInt(), size.path("width").asInt(), rounding);
        } else if (size.has("shortest_edge") && !size.has("longest_edge")) {
            centre = CentreCrop.ofShortestEdge(size.path("shortest_edge").asInt(), rounding);
        } else if (size.isNumber() || size.isMissingNode()) {
            // DeiT's processor makes a number a square, the others a shortest edge.
            centre =
                    type.startsWith("DeiT")
                            ? CentreCrop.ofSize(size.asInt(256), size.asInt(256), rounding)
                            : CentreCrop.ofShortestEdge(size.asInt(224), rounding);
        } else {
            throw new IllegalArgumentException(
                    "size must have height and width or a shortest_edge, found " + size);
        }
        return new Crop(centre, height, width);
    }

    private static int edge(JsonNode size, String key, int absent) {
        return size.isNumber() ? size.asInt() : size.path(key).asInt(absent);
    }

    private static List<Double> numbers(JsonNode array, List<Double> absent) {
        if (!array.isArray()) {
            return absent;
        }
        List<Double> found = new ArrayList<>();
        array.forEach(value -> found.add(value.asDouble()));
        return found;
    }

    ObjectNode toJson(VitConfig config) {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.put("image_processor_type", type());
        json.put("do_resize", crop == null || crop.centre.resize() != CentreCrop.Resize.NONE);
        json.put("do_rescale", true);
        json.put("do_normalize", true);
        json.put("resample", interpolation == Interpolation.BILINEAR ? 2 : 3);
        json.put("rescale_factor", 1 / 255.0);
        normalization.mean().forEach(json.withArray("image_mean")::add);
        normalization.std().forEach(json.withArray("image_std")::add);
        ObjectNode size = json.putObject("size");
        if (crop == null) {
            size.put("height", config.imageHeight()).put("width", config.imageWidth());
            return json;
        }
        if (crop.centre.resize() == CentreCrop.Resize.SHORTEST_EDGE) {
            size.put("shortest_edge", crop.centre.height());
        } else {
            size.put("height", crop.centre.height()).put("width", crop.centre.width());
        }
        json.put("do_center_crop", true);
        json.putObject("crop_size").put("height", crop.height).put("width", crop.width);
        if (crop.centre.rounding() == Rounding.HALF_EVEN) {
            // Not known to Hugging Face, whose cut may lie one pixel beside.
            json.put(ROUNDING, "half_even");
        }
        return json;
    }

    /** A processor of Hugging Face that does the same. */
    private String type() {
        if (crop == null) {
            return "ViTImageProcessor";
        }
        return crop.centre.resize() == CentreCrop.Resize.EXACT
                ? "DeiTImageProcessor"
                : "BitImageProcessor";
    }
}
