package io.fairlora.vision.transform;

/** The arithmetic decoder of VP8 (RFC 6386, section 7). */
final class Vp8Bits {

    private final byte[] data;
    private final int end;
    private int at;
    private int range = 255;
    private int value;

    /** How many bits have been read beyond the eight that are compared; below 0 one more is due. */
    private int ahead = -8;

    Vp8Bits(byte[] data, int from, int to) {
        this.data = data;
        at = from;
        end = to;
    }

    /**
     * Reads one bit.
     *
     * @param probability that it is 0, in 256ths
     * @throws IllegalStateException if the data ends before it
     */
    int bit(int probability) {
        if (ahead < 0) {
            if (at >= end) {
                throw new IllegalStateException("its compressed data ends early");
            }
            value = value << 8 | (data[at++] & 0xFF);
            ahead += 8;
        }
        int split = 1 + ((range - 1) * probability >> 8);
        int bound = split << ahead;
        int bit = value >= bound ? 1 : 0;
        if (bit == 1) {
            value -= bound;
            range -= split;
        } else {
            range = split;
        }
        int shift = Integer.numberOfLeadingZeros(range) - 24;
        range <<= shift;
        ahead -= shift;
        return bit;
    }

    boolean flag() {
        return bit(128) == 1;
    }

    /** An unsigned number of some bits, the greatest first. */
    int number(int bits) {
        int number = 0;
        for (int i = 0; i < bits; i++) {
            number = 2 * number + bit(128);
        }
        return number;
    }

    /** A number and its sign. */
    int signed(int bits) {
        int number = number(bits);
        return flag() ? -number : number;
    }

    /** A number and its sign where a flag says that there is one, else 0. */
    int optional(int bits) {
        return flag() ? signed(bits) : 0;
    }
}
