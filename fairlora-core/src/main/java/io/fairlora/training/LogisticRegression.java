package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scalars;
import io.fairlora.ndarray.Scope;
import java.util.Arrays;

/**
 * Multinomial logistic regression on fixed features: a head refitted, or a linear probe (Alain and
 * Bengio 2016, "Understanding intermediate layers using linear classifier probes").
 *
 * <p>Features are standardised, weights start at 0 and the regularised loss is minimised over all
 * examples at once, so the result depends on the data alone.
 */
public final class LogisticRegression {

    private static final int STEPS = 200;
    private static final double LEARNING_RATE = 0.1;
    private static final double L2 = 1e-3;

    private LogisticRegression() {}

    /**
     * Fits a classifier.
     *
     * @param features (n, D); not changed
     * @param labels one class an example
     * @param classes the number of classes
     * @param weights one an example, at least 0; see {@link #balanced}
     * @return weights that apply to features as they are, not standardised
     * @throws IllegalArgumentException if the counts differ
     */
    public static LinearHead.Weights fit(
            NDArray features, int[] labels, int classes, float[] weights) {
        Shape shape = features.getShape();
        checkArgument(
                shape.dimension() == 2
                        && shape.get(0) == labels.length
                        && labels.length == weights.length,
                "features of shape %s, %s labels and %s weights do not fit together",
                shape,
                labels.length,
                weights.length);
        try (NDManager scope = features.getManager().newSubManager()) {
            NDArray x = features.toType(DataType.FLOAT32, true);
            x.attach(scope);
            NDArray mean = GradientMode.OFF.get(() -> x.mean(new int[] {0}));
            NDArray deviation =
                    GradientMode.OFF.get(
                            () -> x.sub(mean).square().mean(new int[] {0}).sqrt().add(1e-6));
            NDArray standard = GradientMode.OFF.get(() -> x.sub(mean).div(deviation));
            LinearHead.Weights start =
                    new LinearHead.Weights(
                            HostTensor.of(
                                    new float[Math.toIntExact(classes * shape.get(1))],
                                    classes,
                                    shape.get(1)),
                            HostTensor.of(new float[classes], classes));
            LinearHead head = new LinearHead(scope, start, DataType.FLOAT32);
            minimise(head, standard, labels, weights);
            return GradientMode.OFF.get(() -> unstandardised(head, mean, deviation));
        }
    }

    private static void minimise(LinearHead head, NDArray standard, int[] labels, float[] weights) {
        head.setTrainable(true);
        CosineSchedule schedule = new CosineSchedule(LEARNING_RATE, 0, STEPS);
        NDManager owner = standard.getManager();
        try (AdamW optimizer = new AdamW(owner, head.parameters(), 0.9, 0.99, 0)) {
            for (int step = 0; step < STEPS; step++) {
                Scope.run(
                        () ->
                                Autograd.backward(
                                        GradientMode.ON.get(
                                                () -> loss(head, standard, labels, weights))));
                optimizer.step(schedule.at(step));
            }
        }
        head.setTrainable(false);
    }

    private static NDArray loss(LinearHead head, NDArray standard, int[] labels, float[] weights) {
        return Losses.crossEntropy(head.logits(standard), labels, weights)
                .add(Scalars.multiply(head.squaredNorm(), L2 / 2));
    }

    private static LinearHead.Weights unstandardised(
            LinearHead head, NDArray mean, NDArray deviation) {
        LinearHead.Weights fitted = head.weights();
        NDArray weight = fitted.weight().toNDArray(mean.getManager()).div(deviation);
        NDArray bias =
                fitted.bias().toNDArray(mean.getManager()).sub(weight.mul(mean).sum(new int[] {1}));
        return new LinearHead.Weights(HostTensor.copyOf(weight), HostTensor.copyOf(bias));
    }

    /**
     * Predicts classes.
     *
     * @param head a classifier
     * @param features (n, D)
     * @return the class of the largest logit of each example
     */
    public static int[] predict(LinearHead.Weights head, NDArray features) {
        try (NDManager scope = features.getManager().newSubManager();
                LinearHead applied = new LinearHead(scope, head, features.getDataType())) {
            HostTensor[] logits = new HostTensor[1];
            GradientMode.OFF.run(
                    () -> Scope.run(() -> logits[0] = HostTensor.copyOf(applied.logits(features))));
            return argMax(logits[0]);
        }
    }

    /**
     * The position of the largest element of each row; the first of several.
     *
     * @param scores (n, classes)
     * @return one position a row
     */
    public static int[] argMax(HostTensor scores) {
        int rows = Math.toIntExact(scores.shape().get(0));
        int columns = Math.toIntExact(scores.shape().get(1));
        int[] best = new int[rows];
        for (int i = 0; i < rows; i++) {
            for (int k = 1; k < columns; k++) {
                if (scores.get(i * columns + k) > scores.get(i * columns + best[i])) {
                    best[i] = k;
                }
            }
        }
        return best;
    }

    /**
     * Weights under which every class that occurs counts the same.
     *
     * @param labels one class an example
     * @param classes the number of classes
     * @return {@code n / (classes that occur * examples of the class)} for each example
     */
    public static float[] balanced(int[] labels, int classes) {
        int[] counts = new int[classes];
        for (int label : labels) {
            counts[label]++;
        }
        long occurring = Arrays.stream(counts).filter(c -> c > 0).count();
        float[] weights = new float[labels.length];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) ((double) labels.length / (occurring * counts[labels[i]]));
        }
        return weights;
    }

    /**
     * The mean over the classes that occur of the part of their examples that is predicted right.
     *
     * @param labels one class an example
     * @param predictions one class an example
     * @param classes the number of classes
     * @return in [0, 1]
     */
    public static double balancedAccuracy(int[] labels, int[] predictions, int classes) {
        float[] weights = balanced(labels, classes);
        double right = 0;
        double total = 0;
        for (int i = 0; i < labels.length; i++) {
            total += weights[i];
            right += labels[i] == predictions[i] ? weights[i] : 0;
        }
        return right / total;
    }
}
