package io.fairlora.metrics;

import java.io.Serial;
import java.io.Serializable;
import java.util.Arrays;

/**
 * Sums by cell, each an unevaluated pair of doubles (Knuth's two-sum; Dekker 1971, "A
 * floating-point technique for extending the available precision"). They are accurate to about
 * 1e-30, so that the order of adding and merging does not show after rounding to one double.
 */
final class CompensatedSums implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final double[] high;
    private final double[] low;

    private CompensatedSums(double[] high, double[] low) {
        this.high = high;
        this.low = low;
    }

    static CompensatedSums zeros(int cells) {
        return new CompensatedSums(new double[cells], new double[cells]);
    }

    static CompensatedSums of(double[] high, double[] low) {
        return new CompensatedSums(high.clone(), low.clone());
    }

    static CompensatedSums ofCounts(long[] counts) {
        double[] high = Arrays.stream(counts).asDoubleStream().toArray();
        return new CompensatedSums(high, new double[high.length]);
    }

    /** A copy with cells of zero at the end. */
    CompensatedSums resized(int cells) {
        return new CompensatedSums(Arrays.copyOf(high, cells), Arrays.copyOf(low, cells));
    }

    double[] high() {
        return high.clone();
    }

    double[] low() {
        return low.clone();
    }

    double sum(int cell) {
        return high[cell] + low[cell];
    }

    void add(int cell, double value) {
        add(cell, value, 0);
    }

    /** Adds the exact square of a number. */
    void addSquare(int cell, double value) {
        double square = value * value;
        add(cell, square, Math.fma(value, value, -square));
    }

    void add(int cell, CompensatedSums other, int otherCell) {
        add(cell, other.high[otherCell], other.low[otherCell]);
    }

    private void add(int cell, double addHigh, double addLow) {
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
