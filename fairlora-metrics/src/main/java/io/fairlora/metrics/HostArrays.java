package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/** The one place of this module that reads arrays from a device. */
final class HostArrays {
    /** Elements that are converted at a time, small enough to stay in the first-level cache. */
    private static final int BLOCK = 1024;

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
        private final long[] longs;
        private final NDArray array;
        private final ByteBuffer bytes;
        private final IntBuffer ints;
        private final LongBuffer wide;
        private final DataType type;
        private final String what;

        Codes(NDArray source, String what) {
            // A flat view of a contiguous array, a contiguous copy of any other; closed with this.
            this.array = source.reshape(new Shape(source.size()));
            this.bytes = array.toByteBuffer(true);
            this.type = array.getDataType();
            this.what = what;
            this.ints = bytes.asIntBuffer();
            this.wide = bytes.asLongBuffer();
            this.longs = type == DataType.INT64 ? new long[BLOCK] : new long[0];
        }

        void read(int start, int length) {
            switch (type) {
                case INT32 -> ints.get(start, block, 0, length);
                case INT64 -> {
                    wide.get(start, longs, 0, length);
                    for (int i = 0; i < length; i++) {
                        int code = (int) longs[i];
                        // What does not fit becomes -1, which is out of every range.
                        block[i] = code == longs[i] ? code : -1;
                    }
                }
                case INT8, BOOLEAN -> {
                    for (int i = 0; i < length; i++) {
                        block[i] = bytes.get(start + i);
                    }
                }
                case UINT8 -> {
                    for (int i = 0; i < length; i++) {
                        block[i] = bytes.get(start + i) & 0xff;
                    }
                }
                case FLOAT32 -> {
                    for (int i = 0; i < length; i++) {
                        block[i] = whole(bytes.getFloat((start + i) * Float.BYTES), start + i);
                    }
                }
                case FLOAT64 -> {
                    for (int i = 0; i < length; i++) {
                        block[i] = whole(bytes.getDouble((start + i) * Double.BYTES), start + i);
                    }
                }
                default ->
                        throw new IllegalArgumentException(
                                what
                                        + " array is of type "
                                        + type
                                        + ", expected boolean, int8, uint8, int32, int64, float32"
                                        + " or float64");
            }
        }

        private int whole(double value, int row) {
            int code = (int) value;
            if (code != value) {
                throw new IllegalArgumentException(
                        what + " at position " + row + " is " + value + ", expected an integer");
            }
            return code;
        }

        @Override
        public void close() {
            array.close();
        }
    }
}
