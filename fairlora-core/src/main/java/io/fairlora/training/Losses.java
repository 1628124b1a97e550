package io.fairlora.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.ndarray.Scalars;

/** Losses on logits. */
public final class Losses {

    private Losses() {}

    /**
     * Weighted cross-entropy: {@code sum_i w_i (-log softmax(logits_i)[y_i]) / sum_i w_i}.
     *
     * @param logits (batch, classes)
     * @param labels y, one class an example
     * @param weights w, one an example, at least 0
     * @return a scalar; 0 if all weights are
     */
    public static NDArray crossEntropy(NDArray logits, int[] labels, float[] weights) {
        NDManager scope = logits.getManager();
        DataType type = logits.getDataType();
        double total = 0;
        for (float weight : weights) {
            total += weight;
        }
        NDArray oneHot =
                scope.create(labels)
                        .oneHot(Math.toIntExact(logits.getShape().get(1)))
                        .toType(type, false);
        NDArray chosen = logits.logSoftmax(-1).mul(oneHot).sum(new int[] {1});
        NDArray sum = chosen.mul(scope.create(weights).toType(type, false)).sum();
        return Scalars.multiply(sum, total > 0 ? -1 / total : 0);
    }

    /**
     * The mean entropy of the predicted distributions, in nats.
     *
     * @param logits (batch, classes)
     * @return a scalar from 0 to log(classes)
     */
    public static NDArray entropy(NDArray logits) {
        NDArray logProbabilities = logits.logSoftmax(-1);
        return logProbabilities.exp().mul(logProbabilities).sum(new int[] {1}).mean().neg();
    }
}
