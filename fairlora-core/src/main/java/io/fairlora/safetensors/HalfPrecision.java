package io.fairlora.safetensors;

/** Conversions between single precision and the two 16-bit formats, which JDK 17 lacks. */
final class HalfPrecision {

    /** The least magnitude that rounds to an infinite half: halfway from 65504 to 65536. */
    private static final int HALF_OVERFLOW = 0x477ff000;

    /** The bits of 2^-14, the least normal half. */
    private static final int HALF_MIN_NORMAL = 0x38800000;

    private static final int INFINITY = 0x7f800000;

    /** The difference of the exponents' biases, 127 - 15. */
    private static final int REBIAS = 112;

    private HalfPrecision() {}

    /** Rounds to the nearest half, ties to even. */
    static short toHalf(float value) {
        int bits = Float.floatToRawIntBits(value);
        int sign = (bits >>> 16) & 0x8000;
        int magnitude = bits & 0x7fffffff;
        int half;
        if (magnitude > INFINITY) {
            half = 0x7e00 | ((magnitude >>> 13) & 0x1ff);
        } else if (magnitude >= HALF_OVERFLOW) {
            half = 0x7c00;
        } else if (magnitude >= HALF_MIN_NORMAL) {
            half = roundOff(magnitude - (REBIAS << 23), 13);
        } else {
            // The product is exact, and rint rounds ties to even; 1024 is the least normal half.
            half = (int) Math.rint(Float.intBitsToFloat(magnitude) * 0x1p24);
        }
        return (short) (sign | half);
    }

    static float fromHalf(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = (half >>> 10) & 0x1f;
        int fraction = half & 0x3ff;
        if (exponent == 0) {
            float magnitude = fraction * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        int biased = exponent == 0x1f ? 0xff : exponent + REBIAS;
        return Float.intBitsToFloat(sign | (biased << 23) | (fraction << 13));
    }

    /** Rounds to the nearest bfloat16, ties to even. */
    static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if ((bits & 0x7fffffff) > INFINITY) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) roundOff(bits, 16);
    }

    static float fromBfloat16(short bfloat16) {
        return Float.intBitsToFloat(bfloat16 << 16);
    }

    /** Drops the lowest bits, rounding to nearest and ties to even. */
    private static int roundOff(int bits, int count) {
        int half = (1 << (count - 1)) - 1;
        return (bits + half + ((bits >>> count) & 1)) >>> count;
    }
}
