package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * How an adapter and a head are trained.
 *
 * @param epochs passes over the data, at least 1
 * @param batchSize examples a step, at least 1
 * @param learningRate the peak of the cosine schedule, positive
 * @param warmup the part of all steps that the warm-up takes, in [0, 1]
 * @param weightDecay at least 0
 * @param maxGradientNorm gradients are scaled down to this joint norm; infinite for never
 * @param balanceClasses whether each class counts the same in the loss, however often it occurs
 * @param seed of the order of the examples and of dropout
 */
public record TrainingSettings(
        int epochs,
        int batchSize,
        double learningRate,
        double warmup,
        double weightDecay,
        double maxGradientNorm,
        boolean balanceClasses,
        long seed) {

    /** Four epochs of batches of 32 at 3e-3, a tenth of it warm-up, classes balanced. */
    public static final TrainingSettings DEFAULT =
            new TrainingSettings(4, 32, 3e-3, 0.1, 0.01, 1.0, true, 0);

    /** Checks the ranges. */
    public TrainingSettings {
        checkArgument(epochs >= 1, "epochs must be at least 1, found %s", epochs);
        checkArgument(batchSize >= 1, "batch size must be at least 1, found %s", batchSize);
        checkArgument(learningRate > 0, "learning rate must be positive, found %s", learningRate);
        checkArgument(warmup >= 0 && warmup <= 1, "warm-up must be in [0, 1], found %s", warmup);
        checkArgument(weightDecay >= 0, "weight decay must be at least 0, found %s", weightDecay);
        checkArgument(
                maxGradientNorm > 0, "gradient norm must be positive, found %s", maxGradientNorm);
    }

    /**
     * The same with another number of epochs.
     *
     * @param changed at least 1
     * @return new settings
     */
    public TrainingSettings withEpochs(int changed) {
        return new TrainingSettings(
                changed,
                batchSize,
                learningRate,
                warmup,
                weightDecay,
                maxGradientNorm,
                balanceClasses,
                seed);
    }

    /**
     * The same with another batch size.
     *
     * @param changed at least 1
     * @return new settings
     */
    public TrainingSettings withBatchSize(int changed) {
        return new TrainingSettings(
                epochs,
                changed,
                learningRate,
                warmup,
                weightDecay,
                maxGradientNorm,
                balanceClasses,
                seed);
    }

    /**
     * The same with another learning rate.
     *
     * @param changed positive
     * @return new settings
     */
    public TrainingSettings withLearningRate(double changed) {
        return new TrainingSettings(
                epochs,
                batchSize,
                changed,
                warmup,
                weightDecay,
                maxGradientNorm,
                balanceClasses,
                seed);
    }

    /**
     * The same with another seed.
     *
     * @param changed any number
     * @return new settings
     */
    public TrainingSettings withSeed(long changed) {
        return new TrainingSettings(
                epochs,
                batchSize,
                learningRate,
                warmup,
                weightDecay,
                maxGradientNorm,
                balanceClasses,
                changed);
    }
}
