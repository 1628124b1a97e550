package io.fairlora.vision.transform;

import io.fairlora.vision.transform.Vp8LoopFilter.Strength;
import io.fairlora.vision.transform.Vp8Planes.Plane;
import java.util.Arrays;

/**
 * Decodes a key frame of VP8 (RFC 6386), which is what a lossy WebP file holds, to the pixels of
 * libwebp. Every failure is an {@link IllegalStateException} with a sentence.
 */
final class Vp8Decoder {

    private static final int HEADER = 10;
    private static final int SEGMENTS = 4;

    /** Section 8.1: the modes of subblocks as a tree; leaves are negative. */
    private static final int[] SUBBLOCK_TREE = {
        0, 2, -1, 4, -2, 6, 8, 12, -3, 10, -5, -6, -4, 14, -7, 16, -8, -9
    };

    private final byte[] frame;
    private final int width;
    private final int height;
    private final Vp8Bits header;
    private final Vp8Planes planes;

    private boolean segmented;
    private boolean mapped;
    private boolean absolute;
    private final int[] segmentQuantizer = new int[SEGMENTS];
    private final int[] segmentLevel = new int[SEGMENTS];
    private final int[] segmentTree = {255, 255, 255};

    private boolean simple;
    private int level;
    private int sharpness;
    private int intraDelta;
    private int subblockDelta;

    /** By segment: first and other coefficients of luma, of luma's means, of chroma. */
    private final int[][] steps = new int[SEGMENTS][6];

    private final Vp8Coefficients coefficients = new Vp8Coefficients();
    private boolean skips;
    private int skipped;

    /** What is above, by column: modes of four subblocks, whether nine blocks have coefficients. */
    private final int[] modesAbove;

    private final boolean[] codedAbove;
    private final int[] modesLeft = new int[4];
    private final boolean[] codedLeft = new boolean[9];

    private Vp8Decoder(byte[] frame, long maxPixels) {
        this.frame = frame;
        check(frame.length >= HEADER, "its header is cut short");
        int tag = number(0, 3);
        check((tag & 1) == 0, "the frame is no key frame");
        check((tag >> 1 & 7) <= 3, "the frame is of an unknown profile");
        check((tag >> 4 & 1) == 1, "the frame is not to be shown");
        check(number(3, 3) == 0x2A019D, "the frame's start code is missing");
        width = number(6, 2) & 0x3FFF;
        height = number(8, 2) & 0x3FFF;
        long pixels = (long) width * height;
        check(
                pixels > 0 && pixels <= maxPixels,
                "it has " + pixels + " pixels, expected 1 to " + maxPixels);
        int length = tag >> 5;
        check(length <= frame.length - HEADER, "its compressed data ends early");
        header = new Vp8Bits(frame, HEADER, HEADER + length);
        planes = new Vp8Planes((width + 15) / 16, (height + 15) / 16);
        modesAbove = new int[4 * planes.columns];
        codedAbove = new boolean[9 * planes.columns];
        decode(HEADER + length);
    }

    /**
     * Decodes the content of the chunk {@code VP8} of a WebP file.
     *
     * @param frame the content
     * @param maxPixels how many pixels it may have
     */
    static RgbImage decode(byte[] frame, long maxPixels) {
        Vp8Decoder decoder = new Vp8Decoder(frame, maxPixels);
        return decoder.planes.toRgb(decoder.width, decoder.height);
    }

    /** Some bytes, the least first. */
    private int number(int at, int bytes) {
        int number = 0;
        for (int i = bytes - 1; i >= 0; i--) {
            number = number << 8 | (frame[at + i] & 0xFF);
        }
        return number;
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    private void decode(int partitions) {
        // Colour space and clamping: this decoder does as libwebp, which heeds neither.
        header.number(2);
        readSegments();
        readFilter();
        Vp8Bits[] tokens = tokens(partitions, 1 << header.number(2));
        readQuantizers();
        header.flag();
        coefficients.readProbabilities(header);
        skips = header.flag();
        skipped = skips ? header.number(8) : 0;
        Strength[] strengths = new Strength[planes.columns * planes.rows];
        boolean[] inner = new boolean[strengths.length];
        for (int row = 0; row < planes.rows; row++) {
            Arrays.fill(modesLeft, 0);
            Arrays.fill(codedLeft, false);
            for (int column = 0; column < planes.columns; column++) {
                int i = row * planes.columns + column;
                Macroblock block = new Macroblock(column, row, tokens[row % tokens.length]);
                block.decode();
                strengths[i] = strength(block);
                inner[i] = block.bySubblock || block.coded;
            }
        }
        if (level > 0) {
            for (int i = 0; i < strengths.length; i++) {
                int column = i % planes.columns;
                int row = i / planes.columns;
                Vp8LoopFilter.apply(planes, column, row, strengths[i], inner[i], simple);
            }
        }
    }

    /** Section 9.3. */
    private void readSegments() {
        segmented = header.flag();
        if (!segmented) {
            return;
        }
        mapped = header.flag();
        if (header.flag()) {
            absolute = header.flag();
            for (int i = 0; i < SEGMENTS; i++) {
                segmentQuantizer[i] = header.optional(7);
            }
            for (int i = 0; i < SEGMENTS; i++) {
                segmentLevel[i] = header.optional(6);
            }
        }
        if (mapped) {
            for (int i = 0; i < segmentTree.length; i++) {
                segmentTree[i] = header.flag() ? header.number(8) : 255;
            }
        }
    }

    /** Sections 9.3 and 9.6; of the eight changes of level a key frame uses two. */
    private void readFilter() {
        simple = header.flag();
        level = header.number(6);
        sharpness = header.number(3);
        if (header.flag() && header.flag()) {
            for (int i = 0; i < 8; i++) {
                int delta = header.optional(6);
                if (i == 0) {
                    intraDelta = delta;
                } else if (i == 4) {
                    subblockDelta = delta;
                }
            }
        }
    }

    /** Section 9.5: the partitions with the coefficients, the last of which has no size. */
    private Vp8Bits[] tokens(int from, int count) {
        int end = frame.length;
        int at = from + 3 * (count - 1);
        check(at <= end, "its compressed data ends early");
        Vp8Bits[] tokens = new Vp8Bits[count];
        for (int i = 0; i < count; i++) {
            int to = i == count - 1 ? end : Math.min(end, at + number(from + 3 * i, 3));
            tokens[i] = new Vp8Bits(frame, at, to);
            at = to;
        }
        return tokens;
    }

    /** Sections 9.6 and 14.1. */
    private void readQuantizers() {
        int base = header.number(7);
        int lumaFirst = header.optional(4);
        int meanFirst = header.optional(4);
        int meanOther = header.optional(4);
        int chromaFirst = header.optional(4);
        int chromaOther = header.optional(4);
        for (int i = 0; i < SEGMENTS; i++) {
            int q = !segmented ? base : segmentQuantizer[i] + (absolute ? 0 : base);
            steps[i] =
                    new int[] {
                        Vp8Tables.DC_STEPS[index(q + lumaFirst, 127)],
                        Vp8Tables.AC_STEPS[index(q, 127)],
                        2 * Vp8Tables.DC_STEPS[index(q + meanFirst, 127)],
                        Math.max(8, Vp8Tables.AC_STEPS[index(q + meanOther, 127)] * 155 / 100),
                        Vp8Tables.DC_STEPS[index(q + chromaFirst, 117)],
                        Vp8Tables.AC_STEPS[index(q + chromaOther, 127)]
                    };
        }
    }

    private static int index(int q, int greatest) {
        return Math.max(0, Math.min(greatest, q));
    }

    private Strength strength(Macroblock block) {
        int of = !segmented ? level : segmentLevel[block.segment] + (absolute ? 0 : level);
        of += intraDelta + (block.bySubblock ? subblockDelta : 0);
        return Strength.of(Math.max(0, Math.min(63, of)), sharpness);
    }

    /** 16 x 16 pixels. */
    private final class Macroblock {

        private final int column;
        private final int row;
        private final Vp8Bits tokens;
        private final int[] modes = new int[16];
        private int segment;
        private boolean bySubblock;
        private boolean coded;
        private int lumaMode;
        private int chromaMode;

        /** Of 16 blocks of luma, 4 of each chroma: dequantized, 16 each. */
        private final int[] values = new int[24 * 16];

        Macroblock(int column, int row, Vp8Bits tokens) {
            this.column = column;
            this.row = row;
            this.tokens = tokens;
        }

        void decode() {
            if (segmented && mapped) {
                segment =
                        header.bit(segmentTree[0]) == 0
                                ? header.bit(segmentTree[1])
                                : 2 + header.bit(segmentTree[2]);
            }
            boolean skip = skips && header.bit(skipped) == 1;
            readModes();
            if (skip) {
                skipCoefficients();
            } else {
                readCoefficients();
            }
            reconstruct();
        }

        /** Sections 8.1 and 11.2 to 11.4. */
        private void readModes() {
            bySubblock = header.bit(145) == 0;
            if (bySubblock) {
                for (int i = 0; i < 16; i++) {
                    int above = modesAbove[4 * column + i % 4];
                    int left = modesLeft[i / 4];
                    int mode = subblockMode(9 * (10 * above + left));
                    modes[i] = mode;
                    modesAbove[4 * column + i % 4] = mode;
                    modesLeft[i / 4] = mode;
                }
            } else {
                lumaMode =
                        header.bit(156) == 0
                                ? (header.bit(163) == 0 ? Vp8Prediction.DC : Vp8Prediction.VERTICAL)
                                : (header.bit(128) == 0
                                        ? Vp8Prediction.HORIZONTAL
                                        : Vp8Prediction.TRUE_MOTION);
                int implied =
                        switch (lumaMode) {
                            case Vp8Prediction.VERTICAL -> 2;
                            case Vp8Prediction.HORIZONTAL -> 3;
                            case Vp8Prediction.TRUE_MOTION -> 1;
                            default -> 0;
                        };
                Arrays.fill(modesAbove, 4 * column, 4 * column + 4, implied);
                Arrays.fill(modesLeft, implied);
            }
            chromaMode =
                    header.bit(142) == 0
                            ? Vp8Prediction.DC
                            : header.bit(114) == 0
                                    ? Vp8Prediction.VERTICAL
                                    : header.bit(183) == 0
                                            ? Vp8Prediction.HORIZONTAL
                                            : Vp8Prediction.TRUE_MOTION;
        }

        private int subblockMode(int probabilities) {
            int node = 0;
            do {
                node =
                        SUBBLOCK_TREE[
                                node
                                        + header.bit(
                                                Vp8Tables.SUBBLOCK_MODE[probabilities + node / 2])];
            } while (node > 0);
            return -node;
        }

        /** The means' own contexts stay where there are no means. */
        private void skipCoefficients() {
            int count = bySubblock ? 8 : 9;
            Arrays.fill(codedAbove, 9 * column, 9 * column + count, false);
            Arrays.fill(codedLeft, 0, count, false);
        }

        private void readCoefficients() {
            int[] step = steps[segment];
            int first = 0;
            int type = 3;
            if (!bySubblock) {
                int[] means = new int[16];
                int read = read(1, 8, 8, 0, step[2], step[3], means, 0);
                mark(8, 8, read > 0);
                Vp8Transforms.spreadMeans(means, values);
                first = 1;
                type = 0;
            }
            for (int i = 0; i < 16; i++) {
                int read = read(type, i % 4, i / 4, first, step[0], step[1], values, 16 * i);
                mark(i % 4, i / 4, read > first);
                coded |= read > 1 || values[16 * i] != 0;
            }
            for (int i = 16; i < 24; i++) {
                int above = 4 + (i - 16) / 4 * 2 + i % 2;
                int left = 4 + (i - 16) / 4 * 2 + i / 2 % 2;
                int read = read(2, above, left, 0, step[4], step[5], values, 16 * i);
                mark(above, left, read > 0);
                coded |= read > 1 || values[16 * i] != 0;
            }
        }

        private void mark(int above, int left, boolean has) {
            codedAbove[9 * column + above] = has;
            codedLeft[left] = has;
        }

        /** Returns the position after the last coefficient that is not 0. */
        private int read(
                int type,
                int above,
                int left,
                int first,
                int firstStep,
                int otherStep,
                int[] to,
                int offset) {
            int context = (codedAbove[9 * column + above] ? 1 : 0) + (codedLeft[left] ? 1 : 0);
            int n = coefficients.read(tokens, type, context, first, to, offset);
            if (first == 0) {
                to[offset] *= firstStep;
            }
            for (int i = 1; i < 16; i++) {
                to[offset + i] *= otherStep;
            }
            return n;
        }

        private void reconstruct() {
            Plane luma = planes.luma;
            int x = 16 * column;
            int y = 16 * row;
            if (!bySubblock) {
                Vp8Prediction.block(luma, x, y, 16, lumaMode);
            }
            int[] right = new int[4];
            for (int i = 0; i < 16; i++) {
                int at = luma.at(x + 4 * (i % 4), y + 4 * (i / 4));
                if (bySubblock) {
                    aboveRight(i, at, right);
                    Vp8Prediction.subblock(luma, at, modes[i], right);
                }
                Vp8Transforms.add(luma, at, values, 16 * i);
            }
            Vp8Prediction.block(planes.blue, x / 2, y / 2, 8, chromaMode);
            Vp8Prediction.block(planes.red, x / 2, y / 2, 8, chromaMode);
            for (int i = 0; i < 4; i++) {
                int at = planes.blue.at(x / 2 + 4 * (i % 2), y / 2 + 4 * (i / 2));
                Vp8Transforms.add(planes.blue, at, values, 16 * (16 + i));
                Vp8Transforms.add(planes.red, at, values, 16 * (20 + i));
            }
        }

        /** In the last column of subblocks always those above the macroblock to the right. */
        private void aboveRight(int i, int at, int[] right) {
            Plane luma = planes.luma;
            int from = at - luma.stride + 4;
            if (i % 4 == 3) {
                from = luma.at(16 * column + 16, 16 * row - 1);
            }
            boolean outside = i % 4 == 3 && column == planes.columns - 1 && row > 0;
            for (int k = 0; k < 4; k++) {
                right[k] = luma.get(outside ? from - 1 : from + k);
            }
        }
    }
}
