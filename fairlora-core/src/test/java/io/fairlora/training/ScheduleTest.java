package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ScheduleTest {

    @Test
    void theRateRisesLinearlyAndFallsAlongHalfACosine() {
        CosineSchedule schedule = new CosineSchedule(0.4, 4, 12);
        assertThat(IntStream.range(0, 4).mapToDouble(schedule::at))
                .containsExactly(0.1, 0.2, 0.30000000000000004, 0.4);
        assertThat(schedule.at(4)).isEqualTo(0.4);
        assertThat(schedule.at(6)).isCloseTo(0.2 * (1 + Math.sqrt(0.5)), within(1e-15));
        assertThat(schedule.at(8)).isCloseTo(0.2, within(1e-15));
        assertThat(schedule.at(12)).isZero();
        assertThat(schedule.at(100)).isZero();
    }

    @Test
    void aWarmUpMayBeNothingOrEverything() {
        assertThat(new CosineSchedule(0.4, 0, 3).at(0)).isEqualTo(0.4);
        assertThat(new CosineSchedule(0.5, 4, 4).at(3)).isEqualTo(0.5);
        assertThat(new CosineSchedule(0.4, 1, 1).at(0)).isEqualTo(0.4);
    }

    @Test
    void schedulesOutsideTheirRangesAreRefused() {
        assertThatThrownBy(() -> new CosineSchedule(0, 0, 3))
                .hasMessage("learning rate must be positive, found 0.0");
        assertThatThrownBy(() -> new CosineSchedule(1, 0, 0))
                .hasMessage("total steps must be at least 1, found 0");
        assertThatThrownBy(() -> new CosineSchedule(1, 4, 3))
                .hasMessage("warm-up must be in 0..3, found 4");
    }

    @Property(tries = 50)
    void anEpochVisitsEveryExampleOnce(
            @ForAll @IntRange(max = 200) int size,
            @ForAll long seed,
            @ForAll @IntRange(max = 5) int epoch) {
        int[] order = EpochOrder.of(size, seed, epoch);
        assertThat(EpochOrder.of(size, seed, epoch)).isEqualTo(order);
        Arrays.sort(order);
        assertThat(order).isEqualTo(IntStream.range(0, size).toArray());
    }

    @Test
    void seedsAndEpochsDecideTheOrder() {
        int[] order = EpochOrder.of(100, 1, 0);
        assertThat(EpochOrder.of(100, 2, 0)).isNotEqualTo(order);
        assertThat(EpochOrder.of(100, 1, 1)).isNotEqualTo(order);
    }

    /** Each of the six orders of three examples, within five standard deviations of a sixth. */
    @Test
    void ordersAreUniform() {
        int[] counts = new int[27];
        int draws = 6000;
        for (int seed = 0; seed < draws; seed++) {
            int[] order = EpochOrder.of(3, seed, 2);
            counts[9 * order[0] + 3 * order[1] + order[2]]++;
        }
        assertThat(Arrays.stream(counts).filter(count -> count > 0).boxed())
                .hasSize(6)
                .allSatisfy(count -> assertThat(count).isCloseTo(1000, within(145)));
    }

    @Test
    void batchesCoverTheOrderAndTheLastMayBeSmaller() {
        assertThat(PixelReader.batches(new int[] {4, 3, 2, 1, 0}, 2))
                .containsExactly(new int[] {4, 3}, new int[] {2, 1}, new int[] {0});
        assertThat(PixelReader.batches(new int[0], 2)).isEmpty();
    }
}
