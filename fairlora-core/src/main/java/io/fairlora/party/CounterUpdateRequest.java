package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.LoraAdapter;

/**
 * Hands the developer's adapter over and asks for it back, moved against the sensitive attribute.
 *
 * @param adapter the adapter as it is
 * @param objective what the auditor moves it towards
 * @param steps the steps it takes, at least 1
 * @param batchSize the images of a step, at least 1
 * @param learningRate the rate of AdamW, positive
 * @param radius how far the adapter may move, as a part of its own norm (A and B together);
 *     positive
 * @param round the round, from 1; the auditor derives its random numbers from it and {@code seed}
 * @param seed any number
 */
public record CounterUpdateRequest(
        LoraAdapter adapter,
        Objective objective,
        int steps,
        int batchSize,
        double learningRate,
        double radius,
        int round,
        long seed) {

    /** What the auditor moves an adapter towards. */
    public enum Objective {
        /** Ascent on its own head's cross-entropy: unbounded, hence the radius. */
        ASCENT,
        /** Maximum entropy of its own head's predictions: bounded. */
        ENTROPY,
        /** Features equal to what is left of them once the attribute is linearly erased. */
        ERASED_FEATURES
    }

    /** Checks the ranges. */
    public CounterUpdateRequest {
        checkArgument(steps >= 1, "steps must be at least 1, found %s", steps);
        checkArgument(batchSize >= 1, "batch size must be at least 1, found %s", batchSize);
        checkArgument(learningRate > 0, "learning rate must be positive, found %s", learningRate);
        checkArgument(radius > 0, "radius must be positive, found %s", radius);
        checkArgument(round >= 1, "round must be at least 1, found %s", round);
    }
}
