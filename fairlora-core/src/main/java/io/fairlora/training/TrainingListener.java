package io.fairlora.training;

import java.time.Duration;

/** Told about the progress of a training, on the thread that trains. */
@FunctionalInterface
public interface TrainingListener {

    /** A listener that does nothing. */
    TrainingListener NONE = progress -> {};

    /**
     * Called after every step.
     *
     * @param progress where the training is
     */
    void onStep(Progress progress);

    /**
     * Where a training is.
     *
     * @param step the steps taken, from 1
     * @param total the steps of the whole training
     * @param epoch the epoch of the step just taken, from 1
     * @param epochs the epochs of the whole training
     * @param loss the loss of the step just taken, penalty included
     * @param left an estimate of the time until the last step, at the mean pace so far; what
     *     happens between steps, such as an exchange with an auditor, counts
     */
    record Progress(long step, long total, int epoch, int epochs, double loss, Duration left) {}
}
