package io.fairlora.metrics;

import java.io.Serial;
import java.io.Serializable;
import java.util.Arrays;

/**
 * Sums of weights and of their squares by cell, each as an unevaluated pair of doubles (Knuth's
 * two-sum; Dekker 1971), accurate to about 1e-30, so that the order of adding and merging does not
 * show after rounding to one double.
 */
final class WeightSums implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final double[] high;
    private final double[] low;
    private final double[] squareHigh;
    private final double[] squareLow;

    private WeightSums(double[] high, double[] low, double[] squareHigh, double[] squareLow) {
        this.high = high;
        this.low = low;
        this.squareHigh = squareHigh;
        this.squareLow = squareLow;
    }

    /** Sums over examples of weight 1. */
    static WeightSums ofCounts(long[] counts) {
        double[] ones = Arrays.stream(counts).asDoubleStream().toArray();
        return new WeightSums(ones, new double[ones.length], ones.clone(), new double[ones.length]);
    }

    /** Sums in the form of {@link #parts}. */
    static WeightSums ofParts(double[][] parts) {
        return new WeightSums(parts[0], parts[1], parts[2], parts[3]);
    }

    /** High and low parts of the sums, then of the sums of squares. */
    double[][] parts() {
        return new double[][] {high.clone(), low.clone(), squareHigh.clone(), squareLow.clone()};
    }

    static void check(double weight, int row) {
        if (!(weight >= 0) || weight == Double.POSITIVE_INFINITY) {
            throw new IllegalArgumentException(
                    "weight"
                            + (row < 0 ? "" : " at position " + row)
                            + " is "
                            + weight
                            + ", expected a finite number of 0 or more");
        }
    }

    WeightSums copy() {
        return resized(high.length);
    }

    WeightSums resized(int length) {
        return new WeightSums(
                Arrays.copyOf(high, length),
                Arrays.copyOf(low, length),
                Arrays.copyOf(squareHigh, length),
                Arrays.copyOf(squareLow, length));
    }

    void add(int cell, double weight) {
        accumulate(high, low, cell, weight, 0);
        double square = weight * weight;
        accumulate(squareHigh, squareLow, cell, square, Math.fma(weight, weight, -square));
    }

    /** Adds {@code count} examples of weight 1. */
    void addOnes(int cell, long count) {
        accumulate(high, low, cell, (double) count, 0);
        accumulate(squareHigh, squareLow, cell, (double) count, 0);
    }

    void add(int cell, WeightSums other, int otherCell) {
        accumulate(high, low, cell, other.high[otherCell], other.low[otherCell]);
        accumulate(
                squareHigh,
                squareLow,
                cell,
                other.squareHigh[otherCell],
                other.squareLow[otherCell]);
    }

    double sum(int cell) {
        return high[cell] + low[cell];
    }

    double sumOfSquares(int cell) {
        return squareHigh[cell] + squareLow[cell];
    }

    private static void accumulate(
            double[] high, double[] low, int cell, double addHigh, double addLow) {
        double a = high[cell];
        double sum = a + addHigh;
        double part = sum - a;
        double error = (a - (sum - part)) + (addHigh - part);
        double rest = low[cell] + addLow + error;
        double total = sum + rest;
        high[cell] = total;
        low[cell] = rest - (total - sum);
    }
}
