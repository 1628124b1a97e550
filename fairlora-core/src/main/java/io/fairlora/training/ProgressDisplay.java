package io.fairlora.training;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;

/**
 * Shows the progress of a training on one line of a terminal: step, epoch, loss, time left. Writes
 * at most twice a second, and always the last step.
 */
public final class ProgressDisplay implements TrainingListener {

    private static final long INTERVAL_NANOS = 500_000_000L;

    private final PrintStream out;
    private long shown = System.nanoTime() - INTERVAL_NANOS;

    /**
     * A display.
     *
     * @param out where to, such as {@code System.err}
     */
    public ProgressDisplay(PrintStream out) {
        this.out = out;
    }

    @Override
    public void onStep(Progress progress) {
        long now = System.nanoTime();
        boolean last = progress.step() == progress.total();
        if (now - shown < INTERVAL_NANOS && !last) {
            return;
        }
        shown = now;
        Duration left = progress.left();
        out.printf(
                Locale.ROOT,
                "\rstep %,d of %,d, epoch %d of %d, loss %.4f, %d:%02d:%02d left%s",
                progress.step(),
                progress.total(),
                progress.epoch(),
                progress.epochs(),
                progress.loss(),
                left.toHours(),
                left.toMinutesPart(),
                left.toSecondsPart(),
                last ? System.lineSeparator() : "");
        out.flush();
    }
}
