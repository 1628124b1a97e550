package io.fairlora.vision.transform;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.Interpolation;
import java.util.Arrays;
import java.util.Objects;

/**
 * Resizes to exactly the size asked for, with the bits of Pillow's {@code Image.resize} up to
 * version 12.1 (Resample.c): weights in 22 bit fixed point, horizontally first, then vertically.
 */
public final class Resize {

    private static final int PRECISION = 22;
    private static final int HALF = 1 << (PRECISION - 1);

    /** Rows that are turned at once: enough for long sums, few enough to stay in a cache. */
    private static final int MIN_BLOCK = 8;

    private static final int MAX_BLOCK = 32;
    private static final int BLOCK_PIXELS = 1 << 15;

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
        if (width == image.width() && height == image.height()) {
            return image;
        }
        byte[] pixels = new byte[3 * width * height];
        resize(image, height, width, interpolation, (y, row) -> narrow(row, pixels, y));
        return new RgbImage(width, height, pixels);
    }

    /**
     * Resizes an image as {@link #resize} does and writes it plane by plane, as {@link
     * RgbImage#copyPlanes} does.
     */
    static void resizeToPlanes(
            RgbImage image,
            int height,
            int width,
            Interpolation interpolation,
            byte[] target,
            int offset) {
        if (width == image.width() && height == image.height()) {
            image.copyPlanes(target, offset);
            return;
        }
        int plane = width * height;
        Objects.checkFromIndexSize(offset, 3 * plane, target.length);
        resize(
                image,
                height,
                width,
                interpolation,
                (y, row) -> spread(row, target, offset + y * width, plane));
    }

    /** Takes the rows of a result, from the first to the last. */
    private interface Rows {
        void accept(int y, int[] row);
    }

    private static void narrow(int[] row, byte[] pixels, int y) {
        int at = y * row.length;
        for (int i = 0; i < row.length; i++) {
            pixels[at + i] = (byte) row[i];
        }
    }

    private static void spread(int[] row, byte[] target, int offset, int plane) {
        int at = 0;
        for (int x = 0; x < row.length / 3; x++) {
            target[offset + x] = (byte) row[at];
            target[offset + plane + x] = (byte) row[at + 1];
            target[offset + 2 * plane + x] = (byte) row[at + 2];
            at += 3;
        }
    }

    /**
     * Both passes, as sums along arrays of integers, which the compiler turns into vector
     * instructions; that is why the first one works on turned blocks of rows. It does so only where
     * all arrays are indexed alike, hence the arrays of arrays.
     */
    private static void resize(
            RgbImage image, int height, int width, Interpolation interpolation, Rows rows) {
        int[][] wide = columns(image, width, interpolation);
        if (height == image.height()) {
            for (int y = 0; y < height; y++) {
                rows.accept(y, wide[y]);
            }
            return;
        }
        Weights weights = Weights.of(image.height(), height, interpolation);
        int[] row = new int[3 * width];
        for (int y = 0; y < height; y++) {
            weights.sum(wide, y, row);
            rows.accept(y, row);
        }
    }

    /** The first pass: a row of the result holds red, green and blue of each new column. */
    private static int[][] columns(RgbImage image, int width, Interpolation interpolation) {
        int height = image.height();
        int[][] to = new int[height][3 * width];
        if (width == image.width()) {
            for (int y = 0; y < height; y++) {
                widen(image.pixels(), 3 * y * width, to[y]);
            }
            return to;
        }
        Weights weights = Weights.of(image.width(), width, interpolation);
        int most = Math.max(MIN_BLOCK, Math.min(MAX_BLOCK, BLOCK_PIXELS / image.width()));
        int rows = Math.min(most, height);
        int[][] turned = new int[image.width()][3 * rows];
        int[] column = new int[3 * rows];
        for (int y = 0; y < height; y += rows) {
            // The last block may overlap the one before it.
            int first = Math.min(y, height - rows);
            turn(image, first, rows, turned);
            for (int x = 0; x < width; x++) {
                weights.sum(turned, x, column);
                turnBack(column, rows, to, first, 3 * x);
            }
        }
        return to;
    }

    private static void widen(byte[] from, int at, int[] row) {
        for (int i = 0; i < row.length; i++) {
            row[i] = from[at + i] & 0xFF;
        }
    }

    /** A line for every column of some rows: their reds, their greens, their blues. */
    private static void turn(RgbImage image, int y, int rows, int[][] turned) {
        byte[] from = image.pixels();
        int stride = 3 * image.width();
        int pixel = y * stride;
        for (int[] line : turned) {
            int at = pixel;
            for (int row = 0; row < rows; row++) {
                line[row] = from[at] & 0xFF;
                line[rows + row] = from[at + 1] & 0xFF;
                line[2 * rows + row] = from[at + 2] & 0xFF;
                at += stride;
            }
            pixel += 3;
        }
    }

    private static void turnBack(int[] column, int rows, int[][] to, int y, int x) {
        for (int row = 0; row < rows; row++) {
            int[] line = to[y + row];
            line[x] = column[row];
            line[x + 1] = column[rows + row];
            line[x + 2] = column[2 * rows + row];
        }
    }

    /**
     * For every output position the first input position and the fixed-point weights from there, as
     * many for each: some are zero at the edges.
     */
    private static final class Weights {
        private final int[] starts;
        private final int taps;
        private final int[] values;
        private final boolean convex;

        private Weights(int[] starts, int taps, int[] values, boolean convex) {
            this.starts = starts;
            this.taps = taps;
            this.values = values;
            this.convex = convex;
        }

        static Weights of(int in, int out, Interpolation interpolation) {
            double scale = (double) in / out;
            double filterScale = Math.max(scale, 1);
            double support = (interpolation == Interpolation.BILINEAR ? 1 : 2) * filterScale;
            // Pillow multiplies by the inverse; dividing gives other bits.
            double inverse = 1 / filterScale;
            int[] starts = new int[out];
            int[][] fixed = new int[out][];
            int taps = 1;
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
                fixed[i] = new int[exact.length];
                for (int j = 0; j < exact.length; j++) {
                    double weight = sum == 0 ? exact[j] : exact[j] / sum;
                    fixed[i][j] = (int) ((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION));
                }
                starts[i] = from;
                taps = Math.max(taps, exact.length);
            }
            int[] values = new int[out * taps];
            for (int i = 0; i < out; i++) {
                // A window of full length that stays inside the image.
                int moved = Math.max(0, starts[i] + taps - in);
                starts[i] -= moved;
                System.arraycopy(fixed[i], 0, values, i * taps + moved, fixed[i].length);
            }
            // No weight of the triangle is negative, so no sum leaves 0..255.
            return new Weights(starts, taps, values, interpolation == Interpolation.BILINEAR);
        }

        /** The weighted sum of the lines that go into an output position. */
        void sum(int[][] lines, int position, int[] result) {
            int line = starts[position];
            int first = position * taps;
            if (taps == 2 && convex) {
                sumOfTwo(lines[line], lines[line + 1], values[first], values[first + 1], result);
                return;
            }
            Arrays.fill(result, HALF);
            for (int j = 0; j < taps; j++) {
                if (values[first + j] != 0) {
                    add(lines[line + j], values[first + j], result);
                }
            }
            clip(result);
        }

        private static void sumOfTwo(int[] a, int[] b, int v, int w, int[] result) {
            for (int i = 0; i < result.length; i++) {
                result[i] = (HALF + a[i] * v + b[i] * w) >> PRECISION;
            }
        }

        private static void add(int[] line, int weight, int[] result) {
            for (int i = 0; i < result.length; i++) {
                result[i] += line[i] * weight;
            }
        }

        /** To 0..255, by signs: the compiler makes no vectors of the smaller of two numbers. */
        private static void clip(int[] sums) {
            for (int i = 0; i < sums.length; i++) {
                int value = sums[i] >> PRECISION;
                int positive = value & ~(value >> 31);
                int above = positive - 255;
                sums[i] = 255 + (above & (above >> 31));
            }
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
