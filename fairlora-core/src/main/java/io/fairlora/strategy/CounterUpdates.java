package io.fairlora.strategy;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.math.IntMath;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.party.CounterUpdateRequest;
import io.fairlora.party.CounterUpdateRequest.Objective;
import java.math.RoundingMode;
import java.util.OptionalInt;

/**
 * ADV, ENT and DISTILL: the training is cut into rounds; after each the developer hands its adapter
 * over, the auditor moves it a bounded way against the sensitive attribute, and hands it back.
 *
 * @param objective ascent on the auditor's loss (ADV), entropy of its predictions (ENT), or
 *     features equal to their erased version (DISTILL)
 * @param rounds how often the adapter is handed over, at least 1
 * @param steps the auditor's steps a round
 * @param batchSize the images of such a step; if empty, one for every 16 features, at least 1, so
 *     that 128 steps see the {@linkplain io.fairlora.party.LinearEraser#imagesNeeded images that an
 *     eraser needs} once
 * @param learningRate its rate
 * @param radius how far the adapter may move in a round, as a part of its norm
 * @param endWithAuditor whether the last word is the auditor's; otherwise the task's steps after
 *     the last but one hand-over end the run
 * @param refitHead whether the head is fitted anew at the end
 */
public record CounterUpdates(
        Objective objective,
        int rounds,
        int steps,
        OptionalInt batchSize,
        double learningRate,
        double radius,
        boolean endWithAuditor,
        boolean refitHead)
        implements DebiasStrategy {

    private static final int FEATURES_PER_IMAGE = 16;

    /** Checks the ranges. */
    public CounterUpdates {
        checkArgument(rounds >= 1, "rounds must be at least 1, found %s", rounds);
        checkArgument(steps >= 1, "steps must be at least 1, found %s", steps);
        checkArgument(
                batchSize.isEmpty() || batchSize.getAsInt() >= 1,
                "batch size must be at least 1, found %s",
                batchSize.orElse(0));
        checkArgument(learningRate > 0, "learning rate must be positive, found %s", learningRate);
        checkArgument(radius > 0, "radius must be positive, found %s", radius);
    }

    /**
     * A builder with the defaults of an objective.
     *
     * @param objective what the auditor moves the adapter towards
     * @return a new one
     */
    public static Builder builder(Objective objective) {
        return new Builder(objective);
    }

    @Override
    public String name() {
        return switch (objective) {
            case ASCENT -> "ADV";
            case ENTROPY -> "ENT";
            case ERASED_FEATURES -> "DISTILL";
        };
    }

    @Override
    public void afterRound(FineTuning run, int round) {
        if (round == rounds && !endWithAuditor) {
            return;
        }
        LoraAdapter moved =
                run.auditor()
                        .counterUpdate(
                                new CounterUpdateRequest(
                                        run.developer().handOver(),
                                        objective,
                                        steps,
                                        batchSize.orElse(
                                                defaultBatchSize(run.developer().featureSize())),
                                        learningRate,
                                        radius,
                                        round,
                                        run.settings().seed()));
        run.developer().takeBack(moved);
    }

    static int defaultBatchSize(int featureSize) {
        return IntMath.divide(featureSize, FEATURES_PER_IMAGE, RoundingMode.CEILING);
    }

    @Override
    public void finish(FineTuning run) {
        if (refitHead) {
            run.developer().refitHead();
        }
    }

    /** Builds a {@link CounterUpdates}. */
    public static final class Builder {

        private final Objective objective;
        private int rounds;
        private int steps;
        private OptionalInt batchSize;
        private double learningRate = 3e-3;
        private double radius;
        private boolean endWithAuditor;
        private boolean refitHead = true;

        private Builder(Objective objective) {
            this.objective = objective;
            rounds = objective == Objective.ERASED_FEATURES ? 9 : 6;
            steps =
                    switch (objective) {
                        case ASCENT -> 10;
                        case ENTROPY -> 20;
                        case ERASED_FEATURES -> 128;
                    };
            batchSize =
                    objective == Objective.ERASED_FEATURES
                            ? OptionalInt.empty()
                            : OptionalInt.of(32);
            radius =
                    switch (objective) {
                        case ASCENT -> 0.2;
                        case ENTROPY -> 0.4;
                        case ERASED_FEATURES -> 1;
                    };
            endWithAuditor = objective != Objective.ENTROPY;
        }

        /**
         * How often the adapter is handed over.
         *
         * @param value at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder rounds(int value) {
            rounds = value;
            return this;
        }

        /**
         * The auditor's steps a round.
         *
         * @param value at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder steps(int value) {
            steps = value;
            return this;
        }

        /**
         * The images of one of the auditor's steps.
         *
         * @param value at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder batchSize(int value) {
            batchSize = OptionalInt.of(value);
            return this;
        }

        /**
         * The rate of the auditor's steps.
         *
         * @param value positive
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder learningRate(double value) {
            learningRate = value;
            return this;
        }

        /**
         * How far the adapter may move in a round.
         *
         * @param value a part of its norm, positive
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder radius(double value) {
            radius = value;
            return this;
        }

        /**
         * Whether the last word is the auditor's.
         *
         * @param value whether it is
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder endWithAuditor(boolean value) {
            endWithAuditor = value;
            return this;
        }

        /**
         * Whether the head is fitted anew at the end.
         *
         * @param value whether it is
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder refitHead(boolean value) {
            refitHead = value;
            return this;
        }

        /**
         * Builds the strategy.
         *
         * @return it
         */
        public CounterUpdates build() {
            return new CounterUpdates(
                    objective,
                    rounds,
                    steps,
                    batchSize,
                    learningRate,
                    radius,
                    endWithAuditor,
                    refitHead);
        }
    }
}
