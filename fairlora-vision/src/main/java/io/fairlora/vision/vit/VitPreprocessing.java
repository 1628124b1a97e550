package io.fairlora.vision.vit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.Interpolation;
import java.util.ArrayList;
import java.util.List;

/**
 * How an image becomes the numbers that the first layer sees: resized to exactly the model's size,
 * then normalised; Hugging Face's {@code ViTImageProcessor}.
 *
 * @param interpolation how it is resized
 * @param normalization how its pixels are scaled
 */
public record VitPreprocessing(Interpolation interpolation, Normalization normalization) {

    /** Bilinear, mean and standard deviation 0.5. */
    public static final VitPreprocessing DEFAULT =
            new VitPreprocessing(Interpolation.BILINEAR, Normalization.HALF);

    /**
     * Reads the content of {@code preprocessor_config.json}.
     *
     * @param json the JSON object
     * @return the preprocessing
     * @throws IllegalArgumentException if it asks for a resampling that is neither bilinear nor
     *     bicubic
     */
    public static VitPreprocessing parse(JsonNode json) {
        int resample = json.path("resample").asInt(2);
        Interpolation interpolation =
                switch (resample) {
                    case 2 -> Interpolation.BILINEAR;
                    case 3 -> Interpolation.BICUBIC;
                    default ->
                            throw new IllegalArgumentException(
                                    "resample must be 2 (bilinear) or 3 (bicubic), found "
                                            + resample);
                };
        if (!json.path("do_normalize").asBoolean(true)) {
            return new VitPreprocessing(
                    interpolation,
                    new Normalization(List.of(0.0, 0.0, 0.0), List.of(1.0, 1.0, 1.0)));
        }
        return new VitPreprocessing(
                interpolation,
                new Normalization(
                        numbers(json.path("image_mean"), Normalization.HALF.mean()),
                        numbers(json.path("image_std"), Normalization.HALF.std())));
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
        json.put("image_processor_type", "ViTImageProcessor");
        json.put("do_resize", true);
        json.put("do_rescale", true);
        json.put("do_normalize", true);
        json.put("resample", interpolation == Interpolation.BILINEAR ? 2 : 3);
        json.put("rescale_factor", 1 / 255.0);
        normalization.mean().forEach(json.withArray("image_mean")::add);
        normalization.std().forEach(json.withArray("image_std")::add);
        json.putObject("size")
                .put("height", config.imageHeight())
                .put("width", config.imageWidth());
        return json;
    }
}
