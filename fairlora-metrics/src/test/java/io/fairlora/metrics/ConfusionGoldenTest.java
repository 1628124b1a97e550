package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairlora.metrics.fairness.Comparison;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.fairness.GroupFairness;
import io.fairlora.metrics.fairness.Inequality;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Agreement with fairlearn, scikit-learn and aif360 over random tables. Where we differ on purpose,
 * the test checks that the peers do what the table in the package's Javadoc says of them.
 */
class ConfusionGoldenTest {
    private static final Offset<Double> EXACT = within(1e-12);
    private static final FairnessOptions ANY_SIZE = FairnessOptions.DEFAULT.withMinimumGroupSize(0);
    private static final List<Rate> RATES =
            List.of(
                    Rate.SELECTION_RATE,
                    Rate.TRUE_POSITIVE_RATE,
                    Rate.FALSE_POSITIVE_RATE,
                    Rate.TRUE_NEGATIVE_RATE,
                    Rate.FALSE_NEGATIVE_RATE,
                    Rate.ACCURACY,
                    Rate.BALANCED_ACCURACY,
                    Rate.PRECISION,
                    Rate.F1);
    private static final Map<Criterion, String> BY_RATE =
            Map.of(
                    Criterion.DEMOGRAPHIC_PARITY, "selection_rate",
                    Criterion.EQUAL_OPPORTUNITY, "true_positive_rate",
                    Criterion.FALSE_POSITIVE_RATE_PARITY, "false_positive_rate",
                    Criterion.FALSE_NEGATIVE_RATE_PARITY, "false_negative_rate",
                    Criterion.PREDICTIVE_PARITY, "precision",
                    Criterion.ACCURACY_PARITY, "accuracy");

    private static ConfusionSnapshot snapshot(JsonNode line) {
        int[] groups = Golden.digits(line.get("g"));
        GroupConfusion confusion = GroupConfusion.binary(Golden.groups(groups));
        int[] labels = Golden.digits(line.get("y"));
        int[] predictions = Golden.digits(line.get("p"));
        if (line.has("w")) {
            confusion.add(labels, predictions, groups, Golden.numbers(line.get("w")));
        } else {
            confusion.add(labels, predictions, groups);
        }
        return confusion.snapshot();
    }

    @TestFactory
    Stream<DynamicTest> agrees() {
        List<JsonNode> lines = Golden.lines("confusion.jsonl.gz");
        assertThat(lines).hasSize(200);
        return IntStream.range(0, lines.size())
                .mapToObj(
                        i ->
                                DynamicTest.dynamicTest(
                                        "table " + i,
                                        () -> {
                                            ConfusionSnapshot s = snapshot(lines.get(i));
                                            rates(lines.get(i), s);
                                            disparities(lines.get(i), s);
                                            equalizedOdds(lines.get(i), s);
                                            inequality(lines.get(i), s);
                                        }));
    }

    private static void rates(JsonNode line, ConfusionSnapshot s) {
        for (Rate rate : RATES) {
            check(rate, s.rate(rate), line.get("overall").get(rate.key()), s.overallConfusion());
            for (int g = 0; g < s.groups().size(); g++) {
                Group group = s.groups().get(g);
                check(
                        rate,
                        s.rate(rate, group),
                        line.get("by_group").get(rate.key()).get(g),
                        s.confusion(group));
            }
        }
    }

    private static void check(Rate rate, Figure ours, JsonNode theirs, BinaryConfusion cells) {
        if (ours.isDefined()) {
            assertThat(ours.value()).as(rate.key()).isCloseTo(theirs.asDouble(), EXACT);
        } else if (rate == Rate.BALANCED_ACCURACY) {
            // scikit-learn takes the recall of the one class there is.
            double recall = cells.correct() / cells.total();
            assertThat(theirs.asDouble()).isCloseTo(recall, EXACT);
        } else {
            // Both peers make 0 of an empty denominator.
            assertThat(theirs.asDouble()).as(rate.key()).isZero();
        }
    }

    private static void disparities(JsonNode line, ConfusionSnapshot s) {
        for (Map.Entry<Criterion, String> entry : BY_RATE.entrySet()) {
            boolean allDefined =
                    s.groups().stream()
                            .allMatch(g -> s.rate(entry.getKey().rates().get(0), g).isDefined());
            for (Contrast contrast : Contrast.values()) {
                String kind = contrast == Contrast.DIFFERENCE ? "difference_" : "ratio_";
                Map<String, Comparison> comparisons =
                        Map.of(
                                "between_groups", Comparison.betweenGroups(),
                                "to_overall", Comparison.toOverall());
                comparisons.forEach(
                        (name, comparison) -> {
                            Figure ours =
                                    entry.getKey()
                                            .measure(
                                                    s,
                                                    contrast,
                                                    ANY_SIZE.withComparison(comparison))
                                            .figure();
                            JsonNode theirs = line.get(kind + name).get(entry.getValue());
                            if (s.groups().size() == 1 && name.equals("between_groups")) {
                                // One group: nothing to compare for us, perfect for Fairlearn
                                // (or NaN where the rate is 0).
                                assertThat(ours.isDefined()).isFalse();
                                double fair = contrast == Contrast.DIFFERENCE ? 0 : 1;
                                assertThat(theirs.asDouble(fair)).isEqualTo(fair);
                            } else if (ours.isDefined() && allDefined) {
                                assertThat(ours.value())
                                        .as(kind + name + " " + entry.getValue())
                                        .isCloseTo(theirs.asDouble(), EXACT);
                            } else if (allDefined) {
                                // 0 / 0: we say that the rate is 0 everywhere, Fairlearn NaN.
                                assertThat(contrast).isEqualTo(Contrast.RATIO);
                                assertThat(theirs.isNull()).isTrue();
                            }
                        });
            }
        }
    }

    private static void equalizedOdds(JsonNode line, ConfusionSnapshot s) {
        JsonNode theirs = line.get("fairlearn");
        List<String> compared = new ArrayList<>();
        for (Criterion criterion : Criterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                JsonNode expected = theirs.get(criterion.key(contrast));
                boolean allDefined =
                        s.groups().stream()
                                .allMatch(
                                        g ->
                                                criterion.rates().stream()
                                                        .allMatch(r -> s.rate(r, g).isDefined()));
                Figure ours = criterion.measure(s, contrast, ANY_SIZE).figure();
                if (expected != null && allDefined && !ours.isDefined() && s.groups().size() > 1) {
                    // One of the ratios is 0 / 0: Fairlearn takes the other, or says NaN.
                    assertThat(contrast).isEqualTo(Contrast.RATIO);
                }
                if (expected != null && allDefined && ours.isDefined()) {
                    assertThat(ours.value())
                            .as(criterion.key(contrast))
                            .isCloseTo(expected.asDouble(), EXACT);
                    compared.add(criterion.key(contrast));
                }
            }
        }
        if (s.groups().size() > 1) {
            assertThat(compared).contains("demographic_parity_difference");
        }
    }

    private static void inequality(JsonNode line, ConfusionSnapshot weighted) {
        ConfusionSnapshot s = weighted.unweighted();
        JsonNode theirs = line.get("aif360");
        for (double alpha : new double[] {0.5, 1, 2, 3}) {
            String key = alpha == 0.5 ? "gei_0.5" : "gei_" + (int) alpha;
            compare(Inequality.generalizedEntropy(s, alpha), theirs.get(key), key);
        }
        Figure ours0 = Inequality.generalizedEntropy(s, 0);
        if (ours0.isDefined()) {
            // AIF360 divides once more by the mean benefit.
            BinaryConfusion cells = s.overallConfusion();
            double mean = (cells.correct() + 2 * cells.falsePositives()) / cells.total();
            double theirs0 = theirs.get("gei_0").asDouble();
            assertThat(ours0.value()).isCloseTo(theirs0 * mean, EXACT);
        }
        compare(Inequality.betweenGroups(s, 2), theirs.get("gei_between"), "gei_between");
        compare(Inequality.coefficientOfVariation(s), theirs.get("cv"), "cv");
        if (theirs.hasNonNull("edf")) {
            compare(
                    GroupFairness.differentialFairness(weighted, 1, ANY_SIZE).figure(),
                    theirs.get("edf"),
                    "edf");
        }
        if (theirs.hasNonNull("apvd")) {
            Figure ours =
                    GroupFairness.averagePredictiveValueDifference(
                            weighted, weighted.groups().get(0), weighted.groups().get(1));
            if (ours.isDefined()) {
                assertThat(ours.value()).isCloseTo(theirs.get("apvd").asDouble(), EXACT);
            }
        }
    }

    private static void compare(Figure ours, JsonNode theirs, String name) {
        if (ours.isDefined()) {
            assertThat(ours.value()).as(name).isCloseTo(theirs.asDouble(), EXACT);
        } else {
            assertThat(theirs.isNull()).as(name + " " + ours).isTrue();
        }
    }
}
