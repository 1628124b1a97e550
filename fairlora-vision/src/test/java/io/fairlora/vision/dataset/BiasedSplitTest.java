package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.vision.dataset.BiasedSplit.Part;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class BiasedSplitTest {

    private static int[] random(long seed, int count, int classes) {
        SplittableRandom random = new SplittableRandom(seed);
        return IntStream.range(0, count).map(i -> random.nextInt(classes)).toArray();
    }

    private static BiasedSplit.Builder builder(long seed, int count, int tasks, int groups) {
        return BiasedSplit.builder()
                .task(random(seed, count, tasks))
                .sensitive(random(seed + 1, count, groups))
                .seed(seed);
    }

    private static int sum(int[][] counts, int s) {
        int sum = 0;
        for (int[] row : counts) {
            sum += row[s];
        }
        return sum;
    }

    @Property(tries = 100)
    void sizesAreExactAndPartsDisjoint(
            @ForAll long seed,
            @ForAll @IntRange(min = 2, max = 4) int tasks,
            @ForAll @IntRange(min = 2, max = 4) int groups,
            @ForAll @DoubleRange(min = 0, max = 1) double correlation) {
        BiasedSplit split =
                builder(seed, 4000, tasks, groups)
                        .law(Part.TRAIN, CellLaw.correlated(correlation))
                        .sizes(237, 200, 101, 320)
                        .build();

        assertThat(split.train()).hasSize(237);
        assertThat(split.auditor()).hasSize(200);
        assertThat(split.validation()).hasSize(101);
        assertThat(split.test()).hasSize(320);
        Set<Integer> all = new HashSet<>();
        for (Part part : Part.values()) {
            assertThat(split.indices(part)).isSorted();
            for (int i : split.indices(part)) {
                assertThat(all.add(i)).isTrue();
            }
        }
        int[][] train = split.cellCounts(Part.TRAIN);
        int[][] test = split.cellCounts(Part.TEST);
        int[][] auditor = split.cellCounts(Part.AUDITOR);
        int[] task = random(seed, 4000, tasks);
        int[] sensitive = random(seed + 1, 4000, groups);
        for (int y = 0; y < tasks; y++) {
            for (int s = 0; s < groups; s++) {
                int taskClass = y;
                int sensitiveClass = s;
                long natural =
                        IntStream.range(0, 4000)
                                .filter(i -> task[i] == taskClass && sensitive[i] == sensitiveClass)
                                .count();
                assertThat((double) auditor[y][s]).isCloseTo(natural / 20.0, within(1.0));
                double given = y == s % tasks ? correlation : (1 - correlation) / (tasks - 1);
                assertThat((double) train[y][s]).isCloseTo(237 * given / groups, within(1.0));
                assertThat((double) test[y][s]).isCloseTo(320.0 / (tasks * groups), within(1.0));
            }
        }
    }

    @Property(tries = 50)
    void fractionsKeepTheConditionalFrequencies(
            @ForAll long seed,
            @ForAll @IntRange(min = 2, max = 3) int tasks,
            @ForAll @IntRange(min = 2, max = 3) int groups,
            @ForAll @DoubleRange(min = 0.2, max = 0.95) double correlation) {
        BiasedSplit split =
                builder(seed, 5000, tasks, groups)
                        .law(Part.TRAIN, CellLaw.correlated(correlation))
                        .fractions(0.5, 0.2, 0.1, 0.2)
                        .build();

        int[][] train = split.cellCounts(Part.TRAIN);
        for (int s = 0; s < groups; s++) {
            double found = (double) train[s % tasks][s] / sum(train, s);
            assertThat(found).isCloseTo(correlation, within(0.02));
        }
        int[][] test = split.cellCounts(Part.TEST);
        for (int[] row : test) {
            assertThat(row).containsOnly(test[0][0]);
        }
        assertThat(split.auditor().length).isBetween(990, 1010);
    }

    @Property(tries = 50)
    void noGroupIsInTwoParts(@ForAll long seed) {
        int[] ids = random(seed + 9, 4000, 700);
        BiasedSplit.Builder builder = builder(seed, 4000, 2, 2).groups(ids);

        for (BiasedSplit split :
                new BiasedSplit[] {
                    builder.sizes(200, 100, 60, 100).build(),
                    builder(seed, 4000, 2, 2).groups(ids).fractions(0.4, 0.3, 0.1, 0.2).build()
                }) {
            Set<Integer> before = new HashSet<>();
            for (Part part : Part.values()) {
                Set<Integer> here = new HashSet<>();
                for (int i : split.indices(part)) {
                    here.add(ids[i]);
                }
                assertThat(here).isNotEmpty();
                for (int id : here) {
                    assertThat(before.add(id)).isTrue();
                }
            }
        }
    }

    @Property(tries = 20)
    void theSeedDecides(@ForAll long seed) {
        int[] task = random(1, 2000, 2);
        int[] sensitive = random(2, 2000, 2);
        BiasedSplit[] splits = new BiasedSplit[3];
        for (int i = 0; i < 3; i++) {
            splits[i] =
                    BiasedSplit.builder()
                            .task(task)
                            .sensitive(sensitive)
                            .sizes(300, 200, 100, 200)
                            .seed(i == 2 ? seed + 1 : seed)
                            .build();
        }

        for (Part part : Part.values()) {
            assertThat(splits[0].indices(part)).isEqualTo(splits[1].indices(part));
            assertThat(splits[0].indices(part)).isNotEqualTo(splits[2].indices(part));
        }
    }

    @Test
    void leavesOutExamplesWithoutALabel() {
        int[] task = random(5, 1000, 2);
        int[] sensitive = random(6, 1000, 2);
        for (int i = 0; i < 1000; i += 3) {
            task[i] = -1;
            sensitive[Math.min(999, i + 1)] = -1;
        }
        BiasedSplit split =
                BiasedSplit.builder()
                        .task(task)
                        .sensitive(sensitive)
                        .fractions(0.25, 0.25, 0.25, 0.25)
                        .seed(1)
                        .build();

        for (Part part : Part.values()) {
            assertThat(split.indices(part)).isNotEmpty();
            for (int i : split.indices(part)) {
                assertThat(i % 3).isEqualTo(2);
            }
        }
    }

    @Test
    void takesAnyConditionalFrequencyAndAlignment() {
        BiasedSplit split =
                builder(3, 5000, 2, 3)
                        .law(
                                Part.TRAIN,
                                CellLaw.conditional(
                                        new double[][] {{0.2, 0.8}, {0.5, 0.5}, {1, 0}}))
                        .law(Part.AUDITOR, CellLaw.correlated(0.75, 1, 0, 0))
                        .sizes(300, 120, 0, 60)
                        .build();

        assertThat(split.cellCounts(Part.TRAIN))
                .isDeepEqualTo(new int[][] {{20, 50, 100}, {80, 50, 0}});
        assertThat(split.cellCounts(Part.AUDITOR))
                .isDeepEqualTo(new int[][] {{10, 30, 30}, {30, 10, 10}});
        assertThat(split.validation()).isEmpty();
    }

    @Test
    void correlatesAlongNature() {
        int[] sensitive = random(8, 3000, 2);
        int[] noise = random(9, 3000, 10);
        int[] task =
                IntStream.range(0, 3000)
                        .map(i -> noise[i] < 3 ? sensitive[i] : 1 - sensitive[i])
                        .toArray();
        BiasedSplit split =
                BiasedSplit.builder()
                        .task(task)
                        .sensitive(sensitive)
                        .law(Part.TRAIN, CellLaw.correlatedAlongNature(0.9))
                        .sizes(1000, 0, 0, 0)
                        .seed(1)
                        .build();

        assertThat(split.cellCounts(Part.TRAIN)).isDeepEqualTo(new int[][] {{50, 450}, {450, 50}});
    }

    @Test
    void refusesACellWithTooFew() {
        int[] task = new int[100];
        int[] sensitive = new int[100];
        for (int i = 0; i < 100; i++) {
            task[i] = i % 2;
            sensitive[i] = i < 4 ? 1 - i % 2 : i % 2;
        }
        BiasedSplit.Builder builder = BiasedSplit.builder().task(task).sensitive(sensitive).seed(1);

        assertThatThrownBy(() -> builder.sizes(40, 20, 0, 12).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "test needs 3 examples with task class 0 and sensitive class 1, only 2 are"
                                + " left");
        assertThatThrownBy(
                        () ->
                                BiasedSplit.builder()
                                        .task(task)
                                        .sensitive(sensitive)
                                        .seed(1)
                                        .fractions(0.97, 0.01, 0.01, 0.01)
                                        .build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageMatching(
                        "\\w+ gets no example with task class . and sensitive class .: its share"
                                + " has, cell by cell, \\[.*]");
    }

    @Test
    void refusesWhatIsNotGiven() {
        assertThatThrownBy(() -> builder(1, 10, 2, 2).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("either sizes or fractions must be given");
        assertThatThrownBy(() -> builder(1, 10, 2, 2).fractions(0.5, 0.2, 0.2, 0.2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("fractions must add up to 1, found 1.");
        assertThatThrownBy(() -> builder(1, 10, 1, 2).sizes(1, 1, 1, 1).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the task must have at least 2 classes, found 1");
        assertThatThrownBy(() -> CellLaw.correlated(1.5))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a correlation must be from 0 to 1, found 1.5");
    }
}
