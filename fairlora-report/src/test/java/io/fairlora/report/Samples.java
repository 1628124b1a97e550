package io.fairlora.report;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.GroupScores;
import io.fairlora.metrics.interval.BootstrapMethod;
import io.fairlora.metrics.report.FairnessAudit;
import io.fairlora.metrics.report.FairnessReport;
import java.time.Instant;
import java.util.List;
import java.util.SplittableRandom;

/** Reports to render. */
final class Samples {

    private Samples() {}

    /** An audit of a model that is worse, and selects less, for later groups. */
    static FairnessReport report(String subject, double unfairness, List<Group> groups) {
        GroupConfusion confusion = GroupConfusion.binary(groups);
        GroupScores scores = GroupScores.exact(groups);
        SplittableRandom random = new SplittableRandom(11);
        for (int i = 0; i < 4000; i++) {
            // The last group is too small to be shown.
            int group = i < 5 ? groups.size() - 1 : i % (groups.size() - 1);
            int label = random.nextInt(2);
            double bias = unfairness * group / groups.size();
            double score = 0.3 + 0.4 * label - bias + random.nextGaussian() * (0.2 + bias / 3);
            score = Math.min(1, Math.max(0, score));
            confusion.add(label, score >= 0.5 ? 1 : 0, group);
            scores.add(label, score, group);
        }
        return FairnessAudit.of(confusion.snapshot())
                .scores(scores.snapshot())
                .subject(subject)
                .bootstrap(BootstrapMethod.BCA, 100, 1)
                .created(Instant.parse("2026-11-25T00:00:00Z"))
                .extra("linear_probe_accuracy", Figure.of(0.61))
                .report();
    }

    static List<Group> groups() {
        return Group.cross(
                Group.values("sex", "female", "male"),
                Group.values("race", "Asian", "Black", "<script>alert(1)</script>"));
    }
}
