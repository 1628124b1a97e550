package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ProgressDisplayTest {

    @Test
    void showsTheFirstAndTheLastStepWithTheTimeLeft() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ProgressDisplay display =
                new ProgressDisplay(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        for (int step = 1; step <= 1000; step++) {
            display.onStep(
                    new TrainingListener.Progress(
                            step, 1000, 1, 2, 0.5, Duration.ofSeconds(3725 - 3725 * step / 1000)));
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertThat(text)
                .startsWith("\rstep 1 of 1,000, epoch 1 of 2, loss 0.5000, 1:02:02 left")
                .endsWith("0:00:00 left" + System.lineSeparator())
                .contains("step 1,000 of 1,000");
        assertThat(text.chars().filter(c -> c == '\r').count()).isLessThan(20);
    }
}
