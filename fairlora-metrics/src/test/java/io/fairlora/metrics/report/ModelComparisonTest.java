package io.fairlora.metrics.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.metrics.Group;
import io.fairlora.metrics.PairedConfusion;
import io.fairlora.metrics.fairness.FairnessOptions;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ModelComparisonTest {
    private static final List<Group> GROUPS = Group.values("sex", "female", "male", "other");

    @Test
    void aRepairOfOneGroupShows() {
        int n = 3000;
        int[] labels = new int[n];
        int[] first = new int[n];
        int[] second = new int[n];
        int[] groups = new int[n];
        SplittableRandom random = new SplittableRandom(8);
        for (int i = 0; i < n; i++) {
            labels[i] = random.nextInt(2);
            groups[i] = i < 10 ? 2 : i % 2;
            double wrong = groups[i] == 0 ? 0.3 : 0.15;
            first[i] = random.nextDouble() < wrong ? 1 - labels[i] : labels[i];
            boolean repaired = groups[i] == 0 && random.nextDouble() < 0.4;
            second[i] = repaired ? labels[i] : first[i];
        }
        PairedConfusion paired = PairedConfusion.binary(GROUPS);
        paired.add(labels, first, second, groups);
        ModelComparison comparison =
                ModelComparison.of(paired.snapshot(), FairnessOptions.DEFAULT, 0.95, 500, 1);

        Estimate accuracy = comparison.changes().get("accuracy");
        assertThat(accuracy).isNotNull();
        assertThat(accuracy.interval().orElseThrow().low()).isPositive();
        Estimate gap = comparison.changes().get("accuracy_difference");
        assertThat(gap).isNotNull();
        assertThat(gap.interval().orElseThrow().high()).isNegative();
        assertThat(comparison.mcNemar()).containsOnlyKeys(GROUPS.get(0), GROUPS.get(1));
        assertThat(comparison.mcNemar().get(GROUPS.get(0))).isLessThan(1e-6);
        assertThat(comparison.mcNemar().get(GROUPS.get(1))).isOne();
    }

    @Test
    void theSameModelTwiceChangesNothing() {
        PairedConfusion paired = PairedConfusion.of(List.of("x", "y", "z"), GROUPS);
        int[] labels = new int[300];
        int[] predictions = new int[300];
        int[] groups = new int[300];
        SplittableRandom random = new SplittableRandom(9);
        for (int i = 0; i < labels.length; i++) {
            labels[i] = random.nextInt(3);
            predictions[i] = random.nextInt(3);
            groups[i] = i % 3;
        }
        paired.add(labels, predictions, predictions, groups);
        ModelComparison comparison =
                ModelComparison.of(paired.snapshot(), FairnessOptions.DEFAULT, 0.9, 50, 1);
        comparison
                .changes()
                .forEach((name, e) -> assertThat(e.figure().orElse(0)).as(name).isZero());
        assertThat(comparison.mcNemar().values()).allMatch(p -> p == 1);
    }
}
