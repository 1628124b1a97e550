package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;

/** The one place of this module that reads arrays from a device. */
final class HostArrays {
    /** Elements that are converted at a time, small enough to stay in the first-level cache. */
    private static final int BLOCK = 2048;

    /** Elements of the one-hot array on a device, so that a large batch does not fill it. */
    private static final long ONE_HOT_LIMIT = 1L << 26;

    /** Sums of ones in single precision are exact up to here. */
    private static final long EXACT_FLOAT = 1L << 24;

    private HostArrays() {}

    /** Takes blocks of codes in turn. */
    interface CodeBlocks {
        /** Receives {@code length} codes of each array, which begin at {@code start}. */
        void accept(int[] labels, int[] predictions, int[] groups, int start, int length);
    }

    /** Whether an array lies in memory that Java can read in place. */
    static boolean isOnHost(NDArray array) {
        return !array.getDevice().isGpu();
    }

    /** Hands out three arrays of codes block by block, without copying them whole. */
    static void forEachBlock(
            NDArray labels, NDArray predictions, NDArray groups, CodeBlocks consumer) {
        try (Codes y = new Codes(labels, "label");
                Codes p = new Codes(predictions, "prediction");
                Codes g = new Codes(groups, "group")) {
            int n = Math.toIntExact(labels.size());
            for (int start = 0; start < n; start += BLOCK) {
                int length = Math.min(BLOCK, n - start);
                y.read(start, length);
                p.read(start, length);
                g.read(start, length);
                consumer.accept(y.block, p.block, g.block, start, length);
            }
        }
    }

    /** Whether all arrays are of 64-bit integers, as most of PyTorch's codes are. */
    static boolean areLongs(NDArray... arrays) {
        return Arrays.stream(arrays).allMatch(a -> a.getDataType() == DataType.INT64);
    }

    /**
     * Counts 64-bit codes by (group, label, prediction) without narrowing them first.
     *
     * @return whether all codes were in range; if not, the counts are of no use
     */
    static boolean countLongs(
            NDArray labels,
            NDArray predictions,
            NDArray groups,
            int classes,
            int groupCount,
            long[] counts) {
        try (NDArray flatLabels = flat(labels);
                NDArray flatPredictions = flat(predictions);
                NDArray flatGroups = flat(groups)) {
            LongBuffer[] sources = {
                flatLabels.toByteBuffer(true).asLongBuffer(),
                flatPredictions.toByteBuffer(true).asLongBuffer(),
                flatGroups.toByteBuffer(true).asLongBuffer()
            };
            long[][] blocks = new long[3][BLOCK];
            int n = sources[0].remaining();
            for (int start = 0; start < n; start += BLOCK) {
                int length = Math.min(BLOCK, n - start);
                for (int a = 0; a < blocks.length; a++) {
                    sources[a].get(start, blocks[a], 0, length);
                }
                if (!countLongs(blocks, length, classes, groupCount, counts)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean countLongs(
            long[][] blocks, int length, int classes, int groupCount, long[] counts) {
        long[] y = blocks[0];
        long[] p = blocks[1];
        long[] g = blocks[2];
        for (int i = 0; i < length; i++) {
            if (y[i] < 0
                    || y[i] >= classes
                    || p[i] < 0
                    || p[i] >= classes
                    || g[i] < 0
                    || g[i] >= groupCount) {
                return false;
            }
            counts[(int) ((g[i] * classes + y[i]) * classes + p[i])]++;
        }
        return true;
    }

    /** A flat view of a contiguous array, a contiguous copy of any other; to be closed. */
    private static NDArray flat(NDArray array) {
        return array.reshape(new Shape(array.size()));
    }

    /**
     * Counts examples by (group, label, prediction) where the arrays are; only the counts come to
     * the host.
     *
     * @return the counts, followed by the number of rows with a code that is out of range
     */
    static long[] countOnDevice(
            NDArray labels, NDArray predictions, NDArray groups, int classes, int groupCount) {
        int cells = groupCount * classes * classes;
        long[] counts = new long[cells + 1];
        long n = labels.size();
        long step = Math.min(EXACT_FLOAT, Math.max(1, ONE_HOT_LIMIT / (cells + 1)));
        try (NDManager scope = labels.getManager().newSubManager()) {
            // Results of operations go to the manager of their first operand, hence the scope.
            NDList flat = new NDList(labels, predictions, groups);
            NDList own = new NDList();
            for (NDArray array : flat) {
                NDArray view = array.reshape(-1);
                view.attach(scope);
                own.add(view);
            }
            for (long start = 0; start < n; start += step) {
                String range = start + ":" + Math.min(n, start + step);
                NDArray y = own.get(0).get(range);
                NDArray p = own.get(1).get(range);
                NDArray g = own.get(2).get(range);
                NDArray valid =
                        inRange(y, classes)
                                .logicalAnd(inRange(p, classes))
                                .logicalAnd(inRange(g, groupCount));
                NDArray code = wide(g).mul(classes).add(wide(y)).mul(classes).add(wide(p));
                NDArray mask = valid.toType(DataType.INT64, false);
                NDArray cell = code.mul(mask).add(mask.neg().add(1).mul(cells));
                NDArray sums = cell.oneHot(cells + 1).sum(new int[] {0});
                float[] part = sums.toFloatArray();
                for (int c = 0; c <= cells; c++) {
                    counts[c] += (long) part[c];
                }
            }
        }
        return counts;
    }

    private static NDArray wide(NDArray codes) {
        return codes.toType(DataType.INT64, false);
    }

    private static NDArray inRange(NDArray codes, int count) {
        NDArray whole = wide(codes);
        NDArray bounded = whole.gte(0).logicalAnd(whole.lt(count));
        return bounded.logicalAnd(whole.toType(codes.getDataType(), false).eq(codes));
    }

    static double[] doubles(NDArray array) {
        if (array.getDataType() == DataType.FLOAT64) {
            return array.toDoubleArray();
        }
        try (NDArray wide = array.toType(DataType.FLOAT64, true)) {
            return wide.toDoubleArray();
        }
    }

    /** All codes of an array at once. */
    static int[] codes(NDArray array, String what) {
        int n = Math.toIntExact(array.size());
        int[] all = new int[n];
        try (Codes codes = new Codes(array, what)) {
            for (int start = 0; start < n; start += BLOCK) {
                int length = Math.min(BLOCK, n - start);
                codes.read(start, length);
                System.arraycopy(codes.block, 0, all, start, length);
            }
        }
        return all;
    }

    /** Reads an array of integer codes of any type, in place where it is in host memory. */
    private static final class Codes implements AutoCloseable {
        private final int[] block = new int[BLOCK];
        private final NDArray array;
        private final BlockReader reader;

        Codes(NDArray source, String what) {
            this.array = flat(source);
            this.reader = reader(array.toByteBuffer(true), array.getDataType(), what);
        }

        void read(int start, int length) {
            reader.read(start, length, block);
        }

        @Override
        public void close() {
            array.close();
        }
    }

    /** Reads a block of an array as integers. */
    private interface BlockReader {
        void read(int start, int length, int[] block);
    }

    private static BlockReader reader(ByteBuffer bytes, DataType type, String what) {
        switch (type) {
            case INT32 -> {
                IntBuffer ints = bytes.asIntBuffer();
                return (start, length, block) -> ints.get(start, block, 0, length);
            }
            case INT64 -> {
                return longReader(bytes.asLongBuffer());
            }
            case INT8, BOOLEAN, UINT8 -> {
                return byteReader(bytes, type == DataType.UINT8 ? 0xff : -1);
            }
            case FLOAT32 -> {
                return floatReader(bytes.asFloatBuffer(), what);
            }
            case FLOAT64 -> {
                return doubleReader(bytes.asDoubleBuffer(), what);
            }
            default ->
                    throw new IllegalArgumentException(
                            what
                                    + " array is of type "
                                    + type
                                    + ", expected boolean, int8, uint8, int32, int64, float32 or"
                                    + " float64");
        }
    }

    private static BlockReader longReader(LongBuffer source) {
        long[] longs = new long[BLOCK];
        return (start, length, block) -> {
            source.get(start, longs, 0, length);
            long bits = 0;
            for (int i = 0; i < length; i++) {
                block[i] = (int) longs[i];
                bits |= longs[i];
            }
            if (bits >>> 31 != 0) {
                for (int i = 0; i < length; i++) {
                    // What does not fit becomes -1, which is out of every range.
                    block[i] = block[i] == longs[i] ? block[i] : -1;
                }
            }
        };
    }

    private static BlockReader byteReader(ByteBuffer source, int mask) {
        byte[] values = new byte[BLOCK];
        return (start, length, block) -> {
            source.get(start, values, 0, length);
            for (int i = 0; i < length; i++) {
                block[i] = values[i] & mask;
            }
        };
    }

    private static BlockReader floatReader(FloatBuffer source, String what) {
        float[] floats = new float[BLOCK];
        return (start, length, block) -> {
            source.get(start, floats, 0, length);
            int rest = 0;
            for (int i = 0; i < length; i++) {
                int code = (int) floats[i];
                block[i] = code;
                // Zero bits for whole numbers alone; without a branch.
                rest |= Float.floatToRawIntBits(code - floats[i]);
            }
            for (int i = 0; rest != 0 && i < length; i++) {
                if (block[i] != floats[i]) {
                    throw notWhole(what, start + i, floats[i]);
                }
            }
        };
    }

    private static BlockReader doubleReader(DoubleBuffer source, String what) {
        double[] doubles = new double[BLOCK];
        return (start, length, block) -> {
            source.get(start, doubles, 0, length);
            for (int i = 0; i < length; i++) {
                block[i] = (int) doubles[i];
                if (block[i] != doubles[i]) {
                    throw notWhole(what, start + i, doubles[i]);
                }
            }
        };
    }

    private static IllegalArgumentException notWhole(String what, int row, double value) {
        return new IllegalArgumentException(
                what + " at position " + row + " is " + value + ", expected an integer");
    }
}
