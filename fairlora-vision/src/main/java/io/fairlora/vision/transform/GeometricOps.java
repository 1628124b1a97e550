package io.fairlora.vision.transform;

import java.math.BigDecimal;
import java.math.RoundingMode;

/**
 * Changes of place with the bits of torchvision's {@code affine} and {@code rotate} on Pillow
 * images, each output pixel taken from the nearest one (Geometry.c); what comes in from outside is
 * black.
 */
final class GeometricOps {

    private GeometricOps() {}

    /** The mirror image. */
    static RgbImage flip(RgbImage image) {
        int width = image.width();
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        for (int row = 0; row < from.length; row += 3 * width) {
            for (int x = 0; x < width; x++) {
                System.arraycopy(from, row + 3 * x, to, row + 3 * (width - 1 - x), 3);
            }
        }
        return new RgbImage(width, image.height(), to);
    }

    /** Moves the image by whole pixels. */
    static RgbImage translate(RgbImage image, int right, int down) {
        return affine(image, 1, 0, -right, 0, 1, -down);
    }

    /** Moves every row to the left by a part of its distance from the top. */
    static RgbImage shearX(RgbImage image, double part) {
        return affine(image, 1, part, 0, 0, 1, 0);
    }

    /** Moves every column up by a part of its distance from the left. */
    static RgbImage shearY(RgbImage image, double part) {
        return affine(image, 1, 0, 0, part, 1, 0);
    }

    /** Turns the image about its middle, counter-clockwise, by degrees in (-90, 90). */
    static RgbImage rotate(RgbImage image, double degrees) {
        double angle = -Math.toRadians(degrees);
        double cos = rounded(Math.cos(angle));
        double sin = rounded(Math.sin(angle));
        double x = image.width() / 2.0;
        double y = image.height() / 2.0;
        return affine(
                image, cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y);
    }

    /** Python's {@code round(value, 15)}. */
    private static double rounded(double value) {
        return new BigDecimal(value).setScale(15, RoundingMode.HALF_EVEN).doubleValue();
    }

    /**
     * Takes output pixel (x, y) from {@code (a x + b y + c, d x + e y + f)}, in the 16 bit fixed
     * point of Geometry.c's {@code affine_fixed}.
     */
    private static RgbImage affine(
            RgbImage image, double a, double b, double c, double d, double e, double f) {
        int width = image.width();
        int height = image.height();
        byte[] to = new byte[3 * width * height];
        int rowX = fixed(c + a * 0.5 + b * 0.5);
        int rowY = fixed(f + d * 0.5 + e * 0.5);
        int at = 0;
        for (int y = 0; y < height; y++) {
            int x16 = rowX;
            int y16 = rowY;
            for (int x = 0; x < width; x++) {
                int fromX = x16 >> 16;
                int fromY = y16 >> 16;
                if (fromX >= 0 && fromX < width && fromY >= 0 && fromY < height) {
                    System.arraycopy(image.pixels(), 3 * (fromY * width + fromX), to, at, 3);
                }
                at += 3;
                x16 += fixed(a);
                y16 += fixed(d);
            }
            rowX += fixed(b);
            rowY += fixed(e);
        }
        return new RgbImage(width, height, to);
    }

    private static int fixed(double value) {
        return (int) Math.floor(value * 65536 + 0.5);
    }
}
