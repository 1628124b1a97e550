package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairlora.metrics.fairness.Abroca;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Agreement of scores with scikit-learn, and of ABROCA with scikit-learn's ROC curves. */
class ScoreGoldenTest {
    private static final Offset<Double> EXACT = within(1e-12);

    private static void fill(GroupScores scores, JsonNode line) {
        int[] labels = Golden.digits(line.get("y"));
        int[] groups = Golden.digits(line.get("g"));
        double[] values = Golden.numbers(line.get("s"));
        if (line.has("w")) {
            scores.add(labels, values, groups, Golden.numbers(line.get("w")));
        } else {
            scores.add(labels, values, groups);
        }
    }

    private static void compare(JsonNode theirs, ScoreMeasure measure, Figure ours) {
        JsonNode expected = theirs.get(measure.key());
        assertThat(ours.isDefined()).as(measure + " " + ours).isEqualTo(!expected.isNull());
        if (ours.isDefined()) {
            assertThat(ours.value()).as(measure.key()).isCloseTo(expected.asDouble(), EXACT);
        }
    }

    @Test
    void exactScoresAgree() {
        List<JsonNode> lines = Golden.lines("scores.jsonl.gz");
        assertThat(lines).hasSize(100);
        int areas = 0;
        for (JsonNode line : lines) {
            List<Group> groups = Golden.groups(Golden.digits(line.get("g")));
            GroupScores scores = GroupScores.exact(groups);
            fill(scores, line);
            ScoreSnapshot s = scores.snapshot();
            for (ScoreMeasure measure : ScoreMeasure.values()) {
                compare(line.get("overall"), measure, s.measure(measure));
                for (int g = 0; g < groups.size(); g++) {
                    compare(
                            line.get("by_group").get(g),
                            measure,
                            s.measure(measure, groups.get(g)));
                }
            }
            if (line.has("abroca")) {
                assertThat(Abroca.between(s, groups.get(0), groups.get(1)).value())
                        .isCloseTo(line.get("abroca").asDouble(), EXACT);
                areas++;
            }
        }
        assertThat(areas).isGreaterThan(50);
    }

    /** Scores of up to two digits fall into different bins of a hundredth and so lose nothing. */
    @Test
    void binnedScoresAgreeWhereBinsKeepScoresApart() {
        int compared = 0;
        for (JsonNode line : Golden.lines("scores.jsonl.gz")) {
            double[] values = Golden.numbers(line.get("s"));
            List<Group> groups = Golden.groups(Golden.digits(line.get("g")));
            GroupScores scores = GroupScores.binned(groups, 1500);
            fill(scores, line);
            ScoreSnapshot s = scores.snapshot();
            for (ScoreMeasure measure : ScoreMeasure.values()) {
                boolean apart = Arrays.stream(values).allMatch(v -> v * 100 % 1 < 1e-9);
                if (measure != ScoreMeasure.ROC_AUC || apart) {
                    compare(line.get("overall"), measure, s.measure(measure));
                    compared++;
                }
            }
        }
        assertThat(compared).isGreaterThan(400);
    }
}
