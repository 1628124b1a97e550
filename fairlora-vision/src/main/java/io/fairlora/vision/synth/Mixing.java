package io.fairlora.vision.synth;

/**
 * Draws that depend on a seed and a position instead of on what was drawn before: the finalizer of
 * SplitMix64 (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", section
 * 4) over a Weyl sequence.
 */
final class Mixing {

    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private Mixing() {}

    /** A hash of seed and position. */
    static long mix(long seed, long position) {
        return finish(finish(seed + GOLDEN_GAMMA) + GOLDEN_GAMMA * (position + 1));
    }

    /** The upper 53 bits as a number in [0, 1). */
    static double unit(long bits) {
        return (bits >>> 11) * 0x1.0p-53;
    }

    private static long finish(long z) {
        long x = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
        return x ^ (x >>> 31);
    }
}
