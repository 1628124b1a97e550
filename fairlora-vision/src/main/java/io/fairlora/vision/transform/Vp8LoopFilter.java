package io.fairlora.vision.transform;

import io.fairlora.vision.transform.Vp8Planes.Plane;

/** Smooths the edges between blocks (RFC 6386, section 15). */
final class Vp8LoopFilter {

    private final byte[] samples;

    /** From a pixel to the next across the edge. */
    private final int across;

    private Vp8LoopFilter(byte[] samples, int across) {
        this.samples = samples;
        this.across = across;
    }

    /**
     * How strongly a macroblock is filtered.
     *
     * @param level 0 for not at all
     * @param interior the greatest step between neighbours that is still smoothed over
     * @param variance the least step that counts as a line of the picture's own
     */
    record Strength(int level, int interior, int variance) {

        static Strength of(int level, int sharpness) {
            int interior = level;
            if (sharpness > 0) {
                interior = Math.min(interior >> (sharpness > 4 ? 2 : 1), 9 - sharpness);
            }
            int variance = level >= 40 ? 2 : level >= 15 ? 1 : 0;
            return new Strength(level, Math.max(1, interior), variance);
        }

        int limit() {
            return 2 * level + interior;
        }
    }

    /** Filters one macroblock of decoded planes whose predecessors are filtered. */
    static void apply(
            Vp8Planes planes,
            int column,
            int row,
            Strength strength,
            boolean inner,
            boolean simple) {
        if (strength.level() == 0) {
            return;
        }
        for (boolean upright : new boolean[] {true, false}) {
            boolean hasOuter = upright ? column > 0 : row > 0;
            if (simple) {
                edges(planes.luma, 16, column, row, upright, hasOuter, inner, strength, true);
            } else {
                edges(planes.luma, 16, column, row, upright, hasOuter, inner, strength, false);
                edges(planes.blue, 8, column, row, upright, hasOuter, inner, strength, false);
                edges(planes.red, 8, column, row, upright, hasOuter, inner, strength, false);
            }
        }
    }

    private static void edges(
            Plane plane,
            int size,
            int column,
            int row,
            boolean upright,
            boolean outer,
            boolean inner,
            Strength strength,
            boolean simple) {
        int at = plane.at(size * column, size * row);
        int across = upright ? 1 : plane.stride;
        int along = upright ? plane.stride : 1;
        Vp8LoopFilter filter = new Vp8LoopFilter(plane.samples, across);
        for (int edge = outer ? 0 : 4; edge < (inner ? size : 4); edge += 4) {
            int limit = 2 * (strength.limit() + (edge == 0 ? 4 : 0)) + 1;
            for (int i = 0; i < size; i++) {
                int here = at + edge * across + i * along;
                if (simple) {
                    if (filter.isFlat(here, limit)) {
                        filter.two(here);
                    }
                } else {
                    filter.normal(here, limit, strength, edge == 0);
                }
            }
        }
    }

    private void normal(int at, int limit, Strength strength, boolean outer) {
        if (!isFlat(at, limit) || !isSmooth(at, strength.interior())) {
            return;
        }
        boolean line =
                Math.abs(get(at, -2) - get(at, -1)) > strength.variance()
                        || Math.abs(get(at, 1) - get(at, 0)) > strength.variance();
        if (line) {
            two(at);
        } else if (outer) {
            six(at);
        } else {
            four(at);
        }
    }

    private int get(int at, int steps) {
        return samples[at + steps * across] & 0xFF;
    }

    private void add(int at, int steps, int change) {
        int value = get(at, steps) + change;
        samples[at + steps * across] = (byte) Math.max(0, Math.min(255, value));
    }

    private boolean isFlat(int at, int limit) {
        return 4 * Math.abs(get(at, -1) - get(at, 0)) + Math.abs(get(at, -2) - get(at, 1)) <= limit;
    }

    private boolean isSmooth(int at, int interior) {
        return Math.abs(get(at, -4) - get(at, -3)) <= interior
                && Math.abs(get(at, -3) - get(at, -2)) <= interior
                && Math.abs(get(at, -2) - get(at, -1)) <= interior
                && Math.abs(get(at, 3) - get(at, 2)) <= interior
                && Math.abs(get(at, 2) - get(at, 1)) <= interior
                && Math.abs(get(at, 1) - get(at, 0)) <= interior;
    }

    private static int clip(int value, int greatest) {
        return Math.max(-greatest - 1, Math.min(greatest, value));
    }

    private int step(int at) {
        return 3 * (get(at, 0) - get(at, -1));
    }

    private int outerStep(int at) {
        return clip(get(at, -2) - get(at, 1), 127);
    }

    private void two(int at) {
        int step = step(at) + outerStep(at);
        int down = clip((step + 4) >> 3, 15);
        int up = clip((step + 3) >> 3, 15);
        add(at, -1, up);
        add(at, 0, -down);
    }

    private void four(int at) {
        int step = step(at);
        int down = clip((step + 4) >> 3, 15);
        int up = clip((step + 3) >> 3, 15);
        int half = (down + 1) >> 1;
        add(at, -2, half);
        add(at, -1, up);
        add(at, 0, -down);
        add(at, 1, -half);
    }

    private void six(int at) {
        int step = clip(step(at) + outerStep(at), 127);
        for (int i = 0; i < 3; i++) {
            int change = (9 * (3 - i) * step + 63) >> 7;
            add(at, -1 - i, change);
            add(at, i, -change);
        }
    }
}
