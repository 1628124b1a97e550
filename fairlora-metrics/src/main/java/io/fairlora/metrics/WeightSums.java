package io.fairlora.metrics;

import java.io.Serial;
import java.io.Serializable;

/** Sums of weights and of their squares by cell. */
final class WeightSums implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final CompensatedSums weights;
    private final CompensatedSums squares;

    WeightSums(CompensatedSums weights, CompensatedSums squares) {
        this.weights = weights;
        this.squares = squares;
    }

    /** Sums over examples of weight 1. */
    static WeightSums ofCounts(long[] counts) {
        return new WeightSums(CompensatedSums.ofCounts(counts), CompensatedSums.ofCounts(counts));
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

    WeightSums resized(int cells) {
        return new WeightSums(weights.resized(cells), squares.resized(cells));
    }

    CompensatedSums weights() {
        return weights;
    }

    CompensatedSums squares() {
        return squares;
    }

    void add(int cell, double weight) {
        weights.add(cell, weight);
        squares.addSquare(cell, weight);
    }

    /** Adds {@code count} examples of weight 1. */
    void addOnes(int cell, long count) {
        weights.add(cell, (double) count);
        squares.add(cell, (double) count);
    }

    void add(int cell, WeightSums other, int otherCell) {
        weights.add(cell, other.weights, otherCell);
        squares.add(cell, other.squares, otherCell);
    }
}
