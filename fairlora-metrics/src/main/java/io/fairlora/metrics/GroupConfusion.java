package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableList;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Counts labels and predictions by group, batch by batch, in memory that does not grow with the
 * number of examples: one cell for each group, label and prediction.
 *
 * <pre>{@code
 * GroupConfusion confusion = GroupConfusion.binary(Group.values("sex", "female", "male"));
 * confusion.add(labels, predictions, sexes); // codes 0 and 1
 * ConfusionSnapshot snapshot = confusion.snapshot();
 * }</pre>
 *
 * <p>Counts are exact. Sums of weights carry a second double with what rounding left over, so that
 * the order of adding and merging does not show. An accumulator is not thread-safe: give each
 * thread its own and {@link #merge} them.
 */
public final class GroupConfusion implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private static final String FORMAT = "fairlora-group-confusion/1";

    private final ImmutableList<String> classes;
    private final ArrayList<Group> groups = new ArrayList<>();
    private final HashMap<Group, Integer> codes = new HashMap<>();

    /** Examples by (group, label, prediction). */
    private long[] counts;

    /** Sums of the weights of the same examples, absent while every weight was 1. */
    private @Nullable WeightSums weights;

    GroupConfusion(
            List<String> classes, List<Group> groups, long[] counts, @Nullable WeightSums weights) {
        this.classes = ImmutableList.copyOf(classes);
        if (classes.size() < 2 || this.classes.stream().distinct().count() != classes.size()) {
            throw new IllegalArgumentException(
                    "expected two or more different classes, found " + classes);
        }
        this.counts = counts;
        this.weights = weights;
        for (Group group : groups) {
            if (codes.putIfAbsent(group, this.groups.size()) != null) {
                throw new IllegalArgumentException("group " + group + " is given twice");
            }
            this.groups.add(group);
        }
    }

    /**
     * An empty accumulator for a binary task, whose labels and predictions are 0 and 1.
     *
     * @param groups the groups; the position of each is its code. May be empty: {@link #codeOf}
     *     adds groups as they turn up
     * @return the accumulator
     * @throws IllegalArgumentException if a group is given twice
     */
    public static GroupConfusion binary(List<Group> groups) {
        return of(ImmutableList.of("0", "1"), groups);
    }

    /**
     * An empty accumulator for a task with named classes.
     *
     * @param classes the names; labels and predictions are positions in this list. With two
     *     classes, the second is the positive one
     * @param groups the groups; the position of each is its code
     * @return the accumulator
     * @throws IllegalArgumentException if there are fewer than two classes, or a class or a group
     *     is given twice
     */
    public static GroupConfusion of(List<String> classes, List<Group> groups) {
        int cells = groups.size() * classes.size() * classes.size();
        return new GroupConfusion(classes, groups, new long[cells], null);
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
     * The groups known so far.
     *
     * @return the groups by code
     */
    public ImmutableList<Group> groups() {
        return ImmutableList.copyOf(groups);
    }

    /**
     * The code of a group; an unknown group is added.
     *
     * @param group a group
     * @return its code, as {@code add} expects it
     */
    public int codeOf(Group group) {
        Integer known = codes.get(group);
        if (known != null) {
            return known;
        }
        int code = groups.size();
        groups.add(group);
        codes.put(group, code);
        int length = groups.size() * cellsPerGroup();
        counts = Arrays.copyOf(counts, length);
        if (weights != null) {
            weights = weights.resized(length);
        }
        return code;
    }

    private int cellsPerGroup() {
        return classes.size() * classes.size();
    }

    /**
     * Counts one example with weight 1.
     *
     * @param label the true class, in [0, classes)
     * @param prediction the predicted class, in [0, classes)
     * @param group the group's code
     * @throws IllegalArgumentException if a code is out of range
     */
    public void add(int label, int prediction, int group) {
        int cell = cell(label, prediction, group);
        counts[cell]++;
        if (weights != null) {
            weights.add(cell, 1);
        }
    }

    /**
     * Counts one weighted example.
     *
     * @param label the true class, in [0, classes)
     * @param prediction the predicted class, in [0, classes)
     * @param group the group's code
     * @param weight a finite number, 0 or more
     * @throws IllegalArgumentException if a code is out of range or the weight is negative or not
     *     finite
     */
    public void add(int label, int prediction, int group, double weight) {
        int cell = cell(label, prediction, group);
        WeightSums.check(weight, -1);
        weighted().add(cell, weight);
        counts[cell]++;
    }

    private int cell(int label, int prediction, int group) {
        int k = classes.size();
        if (label < 0
                || label >= k
                || prediction < 0
                || prediction >= k
                || group < 0
                || group >= groups.size()) {
            throw badRow(label, prediction, group, -1);
        }
        return (group * k + label) * k + prediction;
    }

    /**
     * Counts a batch of examples with weight 1. Nothing is counted if anything is wrong.
     *
     * @param labels the true classes, in [0, classes)
     * @param predictions the predicted classes, in [0, classes); as many
     * @param groups the groups' codes; as many
     * @throws IllegalArgumentException if the lengths differ or a code is out of range; the message
     *     names the position
     */
    public void add(int[] labels, int[] predictions, int[] groups) {
        checkLengths(labels.length, predictions.length, groups.length, labels.length);
        long[] batch = new long[counts.length];
        count(labels, predictions, groups, 0, labels.length, batch);
        addCounts(batch);
    }

    /**
     * Counts a batch of weighted examples. Nothing is counted if anything is wrong.
     *
     * @param labels the true classes, in [0, classes)
     * @param predictions the predicted classes, in [0, classes); as many
     * @param groups the groups' codes; as many
     * @param weights finite numbers, 0 or more; as many
     * @throws IllegalArgumentException if the lengths differ, a code is out of range or a weight is
     *     negative or not finite; the message names the position
     */
    public void add(int[] labels, int[] predictions, int[] groups, double[] weights) {
        checkLengths(labels.length, predictions.length, groups.length, weights.length);
        int k = classes.size();
        int known = this.groups.size();
        for (int i = 0; i < labels.length; i++) {
            if (labels[i] < 0
                    || labels[i] >= k
                    || predictions[i] < 0
                    || predictions[i] >= k
                    || groups[i] < 0
                    || groups[i] >= known) {
                throw badRow(labels[i], predictions[i], groups[i], i);
            }
            WeightSums.check(weights[i], i);
        }
        WeightSums sums = weighted();
        for (int i = 0; i < labels.length; i++) {
            int cell = (groups[i] * k + labels[i]) * k + predictions[i];
            counts[cell]++;
            sums.add(cell, weights[i]);
        }
    }

    /**
     * Counts a batch of examples with weight 1, on the device where they are.
     *
     * @param labels the true classes, shape (n) or (n, 1), any numeric type with integer values
     * @param predictions the predicted classes, in the same form
     * @param groups the groups' codes, in the same form
     * @throws IllegalArgumentException if the sizes differ or a code is out of range
     */
    public void add(NDArray labels, NDArray predictions, NDArray groups) {
        checkLengths(labels.size(), predictions.size(), groups.size(), labels.size());
        long[] batch = new long[counts.length];
        if (!HostArrays.isOnHost(labels)) {
            countOnDevice(labels, predictions, groups, batch);
        } else if (!HostArrays.areLongs(labels, predictions, groups)
                || !HostArrays.countLongs(
                        labels, predictions, groups, classes.size(), this.groups.size(), batch)) {
            // Also names the position of a code that is out of range.
            Arrays.fill(batch, 0);
            HostArrays.forEachBlock(
                    labels,
                    predictions,
                    groups,
                    (y, p, g, start, length) -> count(y, p, g, start, length, batch));
        }
        addCounts(batch);
    }

    /** Counts rows whose positions in the whole batch begin at {@code start}. */
    private void count(
            int[] labels, int[] predictions, int[] groups, int start, int length, long[] batch) {
        int k = classes.size();
        int known = this.groups.size();
        for (int i = 0; i < length; i++) {
            int label = labels[i];
            int prediction = predictions[i];
            int group = groups[i];
            if (label < 0
                    || label >= k
                    || prediction < 0
                    || prediction >= k
                    || group < 0
                    || group >= known) {
                throw badRow(label, prediction, group, start + i);
            }
            batch[(group * k + label) * k + prediction]++;
        }
    }

    /** Counts where the arrays are; on a code out of range, reads them to name the position. */
    void countOnDevice(NDArray labels, NDArray predictions, NDArray groups, long[] batch) {
        long[] found =
                HostArrays.countOnDevice(
                        labels, predictions, groups, classes.size(), this.groups.size());
        if (found[batch.length] > 0) {
            count(
                    HostArrays.codes(labels, "label"),
                    HostArrays.codes(predictions, "prediction"),
                    HostArrays.codes(groups, "group"),
                    0,
                    Math.toIntExact(labels.size()),
                    batch);
        }
        System.arraycopy(found, 0, batch, 0, batch.length);
    }

    /**
     * Counts a batch of weighted examples.
     *
     * @param labels the true classes, shape (n) or (n, 1), any numeric type with integer values
     * @param predictions the predicted classes, in the same form
     * @param groups the groups' codes, in the same form
     * @param weights finite numbers, 0 or more, as many
     * @throws IllegalArgumentException if the sizes differ, a code is out of range or a weight is
     *     negative or not finite
     */
    public void add(NDArray labels, NDArray predictions, NDArray groups, NDArray weights) {
        checkLengths(labels.size(), predictions.size(), groups.size(), weights.size());
        add(
                HostArrays.codes(labels, "label"),
                HostArrays.codes(predictions, "prediction"),
                HostArrays.codes(groups, "group"),
                HostArrays.doubles(weights));
    }

    /**
     * Adds everything another accumulator has counted; its groups are matched by value, not by
     * code.
     *
     * @param other an accumulator with the same classes; left as it is
     * @throws IllegalArgumentException if the classes differ
     */
    public void merge(GroupConfusion other) {
        if (!classes.equals(other.classes)) {
            throw new IllegalArgumentException(
                    "cannot merge counts of classes " + other.classes + " into " + classes);
        }
        long[] theirs = other.counts.clone();
        WeightSums theirWeights =
                other.weights == null
                        ? (weights == null ? null : WeightSums.ofCounts(theirs))
                        : other.weights.resized(theirs.length);
        int[] target = new int[other.groups.size()];
        for (int g = 0; g < target.length; g++) {
            target[g] = codeOf(other.groups.get(g));
        }
        WeightSums sums = theirWeights == null ? null : weighted();
        int size = cellsPerGroup();
        for (int g = 0; g < target.length; g++) {
            for (int c = 0; c < size; c++) {
                int to = target[g] * size + c;
                int from = g * size + c;
                counts[to] += theirs[from];
                if (sums != null && theirWeights != null) {
                    sums.add(to, theirWeights, from);
                }
            }
        }
    }

    private void addCounts(long[] batch) {
        for (int c = 0; c < batch.length; c++) {
            counts[c] += batch[c];
            if (weights != null) {
                weights.addOnes(c, batch[c]);
            }
        }
    }

    private WeightSums weighted() {
        if (weights == null) {
            weights = WeightSums.ofCounts(counts);
        }
        return weights;
    }

    /**
     * What has been counted so far.
     *
     * @return an immutable value, with its groups in order
     * @throws IllegalStateException if examples were counted and all their weights are zero
     */
    public ConfusionSnapshot snapshot() {
        Integer[] order = new Integer[groups.size()];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> groups.get(a).compareTo(groups.get(b)));
        int size = cellsPerGroup();
        long[] sortedCounts = new long[counts.length];
        double[] sortedWeights = weights == null ? null : new double[counts.length];
        double[] sortedSquares = weights == null ? null : new double[counts.length];
        ImmutableList.Builder<Group> sortedGroups = ImmutableList.builder();
        for (int g = 0; g < order.length; g++) {
            int from = order[g] * size;
            sortedGroups.add(groups.get(order[g]));
            System.arraycopy(counts, from, sortedCounts, g * size, size);
            for (int c = 0; c < size; c++) {
                if (weights != null && sortedWeights != null && sortedSquares != null) {
                    sortedWeights[g * size + c] = weights.weights().sum(from + c);
                    sortedSquares[g * size + c] = weights.squares().sum(from + c);
                }
            }
        }
        if (sortedWeights != null
                && Arrays.stream(sortedCounts).sum() > 0
                && Arrays.stream(sortedWeights).sum() == 0) {
            throw new IllegalStateException(
                    "all weights are zero, expected at least one above zero");
        }
        return new ConfusionSnapshot(
                classes, sortedGroups.build(), sortedCounts, sortedWeights, sortedSquares);
    }

    /**
     * Writes the exact state, in a form that later versions read.
     *
     * @return a JSON object
     */
    public String toJson() {
        ObjectNode root = AccumulatorJson.begin(FORMAT, groups);
        AccumulatorJson.putTexts(root, "classes", classes);
        AccumulatorJson.putCounts(root, "counts", counts);
        if (weights != null) {
            AccumulatorJson.putWeights(root, weights);
        }
        return root.toString();
    }

    /**
     * Reads what {@link #toJson} wrote.
     *
     * @param json a JSON object
     * @return an accumulator in the same state
     * @throws IllegalArgumentException if the text is not such an object; the message says what was
     *     found
     */
    public static GroupConfusion fromJson(String json) {
        JsonNode root = AccumulatorJson.parse(json, FORMAT);
        List<String> classes = AccumulatorJson.texts(root, "classes");
        List<Group> groups = AccumulatorJson.groups(root);
        int cells = groups.size() * classes.size() * classes.size();
        return new GroupConfusion(
                classes,
                groups,
                AccumulatorJson.counts(root, "counts", cells),
                AccumulatorJson.weights(root, cells));
    }

    private static void checkLengths(long labels, long predictions, long groups, long weights) {
        if (labels != predictions || labels != groups || labels != weights) {
            throw new IllegalArgumentException(
                    "expected as many labels as predictions, groups and weights, found "
                            + labels
                            + " labels, "
                            + predictions
                            + " predictions, "
                            + groups
                            + " groups and "
                            + weights
                            + " weights");
        }
    }

    private IllegalArgumentException badRow(int label, int prediction, int group, int row) {
        int k = classes.size();
        if (label < 0 || label >= k) {
            return badCode("label", label, row);
        }
        if (prediction < 0 || prediction >= k) {
            return badCode("prediction", prediction, row);
        }
        return badGroup(group, row);
    }

    private IllegalArgumentException badCode(String what, int found, int row) {
        String at = row < 0 ? "" : " at position " + row;
        String expected =
                classes.size() == 2 ? "0 or 1" : "a class from 0 to " + (classes.size() - 1);
        return new IllegalArgumentException(what + at + " is " + found + ", expected " + expected);
    }

    private IllegalArgumentException badGroup(int found, int row) {
        String at = row < 0 ? "" : " at position " + row;
        return new IllegalArgumentException(
                "group"
                        + at
                        + " is "
                        + found
                        + ", expected a code from 0 to "
                        + (groups.size() - 1)
                        + " of "
                        + groups);
    }
}
