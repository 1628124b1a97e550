package io.fairlora.vision.transform;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.Interpolation;
import java.util.Arrays;

/**
 * Resizes to exactly the size asked for, with the bits of Pillow's {@code Image.resize} up to
 * version 12.1 (Resample.c): weights in 22 bit fixed point, horizontally first, then vertically.
 */
public final class Resize {

    private static final int PRECISION = 22;

    private Resize() {}

    /**
     * Resizes an image; antialiases when it shrinks.
     *
     * @param image the image
     * @param height rows of the result, at least 1
     * @param width columns of the result, at least 1
     * @param interpolation the filter
     * @return the image itself if it has that size already
     * @throws IllegalArgumentException if a size is below 1
     */
    public static RgbImage resize(
            RgbImage image, int height, int width, Interpolation interpolation) {
        checkArgument(height >= 1, "height must be at least 1, found %s", height);
        checkArgument(width >= 1, "width must be at least 1, found %s", width);
        RgbImage wide =
                width == image.width()
                        ? image
                        : columns(image, Weights.of(image.width(), width, interpolation));
        return height == image.height()
                ? wide
                : rows(wide, Weights.of(image.height(), height, interpolation));
    }

    private static RgbImage columns(RgbImage image, Weights weights) {
        int width = weights.starts.length;
        int height = image.height();
        byte[] from = image.pixels();
        byte[] to = new byte[3 * width * height];
        for (int x = 0; x < width; x++) {
            int[] weight = weights.values[x];
            for (int y = 0; y < height; y++) {
                int at = 3 * (y * image.width() + weights.starts[x]);
                int red = 1 << (PRECISION - 1);
                int green = red;
                int blue = red;
                for (int w : weight) {
                    red += (from[at] & 0xFF) * w;
                    green += (from[at + 1] & 0xFF) * w;
                    blue += (from[at + 2] & 0xFF) * w;
                    at += 3;
                }
                int out = 3 * (y * width + x);
                to[out] = clip(red);
                to[out + 1] = clip(green);
                to[out + 2] = clip(blue);
            }
        }
        return new RgbImage(width, height, to);
    }

    private static RgbImage rows(RgbImage image, Weights weights) {
        int height = weights.starts.length;
        int stride = 3 * image.width();
        byte[] from = image.pixels();
        byte[] to = new byte[stride * height];
        int[] sums = new int[stride];
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, 1 << (PRECISION - 1));
            int at = weights.starts[y] * stride;
            for (int w : weights.values[y]) {
                for (int i = 0; i < stride; i++) {
                    sums[i] += (from[at + i] & 0xFF) * w;
                }
                at += stride;
            }
            for (int i = 0; i < stride; i++) {
                to[y * stride + i] = clip(sums[i]);
            }
        }
        return new RgbImage(image.width(), height, to);
    }

    private static byte clip(int sum) {
        return (byte) Math.max(0, Math.min(255, sum >> PRECISION));
    }

    /**
     * For every output position the first input position and the fixed-point weights from there.
     */
    private static final class Weights {
        private final int[] starts;
        private final int[][] values;

        private Weights(int[] starts, int[][] values) {
            this.starts = starts;
            this.values = values;
        }

        static Weights of(int in, int out, Interpolation interpolation) {
            double scale = (double) in / out;
            double filterScale = Math.max(scale, 1);
            double support = (interpolation == Interpolation.BILINEAR ? 1 : 2) * filterScale;
            // Pillow multiplies by the inverse; dividing gives other bits.
            double inverse = 1 / filterScale;
            int[] starts = new int[out];
            int[][] values = new int[out][];
            for (int i = 0; i < out; i++) {
                double centre = (i + 0.5) * scale;
                int from = Math.max(0, (int) (centre - support + 0.5));
                int to = Math.min(in, (int) (centre + support + 0.5));
                double[] exact = new double[to - from];
                double sum = 0;
                for (int j = 0; j < exact.length; j++) {
                    exact[j] = filter(interpolation, (j + from - centre + 0.5) * inverse);
                    sum += exact[j];
                }
                int[] fixed = new int[exact.length];
                for (int j = 0; j < fixed.length; j++) {
                    double weight = sum == 0 ? exact[j] : exact[j] / sum;
                    fixed[j] = (int) ((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION));
                }
                starts[i] = from;
                values[i] = fixed;
            }
            return new Weights(starts, values);
        }

        private static double filter(Interpolation interpolation, double x) {
            double distance = Math.abs(x);
            if (interpolation == Interpolation.BILINEAR) {
                return distance < 1 ? 1 - distance : 0;
            }
            double a = -0.5;
            if (distance < 1) {
                return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
            }
            if (distance < 2) {
                return (((distance - 5) * distance + 8) * distance - 4) * a;
            }
            return 0;
        }
    }
}
