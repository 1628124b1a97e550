package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Arrays;

/**
 * How the examples of a part spread over the cells of task class y and sensitive class s.
 * Immutable.
 */
public final class CellLaw {

    private enum Kind {
        NATURAL,
        BALANCED,
        CORRELATED,
        CORRELATED_ALONG_NATURE,
        CONDITIONAL
    }

    private final Kind kind;
    private final double correlation;
    private final int[] aligned;
    private final double[][] conditional;

    private CellLaw(Kind kind, double correlation, int[] aligned, double[][] conditional) {
        this.kind = kind;
        this.correlation = correlation;
        this.aligned = aligned;
        this.conditional = conditional;
    }

    /**
     * As in all examples with both labels.
     *
     * @return the law
     */
    public static CellLaw natural() {
        return new CellLaw(Kind.NATURAL, 0, new int[0], new double[0][]);
    }

    /**
     * The same number in every cell, so that y and s are independent and every class is as frequent
     * as any other.
     *
     * @return the law
     */
    public static CellLaw balanced() {
        return new CellLaw(Kind.BALANCED, 0, new int[0], new double[0][]);
    }

    /**
     * A planted correlation: every sensitive class is equally frequent, and P(y = a(s) | s) is the
     * given number, where a(s) is the task class aligned with s; the rest of each sensitive class
     * spreads evenly over the other task classes. With two classes of each kind P(s | y) is the
     * same table. With k task classes 1/k is no correlation, and less favours the other classes.
     *
     * @param correlation P(y = a(s) | s), in [0, 1]
     * @param aligned a(s) for every s; without any it is {@code s mod k}
     * @return the law
     * @throws IllegalArgumentException if the number is outside [0, 1]
     */
    public static CellLaw correlated(double correlation, int... aligned) {
        checkArgument(
                correlation >= 0 && correlation <= 1,
                "a correlation must be from 0 to 1, found %s",
                correlation);
        return new CellLaw(Kind.CORRELATED, correlation, aligned.clone(), new double[0][]);
    }

    /**
     * A planted correlation as in {@link #correlated}, in the direction in which y and s go
     * together anyway: a(s) is the task class with the largest P(y | s) / P(y) in all examples. It
     * needs fewest of the rare examples, so that it gives the larger training sets.
     *
     * @param correlation P(y = a(s) | s), in [0, 1]
     * @return the law
     * @throws IllegalArgumentException if the number is outside [0, 1]
     */
    public static CellLaw correlatedAlongNature(double correlation) {
        return new CellLaw(
                Kind.CORRELATED_ALONG_NATURE,
                correlated(correlation).correlation,
                new int[0],
                new double[0][]);
    }

    /**
     * Any P(y | s), every sensitive class being equally frequent.
     *
     * @param taskGivenSensitive a row for each sensitive class with a probability for each task
     *     class, in [0, 1] and together 1; copied
     * @return the law
     * @throws IllegalArgumentException if a row does not add up to 1 or has a number outside [0, 1]
     */
    public static CellLaw conditional(double[][] taskGivenSensitive) {
        double[][] copy = new double[taskGivenSensitive.length][];
        for (int s = 0; s < copy.length; s++) {
            copy[s] = taskGivenSensitive[s].clone();
            double sum = Arrays.stream(copy[s]).sum();
            checkArgument(
                    Math.abs(sum - 1) < 1e-9 && Arrays.stream(copy[s]).allMatch(p -> p >= 0),
                    "P(y | s = %s) must be at least 0 and add up to 1, found %s",
                    s,
                    Arrays.toString(copy[s]));
        }
        return new CellLaw(Kind.CONDITIONAL, 0, new int[0], copy);
    }

    boolean isNatural() {
        return kind == Kind.NATURAL;
    }

    /**
     * The probability of every cell.
     *
     * @param natural how many examples each cell has, by y, then s
     * @return the probabilities, by y, then s; together 1
     */
    double[][] probabilities(int[][] natural) {
        int tasks = natural.length;
        int groups = natural[0].length;
        double[][] cells = new double[tasks][groups];
        double total = Arrays.stream(natural).flatMapToInt(Arrays::stream).sum();
        checkShape(tasks, groups);
        for (int y = 0; y < tasks; y++) {
            for (int s = 0; s < groups; s++) {
                cells[y][s] =
                        switch (kind) {
                            case NATURAL -> natural[y][s] / total;
                            case BALANCED -> 1.0 / (tasks * groups);
                            case CONDITIONAL -> conditional[s][y] / groups;
                            case CORRELATED, CORRELATED_ALONG_NATURE ->
                                    (y == alignedWith(s, natural)
                                                    ? correlation
                                                    : (1 - correlation) / (tasks - 1))
                                            / groups;
                        };
            }
        }
        return cells;
    }

    private int alignedWith(int s, int[][] natural) {
        if (kind == Kind.CORRELATED && aligned.length > 0) {
            return aligned[s];
        }
        int best = s % natural.length;
        if (kind == Kind.CORRELATED_ALONG_NATURE) {
            for (int y = 0; y < natural.length; y++) {
                // P(y | s) / P(y) compared through products, as there may be no example of a class.
                long here = (long) natural[y][s] * Arrays.stream(natural[best]).sum();
                long there = (long) natural[best][s] * Arrays.stream(natural[y]).sum();
                best = here > there ? y : best;
            }
        }
        return best;
    }

    private void checkShape(int tasks, int groups) {
        if (kind == Kind.CONDITIONAL) {
            checkArgument(
                    conditional.length == groups
                            && Arrays.stream(conditional).allMatch(row -> row.length == tasks),
                    "P(y | s) must have %s rows of %s numbers",
                    groups,
                    tasks);
        }
        if (kind == Kind.CORRELATED && aligned.length > 0) {
            checkArgument(
                    aligned.length == groups
                            && Arrays.stream(aligned).allMatch(y -> y >= 0 && y < tasks),
                    "the aligned classes must be %s numbers from 0 to %s, found %s",
                    groups,
                    tasks - 1,
                    Arrays.toString(aligned));
        }
    }

    @Override
    public String toString() {
        return switch (kind) {
            case NATURAL -> "natural";
            case BALANCED -> "balanced";
            case CORRELATED -> "correlated " + correlation;
            case CORRELATED_ALONG_NATURE -> "correlated along nature " + correlation;
            case CONDITIONAL -> "P(y | s) = " + Arrays.deepToString(conditional);
        };
    }
}
