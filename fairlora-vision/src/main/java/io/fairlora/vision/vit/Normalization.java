package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.List;

/**
 * What is done to a pixel p in 0..255 of channel c: {@code (p / 255 - mean_c) / std_c}.
 *
 * @param mean one number a channel
 * @param std one positive number a channel
 */
public record Normalization(List<Double> mean, List<Double> std) {

    /** Mean and standard deviation 0.5, the default of ViT's image processor. */
    public static final Normalization HALF =
            new Normalization(List.of(0.5, 0.5, 0.5), List.of(0.5, 0.5, 0.5));

    /** What CLIP was trained with, the default of the processors of CLIP and DINOv2. */
    public static final Normalization CLIP =
            new Normalization(
                    List.of(0.48145466, 0.4578275, 0.40821073),
                    List.of(0.26862954, 0.26130258, 0.27577711));

    /** Mean and standard deviation of ImageNet, timm's default. */
    public static final Normalization IMAGENET =
            new Normalization(List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225));

    /** Checks the number of channels and that no deviation is 0. */
    public Normalization {
        mean = List.copyOf(mean);
        std = List.copyOf(std);
        checkArgument(mean.size() == 3, "image_mean must have 3 numbers, found %s", mean);
        checkArgument(
                std.size() == 3 && std.stream().allMatch(s -> s > 0),
                "image_std must have 3 positive numbers, found %s",
                std);
    }

    /** 1 / (255 std), of shape (3, 1, 1). */
    NDArray scale(NDManager manager) {
        double[] scale = new double[3];
        for (int c = 0; c < 3; c++) {
            scale[c] = 1 / (255 * std.get(c));
        }
        return manager.create(scale, new Shape(3, 1, 1));
    }

    /** -mean / std, of shape (3, 1, 1). */
    NDArray shift(NDManager manager) {
        double[] shift = new double[3];
        for (int c = 0; c < 3; c++) {
            shift[c] = -mean.get(c) / std.get(c);
        }
        return manager.create(shift, new Shape(3, 1, 1));
    }
}
