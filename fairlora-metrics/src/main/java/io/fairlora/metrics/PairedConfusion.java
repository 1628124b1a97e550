package io.fairlora.metrics;

import com.google.common.collect.ImmutableList;
import java.io.Serial;
import java.io.Serializable;
import java.util.List;

/**
 * Counts the predictions of two models on the same examples by group, so that they can be compared
 * example by example.
 */
public final class PairedConfusion implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final int classes;

    /** Both predictions as one class of a task with the square of the number of classes. */
    private final GroupConfusion joint;

    private final ImmutableList<String> names;

    private PairedConfusion(ImmutableList<String> names, List<Group> groups) {
        this.names = names;
        this.classes = names.size();
        ImmutableList.Builder<String> pairs = ImmutableList.builder();
        for (String first : names) {
            for (String second : names) {
                pairs.add(first + " then " + second);
            }
        }
        this.joint = GroupConfusion.of(pairs.build(), groups);
    }

    /**
     * An empty accumulator for a binary task.
     *
     * @param groups the groups; the position of each is its code
     * @return the accumulator
     * @throws IllegalArgumentException if a group is given twice
     */
    public static PairedConfusion binary(List<Group> groups) {
        return of(ImmutableList.of("0", "1"), groups);
    }

    /**
     * An empty accumulator for a task with named classes.
     *
     * @param classes the names, at least two; labels and predictions are positions in this list
     * @param groups the groups; the position of each is its code
     * @return the accumulator
     * @throws IllegalArgumentException if there are fewer than two classes, or a class or a group
     *     is given twice
     */
    public static PairedConfusion of(List<String> classes, List<Group> groups) {
        return new PairedConfusion(ImmutableList.copyOf(classes), groups);
    }

    /**
     * Counts a batch of examples. Nothing is counted if anything is wrong.
     *
     * @param labels the true classes, in [0, classes)
     * @param first the classes predicted by the first model; as many
     * @param second the classes predicted by the second model; as many
     * @param groups the groups' codes; as many
     * @throws IllegalArgumentException if the lengths differ or a code is out of range; the message
     *     names the position
     */
    public void add(int[] labels, int[] first, int[] second, int[] groups) {
        if (first.length != second.length) {
            throw new IllegalArgumentException(
                    "expected as many predictions of both models, found "
                            + first.length
                            + " and "
                            + second.length);
        }
        int[] pairs = new int[first.length];
        for (int i = 0; i < pairs.length; i++) {
            check(first[i], "first prediction", i);
            check(second[i], "second prediction", i);
            if (i < labels.length) {
                check(labels[i], "label", i);
            }
            pairs[i] = first[i] * classes + second[i];
        }
        joint.add(labels, pairs, groups);
    }

    private void check(int code, String what, int row) {
        if (code < 0 || code >= classes) {
            throw new IllegalArgumentException(
                    what
                            + " at position "
                            + row
                            + " is "
                            + code
                            + ", expected a class from 0 to "
                            + (classes - 1));
        }
    }

    /**
     * Adds everything another accumulator has counted.
     *
     * @param other an accumulator with the same classes; left as it is
     * @throws IllegalArgumentException if the classes differ
     */
    public void merge(PairedConfusion other) {
        joint.merge(other.joint);
    }

    /**
     * What has been counted so far.
     *
     * @return an immutable value, with its groups in order
     */
    public PairedSnapshot snapshot() {
        return new PairedSnapshot(names, joint.snapshot());
    }
}
