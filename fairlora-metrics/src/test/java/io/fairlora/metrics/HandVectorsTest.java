package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.metrics.fairness.Comparison;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Figures small enough to be worked out by hand. */
class HandVectorsTest {
    private static final Offset<Double> CLOSE = within(1e-6);
    private static final FairnessOptions ANY_SIZE = FairnessOptions.DEFAULT.withMinimumGroupSize(0);

    private static final int[] LABELS = digits("011110101000111111");
    private static final int[] PREDICTIONS = digits("001011100111100110");
    private static final int[] GROUPS = "bbabbcccaacabccbcc".chars().map(c -> c - 'a').toArray();
    private static final Group A = Group.of("g", "a");
    private static final Group B = Group.of("g", "b");
    private static final Group C = Group.of("g", "c");

    static int[] digits(String digits) {
        return digits.chars().map(c -> c - '0').toArray();
    }

    private static GroupConfusion empty() {
        return GroupConfusion.binary(Group.values("g", "a", "b", "c"));
    }

    private static ConfusionSnapshot unweighted() {
        GroupConfusion confusion = empty();
        confusion.add(LABELS, PREDICTIONS, GROUPS);
        return confusion.snapshot();
    }

    private static ConfusionSnapshot weighted() {
        GroupConfusion confusion = empty();
        double[] weights = "121323121231232311".chars().mapToDouble(c -> c - '0').toArray();
        confusion.add(LABELS, PREDICTIONS, GROUPS, weights);
        return confusion.snapshot();
    }

    private static double measure(ConfusionSnapshot s, Criterion criterion, Contrast contrast) {
        return criterion.measure(s, contrast, ANY_SIZE).figure().value();
    }

    @Test
    void ratesByGroup() {
        ConfusionSnapshot s = unweighted();
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, A).value()).isEqualTo(.5);
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, B).value()).isCloseTo(.6, CLOSE);
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, C).value()).isCloseTo(.4, CLOSE);
        assertThat(s.rate(Rate.FALSE_POSITIVE_RATE, A).value()).isEqualTo(1);
        assertThat(s.rate(Rate.FALSE_POSITIVE_RATE, B).value()).isEqualTo(0);
        assertThat(s.rate(Rate.FALSE_POSITIVE_RATE, C).value()).isCloseTo(.666667, CLOSE);
        assertThat(s.rate(Rate.SELECTION_RATE, A).value()).isEqualTo(.75);
        assertThat(s.rate(Rate.SELECTION_RATE, B).value()).isEqualTo(.5);
        assertThat(s.rate(Rate.SELECTION_RATE, C).value()).isEqualTo(.5);
    }

    @Test
    void differencesAndRatios() {
        ConfusionSnapshot s = unweighted();
        Contrast difference = Contrast.DIFFERENCE;
        Contrast ratio = Contrast.RATIO;
        assertThat(measure(s, Criterion.EQUAL_OPPORTUNITY, difference)).isCloseTo(.2, CLOSE);
        assertThat(measure(s, Criterion.FALSE_POSITIVE_RATE_PARITY, difference)).isEqualTo(1);
        assertThat(measure(s, Criterion.DEMOGRAPHIC_PARITY, difference)).isEqualTo(.25);
        assertThat(measure(s, Criterion.EQUAL_OPPORTUNITY, ratio)).isCloseTo(.666667, CLOSE);
        assertThat(measure(s, Criterion.FALSE_POSITIVE_RATE_PARITY, ratio)).isEqualTo(0);
        assertThat(measure(s, Criterion.DEMOGRAPHIC_PARITY, ratio)).isCloseTo(.666667, CLOSE);
        assertThat(measure(s, Criterion.EQUALIZED_ODDS, difference)).isEqualTo(1);
        assertThat(measure(s, Criterion.EQUALIZED_ODDS_MEAN, difference)).isCloseTo(.6, CLOSE);
        assertThat(measure(s, Criterion.EQUALIZED_ODDS, ratio)).isEqualTo(0);
        assertThat(measure(s, Criterion.EQUALIZED_ODDS_MEAN, ratio)).isCloseTo(.333333, CLOSE);
    }

    @Test
    void differencesToOverall() {
        ConfusionSnapshot s = unweighted();
        FairnessOptions options = ANY_SIZE.withComparison(Comparison.toOverall());
        assertThat(
                        Criterion.EQUAL_OPPORTUNITY
                                .measure(s, Contrast.DIFFERENCE, options)
                                .figure()
                                .value())
                .isCloseTo(.1, CLOSE);
        assertThat(
                        Criterion.FALSE_POSITIVE_RATE_PARITY
                                .measure(s, Contrast.DIFFERENCE, options)
                                .figure()
                                .value())
                .isCloseTo(.666667, CLOSE);
        assertThat(
                        Criterion.DEMOGRAPHIC_PARITY
                                .measure(s, Contrast.DIFFERENCE, options)
                                .figure()
                                .value())
                .isCloseTo(.194444, CLOSE);
    }

    @Test
    void weightedFigures() {
        ConfusionSnapshot s = weighted();
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, A).value()).isEqualTo(.5);
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, B).value()).isCloseTo(.583333, CLOSE);
        assertThat(s.rate(Rate.TRUE_POSITIVE_RATE, C).value()).isEqualTo(.25);
        assertThat(measure(s, Criterion.DEMOGRAPHIC_PARITY, Contrast.DIFFERENCE))
                .isCloseTo(.3, CLOSE);
        assertThat(measure(s, Criterion.DEMOGRAPHIC_PARITY, Contrast.RATIO)).isCloseTo(.625, CLOSE);
        assertThat(measure(s, Criterion.EQUAL_OPPORTUNITY, Contrast.DIFFERENCE))
                .isCloseTo(.333333, CLOSE);
    }
}
