package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.fairlora.metrics.interval.PermutationTest;
import io.fairlora.metrics.interval.PoissonBootstrap;
import io.fairlora.metrics.interval.ProportionIntervals;
import io.fairlora.metrics.interval.SampleSize;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Each mistake gets one sentence that names the argument, what was found and what was expected. */
class BadInputTest {
    private final GroupConfusion confusion = GroupConfusion.binary(Group.values("g", "a", "b"));
    private final GroupScores scores = GroupScores.binned(Group.values("g", "a", "b"), 30);

    private void rejects(Runnable call, String message) {
        assertThatIllegalArgumentException().isThrownBy(call::run).withMessage(message);
        assertThat(confusion.snapshot().count()).as("nothing was counted").isZero();
        assertThat(scores.snapshot().count()).as("nothing was counted").isZero();
    }

    @Test
    void lengthsThatDiffer() {
        rejects(
                () -> confusion.add(new int[] {1, 0}, new int[] {1}, new int[] {0, 0}),
                "expected as many labels as predictions, groups and weights, found 2 labels, 1"
                        + " predictions, 2 groups and 2 weights");
        rejects(
                () -> scores.add(new int[] {1, 0}, new double[] {1}, new int[] {0, 0}),
                "expected as many labels as scores, groups and weights, found 2 labels, 1 scores,"
                        + " 2 groups and 2 weights");
    }

    @Test
    void codesOutOfRange() {
        rejects(
                () -> confusion.add(new int[] {1, 2}, new int[] {1, 0}, new int[] {0, 0}),
                "label at position 1 is 2, expected 0 or 1");
        rejects(
                () -> confusion.add(new int[] {1, 1}, new int[] {1, -1}, new int[] {0, 0}),
                "prediction at position 1 is -1, expected 0 or 1");
        rejects(
                () -> confusion.add(1, 1, 5),
                "group is 5, expected a code from 0 to 1 of [g=a, g=b]");
        rejects(() -> scores.add(3, 0.5, 0), "label is 3, expected 0 or 1");
    }

    @Test
    void scoresAndWeights() {
        rejects(
                () -> scores.add(new int[] {1}, new double[] {Double.NaN}, new int[] {0}),
                "score at position 0 is NaN, expected a number from 0 to 1");
        rejects(
                () -> GroupScores.exact(Group.values("g", "a")).add(1, Double.NaN, 0),
                "score is NaN, expected a finite number");
        rejects(
                () -> confusion.add(1, 1, 0, -0.5),
                "weight is -0.5, expected a finite number of 0 or more");
        rejects(
                () -> confusion.add(new int[] {1}, new int[] {1}, new int[] {0}, new double[] {-1}),
                "weight at position 0 is -1.0, expected a finite number of 0 or more");
    }

    @Test
    void weightsThatAreAllZero() {
        confusion.add(1, 1, 0, 0);
        assertThatIllegalStateException()
                .isThrownBy(confusion::snapshot)
                .withMessage("all weights are zero, expected at least one above zero");
    }

    @Test
    void groupsAndClasses() {
        rejects(
                () -> GroupConfusion.binary(Group.values("g", "a", "a")),
                "group g=a is given twice");
        rejects(
                () -> GroupConfusion.of(List.of("only"), List.of()),
                "expected two or more different classes, found [only]");
        rejects(
                () -> confusion.merge(GroupConfusion.of(List.of("x", "y", "z"), List.of())),
                "cannot merge counts of classes [x, y, z] into [0, 1]");
        rejects(
                () -> scores.merge(GroupScores.exact(List.of())),
                "cannot merge scores in exact form into scores in 30 bins");
        rejects(
                () -> confusion.snapshot().count(Group.of("g", "c")),
                "group g=c is unknown, expected one of [g=a, g=b]");
    }

    @Test
    void json() {
        rejects(
                () -> GroupConfusion.fromJson("{"),
                "expected a JSON object of format fairlora-group-confusion/1, found no valid JSON");
        rejects(
                () -> GroupConfusion.fromJson("{\"format\":\"other\"}"),
                "expected a JSON object of format fairlora-group-confusion/1, found format other");
        String json = confusion.toJson().replace("\"counts\":[0,", "\"counts\":[-1,");
        rejects(
                () -> GroupConfusion.fromJson(json),
                "counts[0] is -1, expected a whole number of 0 or more");
    }

    @Test
    void bins() {
        rejects(
                () -> Bins.of("age", 40, 18),
                "edges of age are [40.0, 18.0], expected one or more finite numbers in increasing"
                        + " order");
        rejects(
                () -> Bins.of("age", 18).codeOf(Double.NaN),
                "value is NaN, expected a number to put into a bin");
    }

    @Test
    void statistics() {
        rejects(
                () -> ProportionIntervals.wilson(3, 2, 0.95),
                "found 3.0 successes in 2.0 trials, expected 0 <= successes <= trials and trials"
                        + " > 0");
        rejects(
                () -> ProportionIntervals.wilson(1, 2, 95),
                "confidence is 95.0, expected a number between 0 and 1");
        rejects(
                () -> PoissonBootstrap.of(confusion.snapshot(), 0, 1),
                "number of replicates is 0, expected 1 or more");
        rejects(
                () -> PermutationTest.test(new long[] {1}, new long[] {2}, 10, 1),
                "found successes [1] in trials [2], expected no more successes than trials, trials"
                        + " in two groups or more and at most 2147483647 in all");
        rejects(
                () -> SampleSize.perGroup(0.9, 0.2, 0.8, 0.05),
                "rate is 0.9 and gap 0.2, expected two different rates from 0 to 1");
    }
}
