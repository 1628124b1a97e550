package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;

/** The one place of this module that reads arrays from a device. */
final class HostArrays {

    private HostArrays() {}

    /** Counts examples by (group, label, prediction). */
    static long[] countCells(
            NDArray labels, NDArray predictions, NDArray groups, int classes, int groupCount) {
        int[] y = codes(labels, "labels");
        int[] p = codes(predictions, "predictions");
        int[] g = codes(groups, "groups");
        long[] cells = new long[groupCount * classes * classes];
        for (int i = 0; i < y.length; i++) {
            check(y[i], classes, "label", i);
            check(p[i], classes, "prediction", i);
            check(g[i], groupCount, "group", i);
            cells[(g[i] * classes + y[i]) * classes + p[i]]++;
        }
        return cells;
    }

    private static void check(int code, int count, String what, int row) {
        if (code < 0 || code >= count) {
            throw new IllegalArgumentException(
                    what
                            + " at position "
                            + row
                            + " is "
                            + code
                            + ", expected a code from 0 to "
                            + (count - 1));
        }
    }

    static int[] codes(NDArray array, String what) {
        if (array.getDataType() == DataType.INT32) {
            return array.toIntArray();
        }
        double[] values = doubles(array);
        int[] codes = new int[values.length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (int) values[i];
            if (codes[i] != values[i]) {
                throw new IllegalArgumentException(
                        what + " at position " + i + " is " + values[i] + ", expected an integer");
            }
        }
        return codes;
    }

    static double[] doubles(NDArray array) {
        if (array.getDataType() == DataType.FLOAT64) {
            return array.toDoubleArray();
        }
        try (NDArray wide = array.toType(DataType.FLOAT64, true)) {
            return wide.toDoubleArray();
        }
    }
}
