package io.fairlora.metrics;

import com.google.common.collect.ImmutableList;
import java.io.Serial;
import java.io.Serializable;
import java.util.function.Function;

/** Labels and the predictions of two models counted by group: an immutable value. */
public final class PairedSnapshot implements Resamplable<PairedSnapshot>, Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final ImmutableList<String> classes;
    private final ConfusionSnapshot joint;

    PairedSnapshot(ImmutableList<String> classes, ConfusionSnapshot joint) {
        this.classes = classes;
        this.joint = joint;
    }

    /**
     * The groups.
     *
     * @return the groups in order
     */
    public ImmutableList<Group> groups() {
        return joint.groups();
    }

    /**
     * The first model alone.
     *
     * @return its predictions counted by group
     */
    public ConfusionSnapshot first() {
        return marginal(true);
    }

    /**
     * The second model alone.
     *
     * @return its predictions counted by group
     */
    public ConfusionSnapshot second() {
        return marginal(false);
    }

    private ConfusionSnapshot marginal(boolean first) {
        int k = classes.size();
        int pairs = k * k;
        int cells = joint.groups().size() * k * k;
        long[] counts = new long[cells];
        double[] weights = new double[cells];
        double[] squares = new double[cells];
        long[] jointCounts = joint.cellCounts();
        double[] jointWeights = joint.cellWeights();
        double[] jointSquares = joint.cellSquaredWeights();
        for (int cell = 0; cell < jointCounts.length; cell++) {
            int label = cell / pairs % pairs;
            if (label >= k) {
                continue;
            }
            int pair = cell % pairs;
            int prediction = first ? pair / k : pair % k;
            int to = (cell / (pairs * pairs) * k + label) * k + prediction;
            counts[to] += jointCounts[cell];
            weights[to] += jointWeights[cell];
            squares[to] += jointSquares[cell];
        }
        return new ConfusionSnapshot(classes, joint.groups(), counts, weights, squares);
    }

    /**
     * How much a figure changes from the first model to the second.
     *
     * @param figure computes a figure from one model's snapshot
     * @return second minus first; undefined if either is
     */
    public Figure change(Function<ConfusionSnapshot, Figure> figure) {
        Figure before = figure.apply(first());
        Figure after = figure.apply(second());
        return before.isDefined() ? after.map(a -> a - before.value()) : before;
    }

    /**
     * The examples of a group that exactly one model gets right.
     *
     * @param group one of {@link #groups}
     * @param firstIsRight which model
     * @return their number
     * @throws IllegalArgumentException if the group is unknown
     */
    public long discordant(Group group, boolean firstIsRight) {
        int k = classes.size();
        long sum = 0;
        for (int label = 0; label < k; label++) {
            for (int other = 0; other < k; other++) {
                if (other != label) {
                    int pair = firstIsRight ? label * k + other : other * k + label;
                    sum += joint.count(group, label, pair);
                }
            }
        }
        return sum;
    }

    @Override
    public long[] cellCounts() {
        return joint.cellCounts();
    }

    @Override
    public double[] cellWeights() {
        return joint.cellWeights();
    }

    @Override
    public double[] cellSquaredWeights() {
        return joint.cellSquaredWeights();
    }

    @Override
    public PairedSnapshot reweighted(double[] weights) {
        return new PairedSnapshot(classes, joint.reweighted(weights));
    }
}
