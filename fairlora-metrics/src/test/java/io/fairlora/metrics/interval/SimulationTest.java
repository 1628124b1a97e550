package io.fairlora.metrics.interval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.PairedConfusion;
import io.fairlora.metrics.PairedSnapshot;
import io.fairlora.metrics.Rate;
import io.fairlora.metrics.fairness.Comparison;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What intervals and tests promise, over many simulated audits. */
class SimulationTest {
    private static final List<Group> GROUPS = Group.values("g", "a", "b");
    private static final int AUDITS = 2000;

    /** Decisions drawn with a rate for each group; labels are all 1. */
    private static ConfusionSnapshot draw(
            List<Group> groups, int perGroup, SplittableRandom random, double... rates) {
        GroupConfusion confusion = GroupConfusion.binary(groups);
        for (int g = 0; g < rates.length; g++) {
            for (int i = 0; i < perGroup; i++) {
                confusion.add(1, random.nextDouble() < rates[g] ? 1 : 0, g);
            }
        }
        return confusion.snapshot();
    }

    @Test
    void intervalsOfRatesCover() {
        SplittableRandom random = new SplittableRandom(1);
        int wilson = 0;
        int exact = 0;
        for (int i = 0; i < AUDITS; i++) {
            ConfusionSnapshot s = draw(GROUPS, 150, random, 0.3, 0.5);
            double k = s.confusion(GROUPS.get(0)).predictedPositives();
            wilson += ProportionIntervals.wilson(k, 150, 0.95).contains(0.3) ? 1 : 0;
            exact += ProportionIntervals.clopperPearson(k, 150, 0.95).contains(0.3) ? 1 : 0;
        }
        assertThat(wilson / (double) AUDITS).isBetween(0.93, 0.97);
        assertThat(exact / (double) AUDITS).isBetween(0.945, 0.98);
    }

    @ParameterizedTest
    @EnumSource
    void intervalsOfDifferencesCover(BootstrapMethod method) {
        SplittableRandom random = new SplittableRandom(2);
        Function<ConfusionSnapshot, Figure> gap =
                s -> Criterion.DEMOGRAPHIC_PARITY.difference(s).figure();
        int covered = 0;
        for (int i = 0; i < AUDITS; i++) {
            ConfusionSnapshot s = draw(GROUPS, 200, random, 0.3, 0.5);
            covered +=
                    PoissonBootstrap.of(s, 400, i)
                                    .interval(gap, 0.95, method)
                                    .orElseThrow()
                                    .contains(0.2)
                            ? 1
                            : 0;
        }
        assertThat(covered / (double) AUDITS).isBetween(0.93, 0.97);
    }

    @Test
    void intervalsOfWeightedDifferencesCover() {
        SplittableRandom random = new SplittableRandom(3);
        FairnessOptions signed =
                FairnessOptions.DEFAULT.withComparison(Comparison.toReference(GROUPS.get(0)));
        int covered = 0;
        for (int i = 0; i < AUDITS; i++) {
            GroupConfusion confusion = GroupConfusion.binary(GROUPS);
            for (int row = 0; row < 600; row++) {
                int g = row % 2;
                int p = random.nextDouble() < (g == 0 ? 0.5 : 0.4) ? 1 : 0;
                confusion.add(1, p, g, random.nextInt(1, 6));
            }
            covered +=
                    PoissonBootstrap.of(confusion.snapshot(), 300, i)
                                    .interval(
                                            s ->
                                                    Criterion.EQUAL_OPPORTUNITY
                                                            .measure(s, Contrast.DIFFERENCE, signed)
                                                            .figure(),
                                            0.95,
                                            BootstrapMethod.PERCENTILE)
                                    .orElseThrow()
                                    .contains(-0.1)
                            ? 1
                            : 0;
        }
        assertThat(covered / (double) AUDITS).isBetween(0.93, 0.97);
    }

    @Test
    void permutationPValuesOfAFairCoinAreUniform() {
        SplittableRandom random = new SplittableRandom(4);
        int audits = 500;
        double[] values = new double[audits];
        List<Group> groups = Group.values("g", "a", "b", "c", "d");
        for (int i = 0; i < audits; i++) {
            ConfusionSnapshot s = draw(groups, 150, random, 0.5, 0.5, 0.5, 0.5);
            long[] k =
                    groups.stream()
                            .mapToLong(g -> (long) s.confusion(g).predictedPositives())
                            .toArray();
            values[i] = PermutationTest.test(k, new long[] {150, 150, 150, 150}, 400, i).pValue();
        }
        Arrays.sort(values);
        double distance = 0;
        for (int i = 0; i < audits; i++) {
            distance = Math.max(distance, Math.abs(values[i] - (i + 0.5) / audits));
        }
        // Kolmogorov and Smirnov's critical value at 1 %.
        assertThat(distance).isLessThan(1.63 / Math.sqrt(audits));
    }

    @Test
    void randomPermutationsAgreeWithEnumeration() {
        long[] successes = {30, 22, 14};
        long[] trials = {60, 50, 40};
        GapTest exact = PermutationTest.test(successes, trials, 1, 1);
        GapTest sampled =
                PermutationTest.test(
                        List.of(successes, successes), List.of(trials, trials), true, 20_000, 1);
        assertThat(exact.exact()).isTrue();
        assertThat(sampled.exact()).isFalse();
        // Two independent strata with the same gap: the worst is as large if either is.
        double expected = 1 - Math.pow(1 - exact.pValue(), 2);
        assertThat(sampled.pValue()).isCloseTo(expected, within(0.012));
    }

    @Test
    void largeCountsPermuteAsTheNormalLawSays() {
        // Two groups of 4e6 with the same rate: the gap is |N(0, sigma)|, whose mean is known.
        long half = 4_000_000;
        GapTest test =
                PermutationTest.test(
                        List.of(new long[] {half / 2, half / 2 + 1000}, new long[] {1, 1}),
                        List.of(new long[] {half, half}, new long[] {2, 2}),
                        false,
                        1,
                        1);
        assertThat(test.gap()).isCloseTo(1000.0 / half / 2, within(1e-12));
        GapTest single =
                PermutationTest.test(
                        new long[] {half / 2, half / 2 + 1000}, new long[] {half, half}, 4000, 1);
        double sigma = Math.sqrt(0.25 * 2 / half);
        assertThat(single.expectedGap()).isCloseTo(sigma * Math.sqrt(2 / Math.PI), within(1e-5));
        // P(|N(0, sigma)| >= 1000 / half) for z = 0.7071.
        assertThat(single.pValue()).isCloseTo(0.4795, within(0.03));
    }

    @Test
    void biasCorrectionIsCloserToTheTruthThanThePlainGap() {
        SplittableRandom random = new SplittableRandom(5);
        List<Group> groups = Group.values("g", "a", "b", "c", "d", "e");
        double plain = 0;
        double corrected = 0;
        int audits = 300;
        for (int i = 0; i < audits; i++) {
            ConfusionSnapshot s = draw(groups, 100, random, 0.5, 0.5, 0.5, 0.5, 0.5);
            BootstrapDistribution<ConfusionSnapshot> gap =
                    PoissonBootstrap.of(s, 200, i)
                            .distribution(x -> Criterion.DEMOGRAPHIC_PARITY.difference(x).figure());
            plain += Criterion.DEMOGRAPHIC_PARITY.difference(s).figure().value() / audits;
            corrected += gap.biasCorrected().value() / audits;
        }
        assertThat(plain).isGreaterThan(0.1);
        assertThat(corrected).isLessThan(0.7 * plain);
    }

    @Test
    void aPairedComparisonSeesWhatTwoIntervalsDoNot() {
        SplittableRandom random = new SplittableRandom(6);
        PairedConfusion paired = PairedConfusion.binary(GROUPS);
        int n = 2000;
        int[] labels = new int[n];
        int[] first = new int[n];
        int[] second = new int[n];
        int[] groups = new int[n];
        for (int i = 0; i < n; i++) {
            labels[i] = random.nextInt(2);
            groups[i] = i % 2;
            first[i] = random.nextDouble() < 0.75 ? labels[i] : 1 - labels[i];
            boolean repaired = groups[i] == 0 && random.nextDouble() < 0.1;
            second[i] = repaired ? labels[i] : first[i];
        }
        paired.add(labels, first, second, groups);
        PairedSnapshot snapshot = paired.snapshot();
        GroupConfusion alone = GroupConfusion.binary(GROUPS);
        alone.add(labels, second, groups);
        assertThat(snapshot.second().cellCounts()).isEqualTo(alone.snapshot().cellCounts());

        assertThat(McNemar.test(snapshot, GROUPS.get(0))).isLessThan(1e-4);
        assertThat(McNemar.test(snapshot, GROUPS.get(1))).isOne();
        Interval change =
                PoissonBootstrap.of(snapshot, 1000, 1)
                        .interval(
                                p -> p.change(s -> s.rate(Rate.ACCURACY, GROUPS.get(0))),
                                0.95,
                                BootstrapMethod.BCA)
                        .orElseThrow();
        assertThat(change.low()).isPositive();
        assertThat(change.high()).isLessThan(0.06);
    }

    @Test
    void theSameSeedGivesTheSameInterval() {
        ConfusionSnapshot s = draw(GROUPS, 100, new SplittableRandom(7), 0.4, 0.6);
        Function<ConfusionSnapshot, Figure> gap =
                x -> Criterion.DEMOGRAPHIC_PARITY.difference(x).figure();
        assertThat(PoissonBootstrap.of(s, 200, 9).interval(gap, 0.9, BootstrapMethod.BCA))
                .isEqualTo(PoissonBootstrap.of(s, 200, 9).interval(gap, 0.9, BootstrapMethod.BCA))
                .isNotEqualTo(
                        PoissonBootstrap.of(s, 200, 10).interval(gap, 0.9, BootstrapMethod.BCA));
    }
}
