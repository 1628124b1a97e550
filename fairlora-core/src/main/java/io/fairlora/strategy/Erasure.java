package io.fairlora.strategy;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.party.EraserRequest;

/**
 * ERASE: after training the auditor fits the closed-form linear eraser of the attribute under the
 * final adapter; the developer folds it into the head.
 *
 * <p>The map's direction says where the attribute lies in the features: it tells more about it than
 * an adapter does. The auditor may refuse.
 *
 * @param strength how much is erased, in [0, 1]; trades accuracy for parity
 * @param givenTask whether attribute and task label are made independent before fitting, which
 *     serves equalized odds where they go together naturally; the auditor must know the label
 * @param refitHead whether the head is fitted anew on the erased features
 */
public record Erasure(double strength, boolean givenTask, boolean refitHead)
        implements DebiasStrategy {

    /** Checks the ranges. */
    public Erasure {
        checkArgument(
                strength >= 0 && strength <= 1, "strength must be in [0, 1], found %s", strength);
    }

    /**
     * A builder with the defaults.
     *
     * @return a new one
     */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return "ERASE";
    }

    @Override
    public void finish(FineTuning run) {
        run.developer()
                .setEraser(
                        run.auditor()
                                .eraser(new EraserRequest(run.developer().adapter(), givenTask)),
                        strength);
        if (refitHead) {
            run.developer().refitHead();
        }
    }

    /** Builds an {@link Erasure}. */
    public static final class Builder {

        private double strength = 1;
        private boolean givenTask;
        private boolean refitHead;

        private Builder() {}

        /**
         * How much is erased.
         *
         * @param value in [0, 1], 1 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder strength(double value) {
            strength = value;
            return this;
        }

        /**
         * Whether the task's label is taken into account.
         *
         * @param value false by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder givenTask(boolean value) {
            givenTask = value;
            return this;
        }

        /**
         * Whether the head is fitted anew on the erased features.
         *
         * @param value false by default
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
        public Erasure build() {
            return new Erasure(strength, givenTask, refitHead);
        }
    }
}
