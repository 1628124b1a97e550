package io.fairlora.strategy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.party.CounterUpdateRequest.Objective;
import io.fairlora.party.LinearEraser;
import org.junit.jupiter.api.Test;

class StrategiesTest {

    @Test
    void eachIsFoundByItsName() {
        assertThat(Strategies.all())
                .extracting(DebiasStrategy::name)
                .containsExactly("ERM", "UNL", "ADV", "ORTH", "ENT", "DISTILL", "ERASE");
        for (DebiasStrategy strategy : Strategies.all()) {
            assertThat(Strategies.named(strategy.name())).isSameAs(strategy);
        }
        assertThat(Strategies.named("orth")).isSameAs(Strategies.ORTH);
        assertThatThrownBy(() -> Strategies.named("MAGIC"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "no strategy MAGIC, expected one of [ERM, UNL, ADV, ORTH, ENT, DISTILL,"
                                + " ERASE]");
    }

    /** A checkpoint tells runs apart by it. */
    @Test
    void theTextOfAStrategySaysItsSettings() {
        assertThat(Erasure.builder().strength(0.25).build().toString()).contains("0.25");
        assertThat(Unlearning.builder().lambda(0.25).build())
                .isEqualTo(Unlearning.builder().lambda(0.25).build())
                .asString()
                .contains("0.25");
        assertThat(CounterUpdates.builder(Objective.ASCENT).radius(0.25).build().toString())
                .contains("ASCENT", "0.25");
    }

    /** With the default's 128 steps, the images that an eraser needs at the least, once. */
    @Test
    void aRoundOfDistillSeesTheImagesOfAnEraser() {
        CounterUpdates distill = (CounterUpdates) Strategies.DISTILL;
        assertThat(distill.batchSize()).isEmpty();
        for (int features : new int[] {128, 384, 768}) {
            assertThat(distill.steps() * CounterUpdates.defaultBatchSize(features))
                    .isEqualTo(LinearEraser.imagesNeeded(features));
        }
    }

    @Test
    void settingsOutsideTheirRangesAreRefusedAtOnce() {
        CounterUpdates.Builder rounds = CounterUpdates.builder(Objective.ENTROPY).rounds(0);
        assertThatThrownBy(rounds::build).hasMessage("rounds must be at least 1, found 0");
        CounterUpdates.Builder steps = CounterUpdates.builder(Objective.ENTROPY).steps(0);
        assertThatThrownBy(steps::build).hasMessage("steps must be at least 1, found 0");
        CounterUpdates.Builder batch = CounterUpdates.builder(Objective.ENTROPY).batchSize(0);
        assertThatThrownBy(batch::build).hasMessage("batch size must be at least 1, found 0");
        CounterUpdates.Builder rate = CounterUpdates.builder(Objective.ENTROPY).learningRate(0);
        assertThatThrownBy(rate::build).hasMessage("learning rate must be positive, found 0.0");
        CounterUpdates.Builder radius = CounterUpdates.builder(Objective.ENTROPY).radius(0);
        assertThatThrownBy(radius::build).hasMessage("radius must be positive, found 0.0");
        Erasure.Builder strength = Erasure.builder().strength(1.5);
        assertThatThrownBy(strength::build).hasMessage("strength must be in [0, 1], found 1.5");
        Unlearning.Builder lambda = Unlearning.builder().lambda(Double.NaN);
        assertThatThrownBy(lambda::build).hasMessage("lambda must be finite, found NaN");
        Unlearning.Builder epochs = Unlearning.builder().auditorEpochs(0);
        assertThatThrownBy(epochs::build).hasMessage("auditor epochs must be at least 1, found 0");
    }
}
