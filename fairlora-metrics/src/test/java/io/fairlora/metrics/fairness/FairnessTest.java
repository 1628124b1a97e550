package io.fairlora.metrics.fairness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.GroupScores;
import io.fairlora.metrics.Rate;
import io.fairlora.metrics.interval.GapTest;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class FairnessTest {
    private static final Offset<Double> CLOSE = within(1e-6);
    private static final FairnessOptions ANY_SIZE = FairnessOptions.DEFAULT.withMinimumGroupSize(0);
    private static final Group A = Group.of("g", "a");
    private static final Group B = Group.of("g", "b");
    private static final Group C = Group.of("g", "c");

    /** Cells by group: true positives, false positives, true negatives, false negatives. */
    private static ConfusionSnapshot snapshot(int[]... cells) {
        GroupConfusion confusion = GroupConfusion.binary(Group.values("g", "a", "b", "c"));
        for (int g = 0; g < cells.length; g++) {
            int[] labels = {1, 0, 0, 1};
            int[] predictions = {1, 1, 0, 0};
            for (int c = 0; c < 4; c++) {
                for (int i = 0; i < cells[g][c]; i++) {
                    confusion.add(labels[c], predictions[c], g);
                }
            }
        }
        return confusion.snapshot();
    }

    @Test
    void entropyOfTheHandVectors() {
        GroupConfusion confusion = GroupConfusion.binary(Group.values("g", "0", "1", "2"));
        confusion.add(
                new int[] {1, 0, 0, 1, 0, 0, 1, 0, 1, 1},
                new int[] {1, 0, 0, 0, 1, 1, 1, 0, 1, 0},
                new int[] {0, 0, 1, 1, 1, 1, 2, 2, 2, 2});
        ConfusionSnapshot s = confusion.snapshot();
        assertThat(Inequality.generalizedEntropy(s, 2).value()).isCloseTo(0.2, CLOSE);
        assertThat(Inequality.theil(s).value()).isCloseTo(0.277259, CLOSE);
        assertThat(Inequality.betweenGroups(s, 2).value()).isCloseTo(0.025, CLOSE);
        assertThat(Inequality.generalizedEntropy(s, 0).reason())
                .contains("a benefit is 0 and alpha is not above 0");
    }

    @Test
    void undefinedRatesFollowThePolicy() {
        // Group c has no positives.
        ConfusionSnapshot s =
                snapshot(new int[] {8, 2, 8, 2}, new int[] {5, 2, 8, 5}, new int[] {0, 3, 7, 0});
        Disparity skipped = Criterion.EQUAL_OPPORTUNITY.measure(s, Contrast.DIFFERENCE, ANY_SIZE);
        assertThat(skipped.figure().value()).isCloseTo(0.3, CLOSE);
        assertThat(skipped.groups()).containsExactly(B, A);
        assertThat(skipped.notes())
                .containsExactly("skipped g=c in true_positive_rate: no positives in group g=c");

        Disparity propagated =
                Criterion.EQUAL_OPPORTUNITY.measure(
                        s, Contrast.DIFFERENCE, ANY_SIZE.withUndefined(UndefinedPolicy.PROPAGATE));
        assertThat(propagated.figure().reason())
                .contains("true_positive_rate: no positives in group g=c");

        assertThatIllegalStateException()
                .isThrownBy(
                        () ->
                                Criterion.EQUAL_OPPORTUNITY.measure(
                                        s,
                                        Contrast.DIFFERENCE,
                                        ANY_SIZE.withUndefined(UndefinedPolicy.FAIL)))
                .withMessage("undefined true_positive_rate: no positives in group g=c");
    }

    @Test
    void smallGroupsTakeNoPart() {
        ConfusionSnapshot s =
                snapshot(
                        new int[] {20, 5, 20, 5},
                        new int[] {18, 7, 20, 5},
                        new int[] {0, 0, 0, 29});
        assertThat(Criterion.DEMOGRAPHIC_PARITY.difference(s).figure().value()).isZero();
        assertThat(Criterion.DEMOGRAPHIC_PARITY.measure(s, Contrast.DIFFERENCE, ANY_SIZE).figure())
                .satisfies(f -> assertThat(f.value()).isEqualTo(0.5));
        Disparity alone =
                Criterion.DEMOGRAPHIC_PARITY.measure(
                        s, Contrast.DIFFERENCE, ANY_SIZE.withMinimumGroupSize(1000));
        assertThat(alone.figure().reason())
                .contains("fewer than two groups of sufficient size with a defined selection_rate");
        assertThat(GroupFairness.worstAccuracy(s, FairnessOptions.DEFAULT).groups())
                .containsExactly(B);
        assertThat(GroupFairness.worstAccuracy(s, ANY_SIZE).figure().value()).isZero();
    }

    @Test
    void aReferenceGroupGivesTheSign() {
        ConfusionSnapshot s =
                snapshot(
                        new int[] {20, 0, 0, 20},
                        new int[] {10, 0, 0, 30},
                        new int[] {24, 0, 0, 16});
        FairnessOptions toB = ANY_SIZE.withComparison(Comparison.toReference(B));
        Disparity difference = Criterion.EQUAL_OPPORTUNITY.measure(s, Contrast.DIFFERENCE, toB);
        assertThat(difference.figure().value()).isCloseTo(0.35, CLOSE);
        assertThat(difference.groups()).containsExactly(C, B);
        FairnessOptions toC = ANY_SIZE.withComparison(Comparison.toReference(C));
        assertThat(
                        Criterion.EQUAL_OPPORTUNITY
                                .measure(s, Contrast.DIFFERENCE, toC)
                                .figure()
                                .value())
                .isCloseTo(-0.35, CLOSE);
        assertThat(Criterion.EQUAL_OPPORTUNITY.measure(s, Contrast.RATIO, toC).figure().value())
                .isCloseTo(0.25 / 0.6, CLOSE);
        Disparity absent =
                Criterion.EQUAL_OPPORTUNITY.measure(
                        s,
                        Contrast.RATIO,
                        ANY_SIZE.withComparison(Comparison.toReference(Group.of("g", "z"))));
        assertThat(absent.figure().reason()).contains("reference group g=z is absent or too small");
    }

    @Test
    void theWorseOffGroupComesFirst() {
        ConfusionSnapshot s = snapshot(new int[] {8, 2, 8, 2}, new int[] {8, 5, 5, 2});
        assertThat(
                        Criterion.FALSE_POSITIVE_RATE_PARITY
                                .measure(s, Contrast.DIFFERENCE, ANY_SIZE)
                                .groups())
                .containsExactly(B, A);
        assertThat(Criterion.DEMOGRAPHIC_PARITY.measure(s, Contrast.DIFFERENCE, ANY_SIZE).groups())
                .containsExactly(A, B);
        assertThat(
                        Criterion.TREATMENT_EQUALITY
                                .measure(s, Contrast.DIFFERENCE, ANY_SIZE)
                                .figure()
                                .value())
                .isCloseTo(1 - 0.4, CLOSE);
    }

    @Test
    void fourFifthsAndDifferentialFairness() {
        ConfusionSnapshot fair = snapshot(new int[] {10, 0, 10, 0}, new int[] {8, 0, 12, 0});
        assertThat(GroupFairness.meetsFourFifths(fair, ANY_SIZE)).contains(true);
        ConfusionSnapshot unfair = snapshot(new int[] {10, 0, 10, 0}, new int[] {7, 0, 13, 0});
        assertThat(GroupFairness.meetsFourFifths(unfair, ANY_SIZE)).contains(false);
        FairnessOptions some = ANY_SIZE.withMinimumGroupSize(1);
        assertThat(GroupFairness.differentialFairness(unfair, 1, some).figure().value())
                .isCloseTo(Math.log(10.5 / 21) - Math.log(7.5 / 21), CLOSE);
    }

    @Test
    void severalClassesByTheWorstOrTheMean() {
        GroupConfusion confusion =
                GroupConfusion.of(List.of("x", "y", "z"), Group.values("g", "a", "b"));
        int[][] selected = {{5, 3, 2}, {2, 4, 4}};
        for (int g = 0; g < 2; g++) {
            for (int k = 0; k < 3; k++) {
                for (int i = 0; i < selected[g][k]; i++) {
                    confusion.add(i % 3, k, g);
                }
            }
        }
        ConfusionSnapshot s = confusion.snapshot();
        Disparity worst = Criterion.DEMOGRAPHIC_PARITY.measure(s, Contrast.DIFFERENCE, ANY_SIZE);
        assertThat(worst.figure().value()).isCloseTo(0.3, CLOSE);
        Disparity mean =
                Criterion.DEMOGRAPHIC_PARITY.measure(
                        s, Contrast.DIFFERENCE, ANY_SIZE.withClasses(ClassAveraging.MACRO));
        assertThat(mean.figure().value()).isCloseTo((0.3 + 0.1 + 0.2) / 3, CLOSE);
        double recall = s.rate(Rate.TRUE_POSITIVE_RATE).value();
        assertThat(s.rate(Rate.BALANCED_ACCURACY).value()).isEqualTo(recall);
    }

    @Test
    void testsOfTheCriteria() {
        ConfusionSnapshot s = snapshot(new int[] {45, 10, 40, 5}, new int[] {25, 10, 40, 25});
        GapTest test =
                GroupFairness.permutationTest(Criterion.EQUAL_OPPORTUNITY, s, ANY_SIZE, 100, 1)
                        .orElseThrow();
        assertThat(test.gap()).isCloseTo(0.4, CLOSE);
        assertThat(test.pValue()).isLessThan(1e-4);
        assertThat(test.exact()).isTrue();
        assertThat(
                        GroupFairness.permutationTest(
                                        Criterion.FALSE_POSITIVE_RATE_PARITY, s, ANY_SIZE, 100, 1)
                                .orElseThrow()
                                .pValue())
                .isCloseTo(1, CLOSE);
        assertThat(GroupFairness.permutationTest(Criterion.TREATMENT_EQUALITY, s, ANY_SIZE, 100, 1))
                .isEmpty();
        Map<Group, Double> against =
                GroupFairness.groupsAgainstRest(
                        Rate.TRUE_POSITIVE_RATE, s, FairnessOptions.DEFAULT, 100, 1);
        assertThat(against).containsOnlyKeys(A, B);
        assertThat(against.get(A)).isCloseTo(2 * test.pValue(), within(1e-9));
    }

    @Test
    void aucParityAndCrossingCurves() {
        GroupScores scores = GroupScores.exact(Group.values("g", "a", "b"));
        scores.add(new int[] {0, 1, 0, 1}, new double[] {.1, .2, .3, .4}, new int[] {0, 0, 0, 0});
        scores.add(new int[] {0, 0, 1, 1}, new double[] {.1, .2, .3, .4}, new int[] {1, 1, 1, 1});
        assertThat(
                        ScoreCriterion.AUC_PARITY
                                .measure(scores.snapshot(), Contrast.DIFFERENCE, ANY_SIZE)
                                .figure()
                                .value())
                .isCloseTo(0.25, CLOSE);
        assertThat(Abroca.measure(scores.snapshot(), ANY_SIZE).figure().value())
                .isCloseTo(0.25, CLOSE);
        assertThat(GroupFairness.worstLoss(scores.snapshot(), ANY_SIZE).groups())
                .containsExactly(A);
    }
}
