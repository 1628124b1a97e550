package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableList;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;

/**
 * Collects scores and binary labels by group, batch by batch, for figures that need more than a
 * decision: AUC, calibration, Brier score, ROC curves.
 *
 * <p>{@link #exact} keeps every score. {@link #binned} keeps sums over bins and so needs constant
 * memory; its means, Brier score and loss are exact, its AUC differs from the exact one by at most
 * half the chance that a positive and a negative share a bin.
 *
 * <p>Not thread-safe: give each thread its own and {@link #merge} them.
 */
public final class GroupScores implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private static final String FORMAT = "fairlora-group-scores/1";

    /** Number of bins, 0 if every score is kept. */
    private final int bins;

    private final ArrayList<Group> groups = new ArrayList<>();
    private final HashMap<Group, Integer> codes = new HashMap<>();
    private final ArrayList<ScoreStore> stores = new ArrayList<>();

    private GroupScores(List<Group> groups, int bins) {
        this.bins = bins;
        for (Group group : groups) {
            if (codes.containsKey(group)) {
                throw new IllegalArgumentException("group " + group + " is given twice");
            }
            codeOf(group);
        }
    }

    /**
     * An empty accumulator that keeps every score, for any finite scores.
     *
     * @param groups the groups; the position of each is its code. May be empty: {@link #codeOf}
     *     adds groups as they turn up
     * @return the accumulator
     * @throws IllegalArgumentException if a group is given twice
     */
    public static GroupScores exact(List<Group> groups) {
        return new GroupScores(groups, 0);
    }

    /**
     * An empty accumulator of constant size, for scores in [0, 1].
     *
     * @param groups the groups; the position of each is its code
     * @param bins number of bins of equal width, 2 or more; a multiple of 15 keeps the expected
     *     calibration error exact
     * @return the accumulator
     * @throws IllegalArgumentException if a group is given twice or there are fewer than 2 bins
     */
    public static GroupScores binned(List<Group> groups, int bins) {
        if (bins < 2) {
            throw new IllegalArgumentException(
                    "number of bins is " + bins + ", expected 2 or more");
        }
        return new GroupScores(groups, bins);
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
        codes.put(group, groups.size());
        groups.add(group);
        stores.add(bins == 0 ? new ExactScores() : new BinnedScores(bins));
        return groups.size() - 1;
    }

    /**
     * Adds one example with weight 1.
     *
     * @param label 0 or 1
     * @param score a finite number; in [0, 1] if binned
     * @param group the group's code
     * @throws IllegalArgumentException if an argument is out of range
     */
    public void add(int label, double score, int group) {
        add(label, score, group, 1);
    }

    /**
     * Adds one weighted example.
     *
     * @param label 0 or 1
     * @param score a finite number; in [0, 1] if binned
     * @param group the group's code
     * @param weight a finite number, 0 or more
     * @throws IllegalArgumentException if an argument is out of range
     */
    public void add(int label, double score, int group, double weight) {
        check(label, score, group, weight, -1);
        stores.get(group).add(label, score, weight);
    }

    /**
     * Adds a batch of examples with weight 1. Nothing is added if anything is wrong.
     *
     * @param labels 0 or 1
     * @param scores finite numbers, in [0, 1] if binned; as many
     * @param groups the groups' codes; as many
     * @throws IllegalArgumentException if the lengths differ or a value is out of range; the
     *     message names the position
     */
    public void add(int[] labels, double[] scores, int[] groups) {
        double[] ones = new double[labels.length];
        Arrays.fill(ones, 1);
        add(labels, scores, groups, ones);
    }

    /**
     * Adds a batch of weighted examples. Nothing is added if anything is wrong.
     *
     * @param labels 0 or 1
     * @param scores finite numbers, in [0, 1] if binned; as many
     * @param groups the groups' codes; as many
     * @param weights finite numbers, 0 or more; as many
     * @throws IllegalArgumentException if the lengths differ or a value is out of range; the
     *     message names the position
     */
    public void add(int[] labels, double[] scores, int[] groups, double[] weights) {
        if (labels.length != scores.length
                || labels.length != groups.length
                || labels.length != weights.length) {
            throw new IllegalArgumentException(
                    "expected as many labels as scores, groups and weights, found "
                            + labels.length
                            + " labels, "
                            + scores.length
                            + " scores, "
                            + groups.length
                            + " groups and "
                            + weights.length
                            + " weights");
        }
        for (int i = 0; i < labels.length; i++) {
            check(labels[i], scores[i], groups[i], weights[i], i);
        }
        for (int i = 0; i < labels.length; i++) {
            stores.get(groups[i]).add(labels[i], scores[i], weights[i]);
        }
    }

    /**
     * Adds a batch of examples with weight 1.
     *
     * @param labels 0 or 1, shape (n) or (n, 1), any numeric type
     * @param scores finite numbers, in [0, 1] if binned; in the same form
     * @param groups the groups' codes, in the same form
     * @throws IllegalArgumentException if the sizes differ or a value is out of range
     */
    public void add(NDArray labels, NDArray scores, NDArray groups) {
        add(
                HostArrays.codes(labels, "label"),
                HostArrays.doubles(scores),
                HostArrays.codes(groups, "group"));
    }

    /**
     * Adds a batch of weighted examples.
     *
     * @param labels 0 or 1, shape (n) or (n, 1), any numeric type
     * @param scores finite numbers, in [0, 1] if binned; in the same form
     * @param groups the groups' codes, in the same form
     * @param weights finite numbers, 0 or more; in the same form
     * @throws IllegalArgumentException if the sizes differ or a value is out of range
     */
    public void add(NDArray labels, NDArray scores, NDArray groups, NDArray weights) {
        add(
                HostArrays.codes(labels, "label"),
                HostArrays.doubles(scores),
                HostArrays.codes(groups, "group"),
                HostArrays.doubles(weights));
    }

    private void check(int label, double score, int group, double weight, int row) {
        String at = row < 0 ? "" : " at position " + row;
        if (label != 0 && label != 1) {
            throw new IllegalArgumentException("label" + at + " is " + label + ", expected 0 or 1");
        }
        if (!Double.isFinite(score) || (bins > 0 && !(score >= 0 && score <= 1))) {
            throw new IllegalArgumentException(
                    "score"
                            + at
                            + " is "
                            + score
                            + (bins > 0
                                    ? ", expected a number from 0 to 1"
                                    : ", expected a finite number"));
        }
        if (group < 0 || group >= groups.size()) {
            throw new IllegalArgumentException(
                    "group"
                            + at
                            + " is "
                            + group
                            + ", expected a code from 0 to "
                            + (groups.size() - 1));
        }
        WeightSums.check(weight, row);
    }

    /**
     * Adds everything another accumulator has collected; its groups are matched by value, not by
     * code.
     *
     * @param other an accumulator with the same bins; left as it is
     * @throws IllegalArgumentException if one is exact and the other binned, or the numbers of bins
     *     differ
     */
    public void merge(GroupScores other) {
        if (bins != other.bins) {
            throw new IllegalArgumentException(
                    "cannot merge scores in " + other.binning() + " into scores in " + binning());
        }
        int theirs = other.groups.size();
        for (int g = 0; g < theirs; g++) {
            stores.get(codeOf(other.groups.get(g))).merge(other.stores.get(g));
        }
    }

    private String binning() {
        return bins == 0 ? "exact form" : bins + " bins";
    }

    /**
     * What has been collected so far.
     *
     * @return an immutable value, with its groups in order
     */
    public ScoreSnapshot snapshot() {
        List<Group> sorted = groups.stream().sorted().toList();
        List<ScorePoints> points = new ArrayList<>();
        for (Group group : sorted) {
            points.add(stores.get(codeOf(group)).points());
        }
        return ScoreSnapshot.of(ImmutableList.copyOf(sorted), points);
    }

    /**
     * Writes the exact state, in a form that later versions read.
     *
     * @return a JSON object
     */
    public String toJson() {
        ObjectNode root = AccumulatorJson.begin(FORMAT, groups);
        root.put("bins", bins);
        ArrayNode nodes = root.putArray("stores");
        for (ScoreStore store : stores) {
            store.write(nodes.addObject());
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
    public static GroupScores fromJson(String json) {
        JsonNode root = AccumulatorJson.parse(json, FORMAT);
        List<Group> groups = AccumulatorJson.groups(root);
        int bins = root.path("bins").asInt();
        JsonNode nodes = root.path("stores");
        if (nodes.size() != groups.size()) {
            throw new IllegalArgumentException(
                    "stores has " + nodes.size() + " entries, expected " + groups.size());
        }
        GroupScores scores = bins == 0 ? exact(groups) : binned(groups, bins);
        for (int g = 0; g < groups.size(); g++) {
            scores.stores.set(
                    g,
                    bins == 0
                            ? ExactScores.read(nodes.get(g))
                            : BinnedScores.read(nodes.get(g), bins));
        }
        return scores;
    }
}
