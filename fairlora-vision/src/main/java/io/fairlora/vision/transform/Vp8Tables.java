package io.fairlora.vision.transform;

import com.google.common.io.Resources;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The constant tables of VP8, read from {@code vp8-tables.txt}. */
final class Vp8Tables {

    static final int TYPES = 4;
    static final int BANDS = 8;
    static final int CONTEXTS = 3;
    static final int NODES = 11;
    static final int SUBBLOCK_MODES = 10;

    /** Quantizer steps of the first coefficient and of the others, by index. */
    static final int[] DC_STEPS;

    static final int[] AC_STEPS;

    /** By the mode above, the mode to the left, and the node of the tree. */
    static final int[] SUBBLOCK_MODE;

    /** By type, band, context and node, see {@link #coefficient}. */
    static final int[] UPDATE;

    static final int[] DEFAULT;

    static {
        Reader reader = new Reader();
        DC_STEPS = reader.next(128);
        AC_STEPS = reader.next(128);
        SUBBLOCK_MODE = reader.next(SUBBLOCK_MODES * SUBBLOCK_MODES * (SUBBLOCK_MODES - 1));
        UPDATE = reader.next(TYPES * BANDS * CONTEXTS * NODES);
        DEFAULT = reader.next(TYPES * BANDS * CONTEXTS * NODES);
    }

    private Vp8Tables() {}

    /** Where the nodes of a coefficient's tokens begin. */
    static int coefficient(int type, int band, int context) {
        return ((type * BANDS + band) * CONTEXTS + context) * NODES;
    }

    private static final class Reader {

        private final int[] numbers;
        private int at;

        Reader() {
            try {
                List<String> lines =
                        Resources.readLines(
                                Resources.getResource(Vp8Tables.class, "vp8-tables.txt"),
                                StandardCharsets.US_ASCII);
                numbers =
                        lines.stream()
                                .filter(line -> !line.startsWith("#"))
                                .flatMap(line -> List.of(line.split(" ")).stream())
                                .mapToInt(Integer::parseInt)
                                .toArray();
            } catch (IOException e) {
                throw new UncheckedIOException("vp8-tables.txt cannot be read", e);
            }
        }

        int[] next(int count) {
            int[] table = new int[count];
            System.arraycopy(numbers, at, table, 0, count);
            at += count;
            return table;
        }
    }
}
