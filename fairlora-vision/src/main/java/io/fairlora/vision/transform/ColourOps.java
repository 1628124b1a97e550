package io.fairlora.vision.transform;

import java.util.function.IntUnaryOperator;

/**
 * Changes of colour with the bits of Pillow's {@code ImageEnhance} and {@code ImageOps} (Blend.c,
 * Convert.c) and of torchvision's {@code adjust_hue} on Pillow images.
 */
final class ColourOps {

    private static final float OUTER = 1f / 13;
    private static final float MIDDLE = 5f / 13;

    private ColourOps() {}

    /** Blends with black; the factor 1 changes nothing. */
    static RgbImage brightness(RgbImage image, float factor) {
        return map(image, value -> blend(0, value, factor));
    }

    /** Blends with the mean luminance, rounded. */
    static RgbImage contrast(RgbImage image, float factor) {
        byte[] from = image.pixels();
        long sum = 0;
        for (int i = 0; i < from.length; i += 3) {
            sum += luminance(from, i);
        }
        int pixels = image.width() * image.height();
        int mean = (int) ((double) sum / pixels + 0.5);
        return map(image, value -> blend(mean, value, factor));
    }

    /** Blends with the image's own luminance. */
    static RgbImage saturation(RgbImage image, float factor) {
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        for (int i = 0; i < from.length; i += 3) {
            int grey = luminance(from, i);
            for (int c = i; c < i + 3; c++) {
                to[c] = (byte) blend(grey, from[c] & 0xFF, factor);
            }
        }
        return new RgbImage(image.width(), image.height(), to);
    }

    /** Turns the hue by a part of the circle, in [-0.5, 0.5]. */
    static RgbImage hue(RgbImage image, double turn) {
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        int steps = (int) (turn * 255);
        for (int i = 0; i < from.length; i += 3) {
            turnHue(from, to, i, steps);
        }
        return new RgbImage(image.width(), image.height(), to);
    }

    /** Inverts all values from the threshold on. */
    static RgbImage solarize(RgbImage image, double threshold) {
        return map(image, value -> value < threshold ? value : 255 - value);
    }

    /** Keeps the upper bits of every value, 0 to 8 of them. */
    static RgbImage posterize(RgbImage image, int bits) {
        return map(image, value -> value & -(1 << (8 - bits)));
    }

    /** Stretches each channel so that its least value is 0 and its greatest 255. */
    static RgbImage autoContrast(RgbImage image) {
        return mapChannels(
                image,
                histogram -> {
                    int low = 0;
                    while (histogram[low] == 0) {
                        low++;
                    }
                    int high = 255;
                    while (histogram[high] == 0) {
                        high--;
                    }
                    int[] table = new int[256];
                    double scale = high <= low ? 1 : 255.0 / (high - low);
                    double offset = high <= low ? 0 : -low * scale;
                    for (int i = 0; i < 256; i++) {
                        table[i] = clip((int) (i * scale + offset));
                    }
                    return table;
                });
    }

    /** Makes the values of each channel about equally frequent. */
    static RgbImage equalize(RgbImage image) {
        return mapChannels(
                image,
                histogram -> {
                    int total = 0;
                    int last = 0;
                    int kinds = 0;
                    for (int count : histogram) {
                        if (count > 0) {
                            total += count;
                            last = count;
                            kinds++;
                        }
                    }
                    int step = kinds <= 1 ? 0 : (total - last) / 255;
                    int[] table = new int[256];
                    int n = step / 2;
                    for (int i = 0; i < 256; i++) {
                        table[i] = step == 0 ? i : clip(n / step);
                        n += histogram[i];
                    }
                    return table;
                });
    }

    /**
     * Blends with the image smoothed by Pillow's {@code SMOOTH} (Filter.c): a mean of 3 x 3 pixels
     * in which the middle one counts five times; pixels at the edge stay as they are.
     */
    static RgbImage sharpness(RgbImage image, float factor) {
        byte[] from = image.pixels();
        byte[] to = from.clone();
        int stride = 3 * image.width();
        for (int row = stride; row < from.length - stride; row += stride) {
            for (int at = row + 3; at < row + stride - 3; at++) {
                // In Filter.c's order, as single precision rounds at every step.
                float sum = 0.5f;
                sum += weighted(from, at + stride, OUTER);
                sum += weighted(from, at, MIDDLE);
                sum += weighted(from, at - stride, OUTER);
                to[at] = (byte) blend(clip((int) sum), from[at] & 0xFF, factor);
            }
        }
        return new RgbImage(image.width(), image.height(), to);
    }

    private static float weighted(byte[] from, int at, float middle) {
        return (from[at - 3] & 0xFF) * OUTER
                + (from[at] & 0xFF) * middle
                + (from[at + 3] & 0xFF) * OUTER;
    }

    private interface Table {
        int[] of(int[] histogram);
    }

    private static RgbImage mapChannels(RgbImage image, Table table) {
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        for (int c = 0; c < 3; c++) {
            int[] histogram = new int[256];
            for (int i = c; i < from.length; i += 3) {
                histogram[from[i] & 0xFF]++;
            }
            int[] values = table.of(histogram);
            for (int i = c; i < from.length; i += 3) {
                to[i] = (byte) values[from[i] & 0xFF];
            }
        }
        return new RgbImage(image.width(), image.height(), to);
    }

    private static RgbImage map(RgbImage image, IntUnaryOperator operator) {
        byte[] table = new byte[256];
        for (int i = 0; i < 256; i++) {
            table[i] = (byte) operator.applyAsInt(i);
        }
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        for (int i = 0; i < from.length; i++) {
            to[i] = table[from[i] & 0xFF];
        }
        return new RgbImage(image.width(), image.height(), to);
    }

    /** In single precision, as Blend.c does it. */
    private static int blend(int from, int to, float factor) {
        return clip((int) (from + factor * (to - from)));
    }

    private static int luminance(byte[] pixels, int at) {
        return ((pixels[at] & 0xFF) * 19595
                        + (pixels[at + 1] & 0xFF) * 38470
                        + (pixels[at + 2] & 0xFF) * 7471
                        + 0x8000)
                >> 16;
    }

    private static int clip(int value) {
        return Math.max(0, Math.min(255, value));
    }

    /** To hue, saturation and value in bytes, and back with another hue. */
    private static void turnHue(byte[] from, byte[] to, int at, int steps) {
        int red = from[at] & 0xFF;
        int green = from[at + 1] & 0xFF;
        int blue = from[at + 2] & 0xFF;
        int value = Math.max(red, Math.max(green, blue));
        int least = Math.min(red, Math.min(green, blue));
        int hue = 0;
        int saturation = 0;
        if (value > least) {
            float range = value - least;
            float r = (value - red) / range;
            float g = (value - green) / range;
            float b = (value - blue) / range;
            float sector;
            if (red == value) {
                sector = b - g;
            } else if (green == value) {
                sector = (float) (2.0 + r - b);
            } else {
                sector = (float) (4.0 + g - r);
            }
            float angle = (float) ((sector / 6.0 + 1.0) % 1.0);
            hue = clip((int) (angle * 255.0));
            saturation = clip((int) (range / value * 255.0));
        }
        if (saturation == 0) {
            to[at] = (byte) value;
            to[at + 1] = (byte) value;
            to[at + 2] = (byte) value;
            return;
        }
        hue = (hue + steps) & 0xFF;
        int sector = (int) Math.floor(hue * 6.0 / 255.0);
        float rest = (float) (hue * 6.0 / 255.0 - sector);
        float part = (float) (saturation / 255.0);
        int p = rounded(value * (1.0 - part));
        int q = rounded(value * (1.0 - part * rest));
        int t = rounded(value * (1.0 - part * (1.0 - rest)));
        switch (sector % 6) {
            case 0 -> put(to, at, value, t, p);
            case 1 -> put(to, at, q, value, p);
            case 2 -> put(to, at, p, value, t);
            case 3 -> put(to, at, p, q, value);
            case 4 -> put(to, at, t, p, value);
            default -> put(to, at, value, p, q);
        }
    }

    private static int rounded(double value) {
        return clip((int) Math.floor(value + 0.5));
    }

    private static void put(byte[] to, int at, int red, int green, int blue) {
        to[at] = (byte) red;
        to[at + 1] = (byte) green;
        to[at + 2] = (byte) blue;
    }
}
