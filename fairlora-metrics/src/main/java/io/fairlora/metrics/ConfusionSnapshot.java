package io.fairlora.metrics;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import java.io.Serial;
import java.io.Serializable;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Labels and predictions counted by group: an immutable value from which all figures are computed.
 *
 * <p>Groups are in their natural order. Rates use the weights; group sizes and tests use the
 * counts. Without weights both are the same.
 */
public final class ConfusionSnapshot implements Resamplable<ConfusionSnapshot>, Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final ImmutableList<String> classes;
    private final ImmutableList<Group> groups;
    private final ImmutableMap<Group, Integer> index;
    private final long[] counts;
    private final double @Nullable [] weights;
    private final double @Nullable [] squares;

    ConfusionSnapshot(
            ImmutableList<String> classes,
            ImmutableList<Group> groups,
            long[] counts,
            double @Nullable [] weights,
            double @Nullable [] squares) {
        this(classes, groups, index(groups), counts, weights, squares);
    }

    private ConfusionSnapshot(
            ImmutableList<String> classes,
            ImmutableList<Group> groups,
            ImmutableMap<Group, Integer> index,
            long[] counts,
            double @Nullable [] weights,
            double @Nullable [] squares) {
        this.classes = classes;
        this.groups = groups;
        this.index = index;
        this.counts = counts;
        this.weights = weights;
        this.squares = squares;
    }

    private static ImmutableMap<Group, Integer> index(ImmutableList<Group> groups) {
        ImmutableMap.Builder<Group, Integer> index = ImmutableMap.builder();
        for (int i = 0; i < groups.size(); i++) {
            index.put(groups.get(i), i);
        }
        return index.buildOrThrow();
    }

    /**
     * The classes of the task.
     *
     * @return their names by code
     */
    public ImmutableList<String> classes() {
        return classes;
    }

    /**
     * The groups, also those without examples.
     *
     * @return the groups in order
     */
    public ImmutableList<Group> groups() {
        return groups;
    }

    /**
     * Whether the task has two classes, of which the second is the positive one.
     *
     * @return true for a binary task
     */
    public boolean isBinary() {
        return classes.size() == 2;
    }

    /**
     * Whether any example had a weight.
     *
     * @return true if weights and counts may differ
     */
    public boolean isWeighted() {
        return weights != null;
    }

    /**
     * All examples.
     *
     * @return their number
     */
    public long count() {
        return Arrays.stream(counts).sum();
    }

    /**
     * The examples of a group.
     *
     * @param group one of {@link #groups}
     * @return their number
     * @throws IllegalArgumentException if the group is unknown
     */
    public long count(Group group) {
        int from = indexOf(group) * cellsPerGroup();
        return Arrays.stream(counts, from, from + cellsPerGroup()).sum();
    }

    /**
     * The examples of a group with one label and one prediction.
     *
     * @param group one of {@link #groups}
     * @param label a class's code
     * @param prediction a class's code
     * @return their number
     * @throws IllegalArgumentException if the group or a class is unknown
     */
    public long count(Group group, int label, int prediction) {
        return counts[cell(group, label, prediction)];
    }

    /**
     * The sum of the weights of the examples of a group with one label and one prediction.
     *
     * @param group one of {@link #groups}
     * @param label a class's code
     * @param prediction a class's code
     * @return the sum; the count where there are no weights
     * @throws IllegalArgumentException if the group or a class is unknown
     */
    public double weight(Group group, int label, int prediction) {
        return weightOf(cell(group, label, prediction));
    }

    private int cell(Group group, int label, int prediction) {
        checkClass(label);
        checkClass(prediction);
        return (indexOf(group) * classes.size() + label) * classes.size() + prediction;
    }

    private void checkClass(int code) {
        if (code < 0 || code >= classes.size()) {
            throw new IllegalArgumentException(
                    "class " + code + " is unknown, expected 0 to " + (classes.size() - 1));
        }
    }

    private int indexOf(Group group) {
        Integer position = index.get(group);
        if (position == null) {
            throw new IllegalArgumentException(
                    "group " + group + " is unknown, expected one of " + groups);
        }
        return position;
    }

    private int cellsPerGroup() {
        return classes.size() * classes.size();
    }

    private double weightOf(int cell) {
        return weights == null ? counts[cell] : weights[cell];
    }

    /**
     * The confusion matrix of a group in a binary task.
     *
     * @param group one of {@link #groups}
     * @return its four cells
     * @throws IllegalArgumentException if the group is unknown
     * @throws IllegalStateException if the task has more than two classes
     */
    public BinaryConfusion confusion(Group group) {
        return confusion(group, binaryPositive());
    }

    /**
     * The confusion matrix of one class against the rest in a group.
     *
     * @param group one of {@link #groups}
     * @param positive the class that counts as positive
     * @return its four cells
     * @throws IllegalArgumentException if the group or the class is unknown
     */
    public BinaryConfusion confusion(Group group, int positive) {
        int index = indexOf(group);
        return confusion(index, index + 1, positive, weights);
    }

    /**
     * The confusion matrix over all groups in a binary task.
     *
     * @return its four cells
     * @throws IllegalStateException if the task has more than two classes
     */
    public BinaryConfusion overallConfusion() {
        return overallConfusion(binaryPositive());
    }

    /**
     * The confusion matrix of one class against the rest over all groups.
     *
     * @param positive the class that counts as positive
     * @return its four cells
     * @throws IllegalArgumentException if the class is unknown
     */
    public BinaryConfusion overallConfusion(int positive) {
        return confusion(0, groups.size(), positive, weights);
    }

    /**
     * The sums of the squared weights of a group in a binary task, for the variance of weighted
     * rates.
     *
     * @param group one of {@link #groups}
     * @return its four cells; the counts where there are no weights
     * @throws IllegalArgumentException if the group is unknown
     * @throws IllegalStateException if the task has more than two classes
     */
    public BinaryConfusion squaredConfusion(Group group) {
        int index = indexOf(group);
        return confusion(index, index + 1, binaryPositive(), squares);
    }

    /**
     * The sums of the squared weights over all groups in a binary task.
     *
     * @return the four cells
     * @throws IllegalStateException if the task has more than two classes
     */
    public BinaryConfusion overallSquaredConfusion() {
        return confusion(0, groups.size(), binaryPositive(), squares);
    }

    private int binaryPositive() {
        if (!isBinary()) {
            throw new IllegalStateException(
                    "the task has "
                            + classes.size()
                            + " classes: name the one that counts as positive");
        }
        return 1;
    }

    private BinaryConfusion confusion(
            int firstGroup, int lastGroup, int positive, double @Nullable [] values) {
        checkClass(positive);
        int k = classes.size();
        double tp = 0;
        double fp = 0;
        double tn = 0;
        double fn = 0;
        for (int g = firstGroup; g < lastGroup; g++) {
            for (int y = 0; y < k; y++) {
                for (int p = 0; p < k; p++) {
                    int cell = (g * k + y) * k + p;
                    double w = values == null ? counts[cell] : values[cell];
                    if (y == positive) {
                        if (p == positive) {
                            tp += w;
                        } else {
                            fn += w;
                        }
                    } else if (p == positive) {
                        fp += w;
                    } else {
                        tn += w;
                    }
                }
            }
        }
        return new BinaryConfusion(tp, fp, tn, fn);
    }

    /**
     * A rate of a group. With more than two classes, accuracy is the share of correct predictions,
     * balanced accuracy the mean recall over the classes, and any other rate the mean over the
     * classes of the rate of that class against the rest (macro average); a mean is undefined if
     * one of its terms is.
     *
     * @param rate the rate
     * @param group one of {@link #groups}
     * @return its value
     * @throws IllegalArgumentException if the group is unknown
     */
    public Figure rate(Rate rate, Group group) {
        int index = indexOf(group);
        return rate(rate, index, index + 1);
    }

    /**
     * A rate over all groups; see {@link #rate(Rate, Group)} for more than two classes.
     *
     * @param rate the rate
     * @return its value
     */
    public Figure rate(Rate rate) {
        return rate(rate, 0, groups.size());
    }

    private Figure rate(Rate rate, int firstGroup, int lastGroup) {
        if (isBinary()) {
            return rate.of(confusion(firstGroup, lastGroup, 1, weights));
        }
        if (rate == Rate.ACCURACY) {
            double correct = 0;
            double total = 0;
            for (int k = 0; k < classes.size(); k++) {
                BinaryConfusion cells = confusion(firstGroup, lastGroup, k, weights);
                correct += cells.truePositives();
                total = cells.total();
            }
            return Figure.quotient(correct, total, "no examples");
        }
        Rate term = rate == Rate.BALANCED_ACCURACY ? Rate.TRUE_POSITIVE_RATE : rate;
        double sum = 0;
        for (int k = 0; k < classes.size(); k++) {
            Figure value = term.of(confusion(firstGroup, lastGroup, k, weights));
            if (!value.isDefined()) {
                return Figure.undefined(value.reason().orElse("") + " of class " + classes.get(k));
            }
            sum += value.value();
        }
        return Figure.of(sum / classes.size());
    }

    /**
     * The binary task of one class against the rest.
     *
     * @param positive the class that counts as positive
     * @return a snapshot with two classes, "rest" and the given one
     * @throws IllegalArgumentException if the class is unknown
     */
    public ConfusionSnapshot oneVersusRest(int positive) {
        checkClass(positive);
        int k = classes.size();
        int cells = groups.size() * 4;
        long[] newCounts = new long[cells];
        double[] newWeights = weights == null ? null : new double[cells];
        double[] newSquares = squares == null ? null : new double[cells];
        for (int cell = 0; cell < counts.length; cell++) {
            int y = cell / k % k == positive ? 1 : 0;
            int p = cell % k == positive ? 1 : 0;
            int to = (cell / (k * k) * 2 + y) * 2 + p;
            newCounts[to] += counts[cell];
            if (newWeights != null && weights != null) {
                newWeights[to] += weights[cell];
            }
            if (newSquares != null && squares != null) {
                newSquares[to] += squares[cell];
            }
        }
        return new ConfusionSnapshot(
                ImmutableList.of("not " + classes.get(positive), classes.get(positive)),
                groups,
                index,
                newCounts,
                newWeights,
                newSquares);
    }

    /**
     * The same examples with weight 1 each.
     *
     * @return this if there are no weights
     */
    public ConfusionSnapshot unweighted() {
        return weights == null
                ? this
                : new ConfusionSnapshot(classes, groups, index, counts, null, null);
    }

    /** Examples by (group, label, prediction), the prediction fastest. */
    @Override
    public long[] cellCounts() {
        return counts.clone();
    }

    @Override
    public double[] cellWeights() {
        return weights == null ? Arrays.stream(counts).asDoubleStream().toArray() : weights.clone();
    }

    @Override
    public double[] cellSquaredWeights() {
        return squares == null ? Arrays.stream(counts).asDoubleStream().toArray() : squares.clone();
    }

    @Override
    public ConfusionSnapshot reweighted(double[] newWeights) {
        if (newWeights.length != counts.length) {
            throw new IllegalArgumentException(
                    "found "
                            + newWeights.length
                            + " weights, expected one for each of "
                            + counts.length
                            + " cells");
        }
        return new ConfusionSnapshot(classes, groups, index, counts, newWeights.clone(), squares);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ConfusionSnapshot that
                && classes.equals(that.classes)
                && groups.equals(that.groups)
                && Arrays.equals(counts, that.counts)
                && Arrays.equals(weights, that.weights)
                && Arrays.equals(squares, that.squares);
    }

    @Override
    public int hashCode() {
        return Objects.hash(classes, groups, Arrays.hashCode(counts), Arrays.hashCode(weights));
    }

    @Override
    public String toString() {
        return "ConfusionSnapshot[" + count() + " examples, " + groups.size() + " groups]";
    }
}
