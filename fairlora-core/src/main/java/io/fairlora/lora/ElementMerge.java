package io.fairlora.lora;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/**
 * What a combination does with the elements of matrices of one shape: it prunes each matrix, then
 * merges them.
 *
 * @param type the combination
 * @param density the share of elements that pruning keeps
 * @param majoritySign what decides the sign in the types with TIES
 * @param asPeft whether DARE leaves out the division by the density
 * @param masks which elements DARE keeps
 */
record ElementMerge(
        CombinationType type,
        double density,
        MajoritySign majoritySign,
        boolean asPeft,
        Masks masks) {

    /** Which elements DARE keeps. */
    interface Masks {
        /** One flag an element of A, B or BA of an adapter's layer. */
        boolean[] of(String layer, int adapter, String matrix, int size);
    }

    /** Sets what is not kept to zero, in place. */
    double[] prune(double[] values, String layer, int adapter, String matrix) {
        if (!type.prunes() || density >= 1) {
            return values;
        }
        boolean[] kept =
                type.isRandom()
                        ? masks.of(layer, adapter, matrix, values.length)
                        : largest(values, (int) (density * values.length));
        double divisor = type.isRandom() && !asPeft ? density : 1;
        for (int i = 0; i < values.length; i++) {
            values[i] = kept[i] ? values[i] / divisor : 0;
        }
        return values;
    }

    /** Marks the elements of the greatest magnitude; of equal ones the first. */
    private static boolean[] largest(double[] values, int count) {
        Integer[] order = new Integer[values.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (i, j) -> Double.compare(Math.abs(values[j]), Math.abs(values[i])));
        boolean[] kept = new boolean[values.length];
        for (int i = 0; i < count; i++) {
            kept[order[i]] = true;
        }
        return kept;
    }

    /** The weighted sum; with TIES the mean over those of the majority's sign. */
    double[] merge(double[][] values, double[] weights) {
        double[] result = new double[values[0].length];
        for (int i = 0; i < result.length; i++) {
            int sign = type.electsSign() ? majority(values, i) : 0;
            int count = 0;
            for (int part = 0; part < values.length; part++) {
                if (sign == 0 || Math.signum(values[part][i]) == sign) {
                    result[i] += weights[part] * values[part][i];
                    count++;
                }
            }
            result[i] /= sign == 0 ? 1 : Math.max(count, 1);
        }
        return result;
    }

    private int majority(double[][] values, int position) {
        DoubleUnaryOperator vote =
                majoritySign == MajoritySign.TOTAL ? x -> x : x -> Math.signum(x);
        double sum = 0;
        for (double[] part : values) {
            sum += vote.applyAsDouble(part[position]);
        }
        return sum >= 0 ? 1 : -1;
    }
}
