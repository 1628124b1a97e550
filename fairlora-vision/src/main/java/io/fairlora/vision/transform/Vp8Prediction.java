package io.fairlora.vision.transform;

import io.fairlora.vision.transform.Vp8Planes.Plane;

/** What VP8 expects of pixels before it adds the coded difference (RFC 6386, section 12). */
final class Vp8Prediction {

    /** The modes of whole blocks. */
    static final int DC = 0;

    static final int VERTICAL = 1;
    static final int HORIZONTAL = 2;
    static final int TRUE_MOTION = 3;

    private Vp8Prediction() {}

    /** A block of luma (16 x 16) or chroma (8 x 8). */
    static void block(Plane plane, int x, int y, int size, int mode) {
        int at = plane.at(x, y);
        switch (mode) {
            case DC -> fill(plane, at, size, mean(plane, x, y, size));
            case TRUE_MOTION -> trueMotion(plane, at, size);
            default -> {
                for (int row = 0; row < size; row++) {
                    int from = at + row * plane.stride;
                    for (int i = 0; i < size; i++) {
                        plane.samples[from + i] =
                                mode == VERTICAL
                                        ? plane.samples[at - plane.stride + i]
                                        : plane.samples[from - 1];
                    }
                }
            }
        }
    }

    /** Of the row above and the column to the left, where there are such. */
    private static int mean(Plane plane, int x, int y, int size) {
        if (x == 0 && y == 0) {
            return 128;
        }
        int at = plane.at(x, y);
        int sum = 0;
        int count = 0;
        for (int i = 0; i < size; i++) {
            sum += y > 0 ? plane.get(at - plane.stride + i) : 0;
            sum += x > 0 ? plane.get(at - 1 + i * plane.stride) : 0;
        }
        count += y > 0 ? size : 0;
        count += x > 0 ? size : 0;
        return (sum + count / 2) / count;
    }

    private static void fill(Plane plane, int at, int size, int value) {
        for (int row = 0; row < size; row++) {
            for (int i = 0; i < size; i++) {
                plane.samples[at + row * plane.stride + i] = (byte) value;
            }
        }
    }

    private static void trueMotion(Plane plane, int at, int size) {
        int above = at - plane.stride;
        int corner = plane.get(above - 1);
        for (int row = 0; row < size; row++) {
            int from = at + row * plane.stride;
            int left = plane.get(from - 1) - corner;
            for (int i = 0; i < size; i++) {
                int value = left + plane.get(above + i);
                plane.samples[from + i] = (byte) Math.max(0, Math.min(255, value));
            }
        }
    }

    /**
     * A subblock of 4 x 4.
     *
     * @param right the four pixels above and to the right
     */
    static void subblock(Plane plane, int at, int mode, int[] right) {
        // L K J I X A B C D E F G H, as section 12.3 names the edge, from below left to above
        // right.
        int[] edge = new int[13];
        for (int i = 0; i < 4; i++) {
            edge[i] = plane.get(at - 1 + (3 - i) * plane.stride);
            edge[5 + i] = plane.get(at - plane.stride + i);
            edge[9 + i] = right[i];
        }
        edge[4] = plane.get(at - plane.stride - 1);
        switch (mode) {
            case 0 -> {
                int sum = 4;
                for (int i = 0; i < 4; i++) {
                    sum += edge[i] + edge[5 + i];
                }
                fill(plane, at, 4, sum >> 3);
            }
            case 1 -> trueMotion(plane, at, 4);
            default -> directed(plane, at, mode, edge);
        }
    }

    private static void directed(Plane plane, int at, int mode, int[] edge) {
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 4; x++) {
                int value =
                        switch (mode) {
                            case 2 -> three(edge, 5 + x);
                            case 3 ->
                                    y == 3 ? (edge[1] + 3 * edge[0] + 2) >> 2 : three(edge, 3 - y);
                            case 4 -> leftDown(edge, x + y);
                            case 5 -> three(edge, 4 + x - y);
                            case 6 -> rightOf(edge, x, y);
                            case 7 -> verticalLeft(edge, x, y);
                            case 8 -> below(edge, x, y);
                            default -> horizontalUp(edge, 2 * y + x);
                        };
                plane.samples[at + y * plane.stride + x] = (byte) value;
            }
        }
    }

    private static int leftDown(int[] edge, int sum) {
        return sum == 6 ? (edge[11] + 3 * edge[12] + 2) >> 2 : three(edge, 6 + sum);
    }

    /** B_VR_PRED. */
    private static int rightOf(int[] edge, int x, int y) {
        int steps = 2 * x - y;
        return switch (steps) {
            case -3 -> three(edge, 2);
            case -2 -> three(edge, 3);
            case -1 -> three(edge, 4);
            default -> steps % 2 == 0 ? two(edge, 4 + steps / 2) : three(edge, 4 + (steps + 1) / 2);
        };
    }

    /** B_VL_PRED, which leaves its pattern in the last two pixels of the last column. */
    private static int verticalLeft(int[] edge, int x, int y) {
        if (x == 3 && y >= 2) {
            return three(edge, y == 2 ? 10 : 11);
        }
        int from = 5 + x + y / 2;
        return y % 2 == 0 ? two(edge, from) : three(edge, from + 1);
    }

    /** B_HD_PRED. */
    private static int below(int[] edge, int x, int y) {
        int steps = 2 * y - x;
        return switch (steps) {
            case -3 -> three(edge, 6);
            case -2 -> three(edge, 5);
            case -1 -> three(edge, 4);
            default -> steps % 2 == 0 ? two(edge, 3 - steps / 2) : three(edge, 3 - (steps - 1) / 2);
        };
    }

    private static int horizontalUp(int[] edge, int steps) {
        return switch (steps) {
            case 0 -> two(edge, 2);
            case 1 -> three(edge, 2);
            case 2 -> two(edge, 1);
            case 3 -> three(edge, 1);
            case 4 -> two(edge, 0);
            case 5 -> (edge[1] + 3 * edge[0] + 2) >> 2;
            default -> edge[0];
        };
    }

    private static int two(int[] edge, int first) {
        return (edge[first] + edge[first + 1] + 1) >> 1;
    }

    private static int three(int[] edge, int middle) {
        return (edge[middle - 1] + 2 * edge[middle] + edge[middle + 1] + 2) >> 2;
    }
}
