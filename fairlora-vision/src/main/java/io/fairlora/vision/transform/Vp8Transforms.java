package io.fairlora.vision.transform;

import io.fairlora.vision.transform.Vp8Planes.Plane;

/** From coefficients back to pixels (RFC 6386, section 14). */
final class Vp8Transforms {

    private Vp8Transforms() {}

    /** Section 14.3: the inverse Walsh-Hadamard transform, to the first value of 16 blocks. */
    static void spreadMeans(int[] in, int[] values) {
        int[] half = new int[16];
        for (int i = 0; i < 4; i++) {
            int a = in[i] + in[12 + i];
            int b = in[4 + i] + in[8 + i];
            int c = in[4 + i] - in[8 + i];
            int d = in[i] - in[12 + i];
            half[i] = a + b;
            half[4 + i] = d + c;
            half[8 + i] = a - b;
            half[12 + i] = d - c;
        }
        for (int i = 0; i < 4; i++) {
            int a = half[4 * i] + 3 + half[4 * i + 3];
            int b = half[4 * i + 1] + half[4 * i + 2];
            int c = half[4 * i + 1] - half[4 * i + 2];
            int d = half[4 * i] + 3 - half[4 * i + 3];
            values[16 * (4 * i)] = (a + b) >> 3;
            values[16 * (4 * i + 1)] = (d + c) >> 3;
            values[16 * (4 * i + 2)] = (a - b) >> 3;
            values[16 * (4 * i + 3)] = (d - c) >> 3;
        }
    }

    /** Section 14.4: the inverse cosine transform, added to what is predicted. */
    static void add(Plane plane, int at, int[] values, int offset) {
        int[] half = new int[16];
        for (int i = 0; i < 4; i++) {
            int a = values[offset + i] + values[offset + 8 + i];
            int b = values[offset + i] - values[offset + 8 + i];
            int c = sine(values[offset + 4 + i]) - cosine(values[offset + 12 + i]);
            int d = cosine(values[offset + 4 + i]) + sine(values[offset + 12 + i]);
            half[i] = a + d;
            half[4 + i] = b + c;
            half[8 + i] = b - c;
            half[12 + i] = a - d;
        }
        for (int y = 0; y < 4; y++) {
            int a = half[4 * y] + 4 + half[4 * y + 2];
            int b = half[4 * y] + 4 - half[4 * y + 2];
            int c = sine(half[4 * y + 1]) - cosine(half[4 * y + 3]);
            int d = cosine(half[4 * y + 1]) + sine(half[4 * y + 3]);
            int to = at + y * plane.stride;
            put(plane, to, a + d);
            put(plane, to + 1, b + c);
            put(plane, to + 2, b - c);
            put(plane, to + 3, a - d);
        }
    }

    private static void put(Plane plane, int at, int eighths) {
        int value = plane.get(at) + (eighths >> 3);
        plane.samples[at] = (byte) Math.max(0, Math.min(255, value));
    }

    /** sqrt(2) cos(pi / 8). */
    private static int cosine(int value) {
        return (value * 20091 >> 16) + value;
    }

    /** sqrt(2) sin(pi / 8). */
    private static int sine(int value) {
        return value * 35468 >> 16;
    }
}
