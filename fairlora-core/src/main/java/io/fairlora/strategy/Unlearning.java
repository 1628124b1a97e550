package io.fairlora.strategy;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.AdapterMath;

/**
 * UNL: the backbone becomes {@code W0 - lambda s_S B_S A_S} with the auditor's adapter, frozen;
 * then a new task adapter is trained on top.
 *
 * @param lambda how much of the auditor's adapter is subtracted; finite
 * @param auditorEpochs how long the auditor trains, in passes over its own data
 */
public record Unlearning(double lambda, int auditorEpochs) implements DebiasStrategy {

    private static final String SENSITIVE = "sensitive";

    /** Checks the ranges. */
    public Unlearning {
        checkArgument(Double.isFinite(lambda), "lambda must be finite, found %s", lambda);
        checkArgument(
                auditorEpochs >= 1, "auditor epochs must be at least 1, found %s", auditorEpochs);
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
        return "UNL";
    }

    @Override
    public void prepare(FineTuning run) {
        checkArgument(
                run.config().isAdditive(),
                "UNL subtracts an adapter, for which %s makes none; use neither DoRA, trained"
                        + " biases nor an initialisation from the base weights",
                run.config());
        run.keep(SENSITIVE, SensitiveAdapters.request(run, auditorEpochs));
    }

    @Override
    public void begin(FineTuning run) {
        run.developer().setBase(AdapterMath.scale(run.kept(SENSITIVE), -lambda));
    }

    /** Builds an {@link Unlearning}. */
    public static final class Builder {

        private double lambda = 1;
        private int auditorEpochs = 3;

        private Builder() {}

        /**
         * How much of the auditor's adapter is subtracted.
         *
         * @param value finite, 1 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder lambda(double value) {
            lambda = value;
            return this;
        }

        /**
         * How long the auditor trains.
         *
         * @param value passes over its own data, at least 1, 3 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder auditorEpochs(int value) {
            auditorEpochs = value;
            return this;
        }

        /**
         * Builds the strategy.
         *
         * @return it
         */
        public Unlearning build() {
            return new Unlearning(lambda, auditorEpochs);
        }
    }
}
