package io.fairlora.metrics.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import java.time.Instant;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class FairnessReportTest {

    static FairnessReport report() {
        GroupConfusion confusion =
                GroupConfusion.binary(Group.values("sex", "female", "male", "other"));
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 2000; i++) {
            int group = random.nextInt(2);
            int label = random.nextInt(2);
            boolean wrong = random.nextDouble() < (group == 0 ? 0.3 : 0.1);
            confusion.add(label, wrong ? 1 - label : label, group);
        }
        confusion.add(1, 1, 2);
        return FairnessAudit.of(confusion.snapshot())
                .subject("smiles")
                .created(Instant.parse("2026-11-25T00:00:00Z"))
                .extra("linear_probe_accuracy", Figure.of(0.61))
                .report();
    }

    @Test
    void jsonRoundTrips() {
        FairnessReport report = report();
        assertThat(JsonFormat.read(JsonFormat.write(report))).isEqualTo(report);
    }

    @Test
    void suppressesSmallGroupsAndNamesTheDrivingPair() {
        FairnessReport report = report();
        assertThat(report.byGroup().get(2).suppressed()).isTrue();
        assertThat(report.byGroup().get(2).figures()).isEmpty();
        Estimate accuracy = report.metrics().get("accuracy_difference");
        assertThat(accuracy).isNotNull();
        assertThat(accuracy.groups())
                .containsExactly(Group.of("sex", "female"), Group.of("sex", "male"));
        assertThat(accuracy.interval().orElseThrow().contains(0.2)).isTrue();
        assertThat(report.toString()).contains("suppressed", "equalized_odds_difference_mean");
    }
}
