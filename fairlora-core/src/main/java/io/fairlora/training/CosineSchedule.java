package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * A learning rate that rises linearly over the warm-up and then falls along half a cosine to 0
 * (Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts).
 *
 * @param peak the highest rate, reached at the end of the warm-up; positive
 * @param warmup the number of steps of the warm-up, from 0 to {@code total}
 * @param total the number of steps of the whole training, at least 1
 */
public record CosineSchedule(double peak, long warmup, long total) {

    /** Checks the ranges. */
    public CosineSchedule {
        checkArgument(peak > 0, "learning rate must be positive, found %s", peak);
        checkArgument(total >= 1, "total steps must be at least 1, found %s", total);
        checkArgument(
                warmup >= 0 && warmup <= total,
                "warm-up must be in 0..%s, found %s",
                total,
                warmup);
    }

    /**
     * The rate of one step.
     *
     * @param step the step, from 0
     * @return {@code peak (step + 1) / warmup} during the warm-up, then {@code peak (1 + cos(pi t))
     *     / 2} with t from 0 to 1; 0 after the last step
     */
    public double at(long step) {
        if (step < warmup) {
            return peak * (step + 1) / warmup;
        }
        double t = Math.min(1, (step - warmup) / (double) Math.max(1, total - warmup));
        return peak * 0.5 * (1 + Math.cos(Math.PI * t));
    }
}
