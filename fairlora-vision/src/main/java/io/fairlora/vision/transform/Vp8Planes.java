package io.fairlora.vision.transform;

/**
 * Luma and chroma of a VP8 frame, each with the pixels that prediction takes to be outside: a row
 * of 127 above, which goes on 4 pixels to the right, and a column of 129 to the left.
 */
final class Vp8Planes {

    /** One plane. */
    static final class Plane {

        final byte[] samples;
        final int stride;

        /** Where the first pixel is. */
        final int origin;

        Plane(int width, int height) {
            stride = width + 8;
            origin = stride + 4;
            samples = new byte[stride * (height + 1)];
            for (int i = 0; i < stride; i++) {
                samples[i] = 127;
            }
            for (int y = 1; y <= height; y++) {
                samples[y * stride + 3] = (byte) 129;
            }
        }

        int at(int x, int y) {
            return origin + y * stride + x;
        }

        int get(int at) {
            return samples[at] & 0xFF;
        }
    }

    final int columns;
    final int rows;
    final Plane luma;
    final Plane blue;
    final Plane red;

    /** Planes of some macroblocks of 16 x 16. */
    Vp8Planes(int columns, int rows) {
        this.columns = columns;
        this.rows = rows;
        luma = new Plane(16 * columns, 16 * rows);
        blue = new Plane(8 * columns, 8 * rows);
        red = new Plane(8 * columns, 8 * rows);
    }

    /** RGB of the upper left part, with libwebp's interpolated chroma and fixed point. */
    RgbImage toRgb(int width, int height) {
        byte[] pixels = new byte[3 * width * height];
        int[] u = new int[width];
        int[] v = new int[width];
        int last = (height + 1) / 2 - 1;
        for (int y = 0; y < height; y++) {
            int near = y / 2;
            int far = Math.max(0, Math.min(last, near + (y % 2 == 0 ? -1 : 1)));
            interpolate(blue, near, far, u);
            interpolate(red, near, far, v);
            int at = 3 * y * width;
            int from = luma.at(0, y);
            for (int x = 0; x < width; x++) {
                int bright = luma.get(from + x) * 19077 >> 8;
                pixels[at++] = clip(bright + (v[x] * 26149 >> 8) - 14234);
                pixels[at++] = clip(bright - (u[x] * 6419 >> 8) - (v[x] * 13320 >> 8) + 8708);
                pixels[at++] = clip(bright + (u[x] * 33050 >> 8) - 17685);
            }
        }
        return new RgbImage(width, height, pixels);
    }

    private static byte clip(int value) {
        return (byte) Math.max(0, Math.min(255, value >> 6));
    }

    /** libwebp's "fancy" upsampling: 9, 3, 3 and 1 sixteenths, rounded as upsampling.c does. */
    private static void interpolate(Plane plane, int nearRow, int farRow, int[] to) {
        int near = plane.at(0, nearRow);
        int far = plane.at(0, farRow);
        int width = to.length;
        to[0] = (3 * plane.get(near) + plane.get(far) + 2) >> 2;
        int last = (width - 1) / 2;
        for (int x = 1; x <= last; x++) {
            int left = plane.get(near + x - 1);
            int here = plane.get(near + x);
            int farLeft = plane.get(far + x - 1);
            int farHere = plane.get(far + x);
            int sum = left + here + farLeft + farHere + 8;
            to[2 * x - 1] = (((sum + 2 * (here + farLeft)) >> 3) + left) >> 1;
            to[2 * x] = (((sum + 2 * (left + farHere)) >> 3) + here) >> 1;
        }
        if (width % 2 == 0) {
            to[width - 1] = (3 * plane.get(near + last) + plane.get(far + last) + 2) >> 2;
        }
    }
}
