package io.fairlora.vision.transform;

/** Reads the coefficients of blocks of 4 x 4 pixels (RFC 6386, section 13). */
final class Vp8Coefficients {

    /** Section 13: where a coefficient's position falls. */
    private static final int[] BAND = {0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0};

    private static final int[] ZIGZAG = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

    /** Section 13.2: the probabilities of the extra bits of great values. */
    private static final int[][] EXTRA = {
        {173, 148, 140},
        {176, 155, 140, 135},
        {180, 157, 141, 134, 130},
        {254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}
    };

    private final int[] probabilities = Vp8Tables.DEFAULT.clone();

    /** Section 13.4: the probabilities that a frame tells anew. */
    void readProbabilities(Vp8Bits header) {
        for (int i = 0; i < probabilities.length; i++) {
            if (header.bit(Vp8Tables.UPDATE[i]) == 1) {
                probabilities[i] = header.number(8);
            }
        }
    }

    /**
     * Reads one block.
     *
     * @param tokens where from
     * @param type 0 luma without its mean, 1 means of luma, 2 chroma, 3 luma
     * @param context how many of the blocks above and to the left have coefficients
     * @param first the position of the first coefficient
     * @param to receives 16 values, row by row, those that are not 0
     * @param offset where in {@code to} the first goes
     * @return the position after the last coefficient that is not 0
     */
    int read(Vp8Bits tokens, int type, int context, int first, int[] to, int offset) {
        int n = first;
        int p = Vp8Tables.coefficient(type, BAND[n], context);
        while (n < 16) {
            if (tokens.bit(probabilities[p]) == 0) {
                return n;
            }
            while (tokens.bit(probabilities[p + 1]) == 0) {
                n++;
                if (n == 16) {
                    return 16;
                }
                p = Vp8Tables.coefficient(type, BAND[n], 0);
            }
            int value = tokens.bit(probabilities[p + 2]) == 0 ? 1 : greater(tokens, p);
            p = Vp8Tables.coefficient(type, BAND[n + 1], value == 1 ? 1 : 2);
            to[offset + ZIGZAG[n]] = tokens.flag() ? -value : value;
            n++;
        }
        return 16;
    }

    private int greater(Vp8Bits tokens, int p) {
        if (tokens.bit(probabilities[p + 3]) == 0) {
            return tokens.bit(probabilities[p + 4]) == 0 ? 2 : 3 + tokens.bit(probabilities[p + 5]);
        }
        if (tokens.bit(probabilities[p + 6]) == 0) {
            if (tokens.bit(probabilities[p + 7]) == 0) {
                return 5 + tokens.bit(159);
            }
            int high = tokens.bit(165);
            return 7 + 2 * high + tokens.bit(145);
        }
        int high = tokens.bit(probabilities[p + 8]);
        int category = 2 * high + tokens.bit(probabilities[p + 9 + high]);
        int extra = 0;
        for (int probability : EXTRA[category]) {
            extra = 2 * extra + tokens.bit(probability);
        }
        return 3 + (8 << category) + extra;
    }
}
