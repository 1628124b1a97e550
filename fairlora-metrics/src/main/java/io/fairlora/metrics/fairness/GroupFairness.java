package io.fairlora.metrics.fairness;

import io.fairlora.metrics.BinaryConfusion;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.Rate;
import io.fairlora.metrics.ScoreMeasure;
import io.fairlora.metrics.ScoreSnapshot;
import io.fairlora.metrics.interval.GapTest;
import io.fairlora.metrics.interval.Holm;
import io.fairlora.metrics.interval.PermutationTest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Figures of fairness over groups that are neither a difference nor a ratio of one rate. */
public final class GroupFairness {
    /** Below this ratio of selection rates the four-fifths rule sees adverse impact. */
    public static final double FOUR_FIFTHS = 0.8;

    private GroupFairness() {}

    /**
     * The four-fifths rule of adverse impact: the ratio of selection rates is at least 4/5 (US
     * Equal Employment Opportunity Commission 1978, 29 CFR 1607.4 D).
     *
     * @param snapshot predictions counted by group
     * @param options what is compared to what, and what is left out
     * @return whether it is met; empty if the ratio is undefined
     */
    public static Optional<Boolean> meetsFourFifths(
            ConfusionSnapshot snapshot, FairnessOptions options) {
        Figure ratio =
                Criterion.DEMOGRAPHIC_PARITY.measure(snapshot, Contrast.RATIO, options).figure();
        return ratio.isDefined()
                ? Optional.of(ratio.value() >= FOUR_FIFTHS - 1e-12)
                : Optional.empty();
    }

    /**
     * The smallest accuracy of any group (Sagawa et al. 2020, "Distributionally robust neural
     * networks for group shifts").
     *
     * @param snapshot predictions counted by group
     * @param options which groups are large enough
     * @return the accuracy and its group
     */
    public static Disparity worstAccuracy(ConfusionSnapshot snapshot, FairnessOptions options) {
        Map<Group, Figure> figures = new LinkedHashMap<>();
        for (Group group : Criterion.largeGroups(snapshot, options)) {
            figures.put(group, snapshot.rate(Rate.ACCURACY, group).map(a -> -a));
        }
        Disparity worst = largest(figures, "accuracy");
        return new Disparity(worst.figure().map(a -> -a), worst.groups(), worst.notes());
    }

    /**
     * The largest mean log loss of any group.
     *
     * @param snapshot scores by group
     * @param options which groups are large enough
     * @return the loss and its group
     */
    public static Disparity worstLoss(ScoreSnapshot snapshot, FairnessOptions options) {
        Map<Group, Figure> figures = new LinkedHashMap<>();
        for (Group group : ScoreCriterion.largeGroups(snapshot, options)) {
            figures.put(group, snapshot.measure(ScoreMeasure.LOG_LOSS, group));
        }
        return largest(figures, "log loss");
    }

    private static Disparity largest(Map<Group, Figure> figures, String name) {
        Disparity worst =
                Disparity.undefined(
                        "no group of sufficient size with a defined " + name, List.of());
        for (Map.Entry<Group, Figure> entry : figures.entrySet()) {
            Figure figure = entry.getValue();
            if (figure.isDefined()
                    && figure.value() > worst.figure().orElse(Double.NEGATIVE_INFINITY)) {
                worst = new Disparity(figure, List.of(entry.getKey()), List.of());
            }
        }
        return worst;
    }

    /**
     * Smoothed differential fairness: the largest |ln P(d | a) - ln P(d | b)| over decisions d and
     * pairs of groups, with P(d | g) = (n_gd + c / K) / (n_g + c) for K classes (Foulds et al.
     * 2020, "An intersectional definition of fairness", equation 7).
     *
     * @param snapshot predictions counted by group
     * @param concentration c, above 0; 1 is usual
     * @param options which groups are large enough
     * @return epsilon, 0 if all groups get each decision equally often, and the two groups
     * @throws IllegalArgumentException if the concentration is not above 0
     */
    public static Disparity differentialFairness(
            ConfusionSnapshot snapshot, double concentration, FairnessOptions options) {
        if (!(concentration > 0) || Double.isInfinite(concentration)) {
            throw new IllegalArgumentException(
                    "concentration is " + concentration + ", expected a finite number above 0");
        }
        List<Group> groups = Criterion.largeGroups(snapshot, options);
        if (groups.size() < 2) {
            return Disparity.undefined("fewer than two groups of sufficient size", List.of());
        }
        int classes = snapshot.classes().size();
        double epsilon = -1;
        List<Group> pair = List.of();
        for (int decision = 0; decision < classes; decision++) {
            Group lowest = groups.get(0);
            Group highest = groups.get(0);
            double low = Double.POSITIVE_INFINITY;
            double high = Double.NEGATIVE_INFINITY;
            for (Group group : groups) {
                BinaryConfusion cells = snapshot.confusion(group, decision);
                double log =
                        Math.log(
                                (cells.predictedPositives() + concentration / classes)
                                        / (cells.total() + concentration));
                if (log < low) {
                    low = log;
                    lowest = group;
                }
                if (log > high) {
                    high = log;
                    highest = group;
                }
            }
            if (high - low > epsilon) {
                epsilon = high - low;
                pair = List.of(lowest, highest);
            }
        }
        return new Disparity(Figure.of(epsilon), pair, List.of());
    }

    /**
     * Average predictive value difference of two groups: ((PPV_a - PPV_b) + (FOR_a - FOR_b)) / 2,
     * signed (AIF360). 0 also where two unequal parts cancel.
     *
     * @param snapshot predictions counted by group, of a binary task
     * @param a the group, AIF360's unprivileged one
     * @param b the reference group, AIF360's privileged one
     * @return the difference
     * @throws IllegalArgumentException if a group is unknown
     */
    public static Figure averagePredictiveValueDifference(
            ConfusionSnapshot snapshot, Group a, Group b) {
        double sum = 0;
        for (Rate rate : List.of(Rate.PRECISION, Rate.FALSE_OMISSION_RATE)) {
            for (Group group : List.of(a, b)) {
                Figure figure = snapshot.rate(rate, group);
                if (!figure.isDefined()) {
                    return Figure.undefined(figure.reason().orElse("") + " in group " + group);
                }
                sum += group.equals(a) ? figure.value() / 2 : -figure.value() / 2;
            }
        }
        return Figure.of(sum);
    }

    /**
     * The average predictive value difference of largest size, over all pairs of groups or to the
     * reference group where the options name one. A comparison to everybody is taken as one between
     * groups; then the sign is that of the first group named to the second, positive.
     *
     * @param snapshot predictions counted by group, of a binary task
     * @param options what is left out
     * @return the difference and the two groups
     */
    public static Disparity averagePredictiveValueDifference(
            ConfusionSnapshot snapshot, FairnessOptions options) {
        List<Group> groups = Criterion.largeGroups(snapshot, options);
        Optional<Group> reference =
                options.comparison() instanceof Comparison.ToReference r
                        ? Optional.of(r.group())
                        : Optional.empty();
        List<String> notes = new ArrayList<>();
        Disparity largest =
                Disparity.undefined(
                        "no two groups of sufficient size with defined predictive values",
                        List.of());
        for (Group a : groups) {
            for (Group b : groups) {
                if (a.equals(b) || !reference.map(b::equals).orElse(true)) {
                    continue;
                }
                Figure figure = averagePredictiveValueDifference(snapshot, a, b);
                double size =
                        reference.isPresent()
                                ? Math.abs(figure.orElse(Double.NaN))
                                : figure.orElse(Double.NaN);
                if (!figure.isDefined()) {
                    notes.add("skipped " + a + " and " + b + ": " + figure.reason().orElse(""));
                } else if (size > Math.abs(largest.figure().orElse(0))
                        || (!largest.figure().isDefined() && size >= 0)) {
                    largest = new Disparity(figure, List.of(a, b), List.of());
                }
            }
        }
        if (!notes.isEmpty() && options.undefined() == UndefinedPolicy.PROPAGATE) {
            return Disparity.undefined(notes.get(0), List.of());
        }
        if (!notes.isEmpty() && options.undefined() == UndefinedPolicy.FAIL) {
            throw new IllegalStateException("undefined predictive values: " + notes.get(0));
        }
        return new Disparity(largest.figure(), largest.groups(), notes);
    }

    /**
     * Permutation test of "no gap" for a criterion of a binary task. Weights are not used. The
     * groups exchange their members within the examples over which the rate is taken: all for
     * demographic parity, the positives for equal opportunity, and so on.
     *
     * @param criterion any but treatment equality, which is no share of examples
     * @param snapshot predictions counted by group
     * @param options which groups are large enough; differences are between groups
     * @param permutations how many random permutations where there are too many outcomes to
     *     enumerate
     * @param seed where the random numbers start
     * @return gap, p-value and expected gap; empty where the task has more than two classes or a
     *     rate has no examples in two groups
     */
    public static Optional<GapTest> permutationTest(
            Criterion criterion,
            ConfusionSnapshot snapshot,
            FairnessOptions options,
            int permutations,
            long seed) {
        List<Group> groups = Criterion.largeGroups(snapshot, options);
        if (!snapshot.isBinary() || !criterion.rates().stream().allMatch(Rate::isProportion)) {
            return Optional.empty();
        }
        ConfusionSnapshot counts = snapshot.unweighted();
        List<long[]> successes = new ArrayList<>();
        List<long[]> trials = new ArrayList<>();
        for (Rate rate : criterion.rates()) {
            long[] k = new long[groups.size()];
            long[] n = new long[groups.size()];
            int used = 0;
            for (int g = 0; g < k.length; g++) {
                BinaryConfusion cells = counts.confusion(groups.get(g));
                k[g] = (long) rate.numerator(cells);
                n[g] = (long) rate.denominator(cells);
                used += n[g] > 0 ? 1 : 0;
            }
            if (used < 2) {
                return Optional.empty();
            }
            successes.add(k);
            trials.add(n);
        }
        return Optional.of(
                PermutationTest.test(
                        successes,
                        trials,
                        criterion != Criterion.EQUALIZED_ODDS_MEAN,
                        permutations,
                        seed));
    }

    /**
     * Tests each group against all others together, exactly or by permutation, with Holm's
     * correction over the groups. Weights are not used.
     *
     * @param rate a share of examples of a binary task
     * @param snapshot predictions counted by group
     * @param options which groups are large enough
     * @param permutations how many random permutations where there are too many outcomes to
     *     enumerate
     * @param seed where the random numbers start
     * @return adjusted p-value by group; groups without examples on either side are left out
     * @throws IllegalStateException if the rate is no share or the task is not binary
     */
    public static Map<Group, Double> groupsAgainstRest(
            Rate rate,
            ConfusionSnapshot snapshot,
            FairnessOptions options,
            int permutations,
            long seed) {
        ConfusionSnapshot counts = snapshot.unweighted();
        BinaryConfusion all = counts.overallConfusion();
        List<Group> tested = new ArrayList<>();
        List<Double> values = new ArrayList<>();
        for (Group group : Criterion.largeGroups(snapshot, options)) {
            BinaryConfusion cells = counts.confusion(group);
            long k = (long) rate.numerator(cells);
            long n = (long) rate.denominator(cells);
            long otherK = (long) rate.numerator(all) - k;
            long otherN = (long) rate.denominator(all) - n;
            if (n > 0 && otherN > 0) {
                tested.add(group);
                values.add(
                        PermutationTest.test(
                                        new long[] {k, otherK},
                                        new long[] {n, otherN},
                                        permutations,
                                        seed)
                                .pValue());
            }
        }
        double[] adjusted = Holm.adjust(values.stream().mapToDouble(Double::doubleValue).toArray());
        Map<Group, Double> result = new LinkedHashMap<>();
        for (int i = 0; i < adjusted.length; i++) {
            result.put(tested.get(i), adjusted[i]);
        }
        return result;
    }
}
