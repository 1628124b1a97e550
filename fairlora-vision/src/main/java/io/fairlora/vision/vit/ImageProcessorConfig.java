package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.Interpolation;
import io.fairlora.vision.vit.LoadOptions.ImageSize;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code preprocessor_config.json} as Hugging Face's image processors spell it, with the defaults
 * of the processor that it names.
 *
 * @param preprocessing what becomes of an image
 * @param size what comes out
 */
record ImageProcessorConfig(VitPreprocessing preprocessing, ImageSize size) {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double RESCALE_FACTOR = 1 / 255.0;

    /** Not Hugging Face's, whose cut always begins at the lower pixel. */
    private static final String ROUNDING = "fairlora_crop_rounding";

    /** What differs between the processors if a file does not say it. */
    private enum Kind {
        /** {@code ViTImageProcessor}. */
        VIT(false, true, 224),
        /** {@code SiglipImageProcessor}. */
        SIGLIP(false, true, 224),
        /** {@code DeiTImageProcessor}. */
        DEIT(true, true, 256),
        /** {@code BitImageProcessor}, {@code CLIPImageProcessor}. */
        BIT(true, false, 224);

        final boolean crops;
        final boolean square;
        final int size;

        Kind(boolean crops, boolean square, int size) {
            this.crops = crops;
            this.square = square;
            this.size = size;
        }

        static Kind of(JsonNode json) {
            String name =
                    json.path("image_processor_type")
                            .asText(json.path("feature_extractor_type").asText(""));
            if (name.startsWith("DeiT")) {
                return DEIT;
            }
            if (name.startsWith("Siglip")) {
                return SIGLIP;
            }
            return name.startsWith("Bit") || name.startsWith("CLIP") ? BIT : VIT;
        }
    }

    static ImageProcessorConfig parse(JsonNode json) {
        Kind kind = Kind.of(json);
        checkArgument(
                !json.hasNonNull("crop_pct"),
                "crop_pct is not supported, expected size and crop_size");
        Interpolation interpolation =
                interpolation(json.path("resample").asInt(kind == Kind.VIT ? 2 : 3));
        JsonNode size = json.path("size");
        checkArgument(
                !size.has("longest_edge"), "a size with longest_edge is not supported: %s", size);
        boolean edge = size.has("shortest_edge") || (!kind.square && !size.isObject());
        Normalization normalization = normalization(json, kind);
        if (!json.path("do_center_crop").asBoolean(kind.crops)) {
            checkArgument(
                    !edge,
                    "size %s gives images of any proportions, expected height and width or a"
                            + " centre crop",
                    size);
            return new ImageProcessorConfig(
                    new VitPreprocessing(interpolation, normalization), size(size, kind.size));
        }
        CentreCrop crop;
        Rounding rounding =
                json.path(ROUNDING).asText("").equals("half_even")
                        ? Rounding.HALF_EVEN
                        : Rounding.DOWN;
        if (!json.path("do_resize").asBoolean(true)) {
            crop = CentreCrop.ofOriginal(rounding);
        } else if (edge) {
            JsonNode length = size.isObject() ? size.path("shortest_edge") : size;
            crop = CentreCrop.ofShortestEdge(length.asInt(kind.size), rounding);
        } else {
            ImageSize resized = size(size, kind.size);
            crop = CentreCrop.ofSize(resized.height(), resized.width(), rounding);
        }
        return new ImageProcessorConfig(
                new VitPreprocessing(interpolation, normalization, crop),
                size(json.path("crop_size"), 224));
    }

    private static Interpolation interpolation(int resample) {
        return switch (resample) {
            case 2 -> Interpolation.BILINEAR;
            case 3 -> Interpolation.BICUBIC;
            default ->
                    throw new IllegalArgumentException(
                            "resample must be 2 (bilinear) or 3 (bicubic), found " + resample);
        };
    }

    private static ImageSize size(JsonNode size, int absent) {
        if (size.isObject()) {
            checkArgument(
                    size.path("height").isInt() && size.path("width").isInt(),
                    "expected height and width, found %s",
                    size);
            return new ImageSize(size.path("height").asInt(), size.path("width").asInt());
        }
        int side = size.asInt(absent);
        return new ImageSize(side, side);
    }

    /** What a processor does to a pixel p is {@code (p * factor - mean) / std}. */
    private static Normalization normalization(JsonNode json, Kind kind) {
        Normalization plain = new Normalization(List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0));
        if (json.path("do_normalize").asBoolean(true)) {
            Normalization absent = kind == Kind.BIT ? Normalization.CLIP : Normalization.HALF;
            plain =
                    new Normalization(
                            numbers(json.path("image_mean"), absent.mean()),
                            numbers(json.path("image_std"), absent.std()));
        }
        double factor =
                json.path("do_rescale").asBoolean(true)
                        ? json.path("rescale_factor").asDouble(RESCALE_FACTOR)
                        : 1;
        checkArgument(factor > 0, "rescale_factor must be above 0, found %s", factor);
        double scale = factor / RESCALE_FACTOR;
        if (Math.abs(scale - 1) < 1e-6) {
            return plain;
        }
        return new Normalization(
                plain.mean().stream().map(m -> m / scale).toList(),
                plain.std().stream().map(s -> s / scale).toList());
    }

    static List<Double> numbers(JsonNode array, List<Double> absent) {
        if (!array.isArray()) {
            return absent;
        }
        List<Double> found = new ArrayList<>();
        array.forEach(value -> found.add(value.asDouble()));
        return found;
    }

    static ObjectNode write(VitPreprocessing preprocessing, VitConfig config) {
        CentreCrop crop = preprocessing.crop();
        ObjectNode json = JSON.createObjectNode();
        String name = "ViT";
        if (crop != null) {
            name = crop.resize() == CentreCrop.Resize.EXACT ? "DeiT" : "Bit";
        }
        json.put("image_processor_type", name + "ImageProcessor");
        json.put("do_resize", crop == null || crop.resize() != CentreCrop.Resize.NONE);
        json.put("do_rescale", true);
        json.put("do_normalize", true);
        json.put("resample", preprocessing.interpolation() == Interpolation.BILINEAR ? 2 : 3);
        json.put("rescale_factor", RESCALE_FACTOR);
        preprocessing.normalization().mean().forEach(json.withArray("image_mean")::add);
        preprocessing.normalization().std().forEach(json.withArray("image_std")::add);
        if (crop == null) {
            putSize(json, "size", config.imageHeight(), config.imageWidth());
            return json;
        }
        json.put("do_center_crop", true);
        putSize(json, "crop_size", config.imageHeight(), config.imageWidth());
        if (crop.rounding() == Rounding.HALF_EVEN) {
            json.put(ROUNDING, "half_even");
        }
        switch (crop.resize()) {
            case EXACT -> putSize(json, "size", crop.height(), crop.width());
            case SHORTEST_EDGE -> json.putObject("size").put("shortest_edge", crop.height());
            case NONE -> json.putObject("size").put("shortest_edge", config.imageHeight());
        }
        return json;
    }

    private static void putSize(ObjectNode json, String field, int height, int width) {
        json.putObject(field).put("height", height).put("width", width);
    }
}
