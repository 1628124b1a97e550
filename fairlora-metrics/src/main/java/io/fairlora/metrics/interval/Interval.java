package io.fairlora.metrics.interval;

import java.io.Serializable;

/**
 * A confidence interval.
 *
 * @param low the lower end
 * @param high the upper end
 * @param confidence the level, in (0, 1)
 */
public record Interval(double low, double high, double confidence) implements Serializable {

    /** Checks the order of the ends and the level. */
    public Interval {
        if (!(low <= high)) {
            throw new IllegalArgumentException(
                    "interval is [" + low + ", " + high + "], expected low <= high");
        }
        checkConfidence(confidence);
    }

    static void checkConfidence(double confidence) {
        if (!(confidence > 0 && confidence < 1)) {
            throw new IllegalArgumentException(
                    "confidence is " + confidence + ", expected a number between 0 and 1");
        }
    }

    /**
     * Whether a value lies inside, ends included.
     *
     * @param value any number
     * @return true if {@code low <= value <= high}
     */
    public boolean contains(double value) {
        return low <= value && value <= high;
    }
}
