package io.fairlora.examples.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import io.fairlora.lora.LoraConfig;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.zoo.Zoo;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class StudyTest {

    @Test
    void anInterruptEndsAllRunsBeforeItReturns() throws InterruptedException {
        try (VisionTransformer vit = Zoo.tinyVit(Device.cpu())) {
            FaceSource source =
                    FaceSource.synthetic(
                            FaceAttribute.HAT,
                            FaceAttribute.SKIN_TONE,
                            0.9,
                            new FaceSource.Sizes(64, 16, 64, 16),
                            Kept.pixels(vit.input()));
            Study study =
                    new Study(
                            vit,
                            source,
                            List.of(Strategies.ERM, Strategies.ORTH),
                            LoraConfig.builder().build(),
                            TrainingSettings.DEFAULT.withEpochs(1000),
                            1,
                            1,
                            2,
                            64);
            Thread caller = Thread.currentThread();
            AtomicInteger steps = new AtomicInteger();
            assertThatThrownBy(
                            () ->
                                    study.run(
                                            (seed, strategy, done) -> {
                                                if (steps.incrementAndGet() == 1) {
                                                    caller.interrupt();
                                                }
                                            }))
                    .isInstanceOf(InterruptedException.class);
            int taken = steps.get();
            assertThat(taken).isBetween(1, 100);
            Thread.sleep(500);
            assertThat(steps.get()).isEqualTo(taken);
        }
    }
}
