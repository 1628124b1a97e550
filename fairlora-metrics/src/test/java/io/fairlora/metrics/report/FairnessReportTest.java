package io.fairlora.metrics.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.GroupScores;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.interval.BootstrapMethod;
import java.time.Instant;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FairnessReportTest {

    private static FairnessReport report(boolean scored) {
        GroupConfusion confusion =
                GroupConfusion.binary(Group.values("sex", "female", "male", "other"));
        GroupScores scores = GroupScores.exact(Group.values("sex", "female", "male", "other"));
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 2000; i++) {
            int group = random.nextInt(2);
            int label = random.nextInt(2);
            double noise = random.nextDouble() * (group == 0 ? 0.7 : 0.55);
            double score = label == 1 ? 1 - noise : noise;
            confusion.add(label, score >= 0.5 ? 1 : 0, group);
            scores.add(label, score, group);
        }
        confusion.add(1, 1, 2);
        scores.add(1, 1, 2);
        FairnessAudit audit =
                FairnessAudit.of(confusion.snapshot())
                        .subject("smiles | <1.2>")
                        .bootstrap(BootstrapMethod.BCA, 200, 1)
                        .created(Instant.parse("2026-11-25T00:00:00Z"))
                        .extra("linear_probe_accuracy", Figure.of(0.61));
        return scored ? audit.scores(scores.snapshot()).report() : audit.report();
    }

    @Test
    void jsonRoundTrips() {
        for (boolean scored : new boolean[] {false, true}) {
            FairnessReport report = report(scored);
            assertThat(JsonFormat.read(JsonFormat.write(report))).isEqualTo(report);
        }
    }

    @Test
    void jsonHasFairlearnsNames() throws Exception {
        JsonNode root = new ObjectMapper().readTree(JsonFormat.write(report(true)));
        assertThat(root.at("/overall/accuracy").isDouble()).isTrue();
        JsonNode female = root.at("/by_group/0");
        assertThat(female.at("/group/sex").asText()).isEqualTo("female");
        assertThat(female.get("count").asLong()).isPositive();
        for (String name :
                new String[] {
                    "selection_rate",
                    "true_positive_rate",
                    "false_positive_rate",
                    "accuracy",
                    "balanced_accuracy",
                    "precision",
                    "roc_auc",
                    "brier_score"
                }) {
            assertThat(female.get(name).isDouble()).as(name).isTrue();
        }
        for (String name :
                new String[] {
                    "demographic_parity_difference",
                    "demographic_parity_ratio",
                    "equal_opportunity_difference",
                    "equal_opportunity_ratio",
                    "equalized_odds_difference",
                    "equalized_odds_ratio",
                    "equalized_odds_difference_mean",
                    "false_positive_rate_difference",
                    "false_positive_rate_ratio",
                    "accuracy_difference",
                    "accuracy_ratio",
                    "generalized_entropy_index",
                    "theil_index",
                    "worst_group_accuracy",
                    "roc_auc_difference",
                    "abroca"
                }) {
            JsonNode metric = root.get("metrics").get(name);
            assertThat(metric).as(name).isNotNull();
            assertThat(metric.get("low").asDouble())
                    .as(name)
                    .isLessThanOrEqualTo(metric.get("high").asDouble());
            assertThat(metric.has("undefined")).isFalse();
        }
        assertThat(root.at("/metrics/accuracy_difference/groups/0/sex").asText())
                .isEqualTo("female");
        assertThat(root.at("/metrics/accuracy_difference/p_value").asDouble()).isLessThan(0.01);
        assertThat(root.at("/extras/linear_probe_accuracy/value").asDouble()).isEqualTo(0.61);
    }

    @Test
    void suppressesSmallGroupsAndNamesTheDrivingPair() {
        FairnessReport report = report(true);
        assertThat(report.byGroup().get(2).suppressed()).isTrue();
        assertThat(report.byGroup().get(2).figures()).isEmpty();
        assertThat(report.curves()).hasSize(2);
        Estimate accuracy = report.metrics().get("accuracy_difference");
        assertThat(accuracy).isNotNull();
        assertThat(accuracy.groups())
                .containsExactly(Group.of("sex", "female"), Group.of("sex", "male"));
        assertThat(accuracy.interval().orElseThrow().contains(accuracy.figure().value())).isTrue();
        assertThat(report.toString())
                .contains(
                        "suppressed sex=other: 1 examples, fewer than 30",
                        "equalized_odds_difference_mean",
                        "four-fifths rule");
        assertThat(report.metric("accuracy_difference")).isEqualTo(accuracy.figure());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> report.metric("nonsense"))
                .withMessageStartingWith("the report has no figure nonsense, expected one of [");
    }

    @Test
    void markdownEscapesWhatComesFromData() {
        String markdown = MarkdownRenderer.render(report(true));
        assertThat(markdown)
                .startsWith("# Fairness report: smiles \\| &lt;1.2>\n")
                .contains("| demographic\\_parity\\_difference | ")
                .contains("| --- | --- |");
    }

    @Test
    void aTaskOfSeveralClassesIsReported() {
        GroupConfusion confusion =
                GroupConfusion.of(List.of("x", "y", "z"), Group.values("sex", "female", "male"));
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 600; i++) {
            confusion.add(random.nextInt(3), random.nextInt(3), i % 2);
        }
        FairnessReport report = FairnessReport.of(confusion.snapshot());
        assertThat(report.metric("demographic_parity_difference").value()).isBetween(0.0, 0.3);
        assertThat(report.overall("accuracy").value()).isBetween(0.2, 0.5);
        assertThat(report.metrics()).doesNotContainKey("theil_index");
        assertThat(JsonFormat.read(JsonFormat.write(report))).isEqualTo(report);
    }

    @Test
    void emptyAndOneGroupAuditsSayWhatIsMissing() {
        FairnessReport empty =
                FairnessReport.of(GroupConfusion.binary(Group.values("g", "a", "b")).snapshot());
        assertThat(empty.overall("accuracy").reason()).contains("no examples");
        for (Criterion criterion : Criterion.values()) {
            assertThat(empty.metric(criterion.key(Contrast.DIFFERENCE)).isDefined()).isFalse();
        }
        assertThat(JsonFormat.read(JsonFormat.write(empty))).isEqualTo(empty);
    }
}
