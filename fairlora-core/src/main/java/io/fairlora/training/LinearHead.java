package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** The classifier on top of the features: {@code logits = x W^T + b}. Owns its two arrays. */
public final class LinearHead implements AutoCloseable {

    private final NDManager manager;
    private final NDArray weight;
    private final NDArray bias;

    /**
     * The numbers of a head.
     *
     * @param weight W, of shape (classes, D)
     * @param bias b, of shape (classes)
     */
    public record Weights(HostTensor weight, HostTensor bias) {

        /** Checks that the shapes fit together. */
        public Weights {
            checkArgument(
                    weight.shape().dimension() == 2
                            && bias.shape().dimension() == 1
                            && weight.shape().get(0) == bias.shape().get(0),
                    "a head has weight (classes, D) and bias (classes), found %s and %s",
                    weight.shape(),
                    bias.shape());
        }

        /**
         * What classes without names are called, by transformers too.
         *
         * @return {@code LABEL_0} and so on, one a class
         */
        public List<String> numberedLabels() {
            return IntStream.range(0, classes()).mapToObj(i -> "LABEL_" + i).toList();
        }

        /**
         * Random weights, normal with standard deviation 0.02, and bias 0.
         *
         * @param classes the number of classes
         * @param features D
         * @param seed the seed
         * @return the weights
         */
        public static Weights random(int classes, int features, long seed) {
            SplittableRandom random = new SplittableRandom(seed);
            float[] w = new float[classes * features];
            for (int i = 0; i < w.length; i++) {
                w[i] = (float) (0.02 * random.nextGaussian());
            }
            return new Weights(
                    HostTensor.of(w, classes, features),
                    HostTensor.of(new float[classes], classes));
        }

        /**
         * The number of classes.
         *
         * @return at least 1
         */
        public int classes() {
            return bias.size();
        }

        /**
         * The length of the feature vectors.
         *
         * @return D
         */
        public int features() {
            return Math.toIntExact(weight.shape().get(1));
        }
    }

    /**
     * A head with the given weights.
     *
     * @param parent the owner of the arrays, on whose device they are
     * @param weights the weights
     * @param dataType the type of the features
     */
    public LinearHead(NDManager parent, Weights weights, DataType dataType) {
        manager = parent.newSubManager();
        weight = weights.weight().toNDArray(manager).toType(dataType, false);
        bias = weights.bias().toNDArray(manager).toType(dataType, false);
        // They outlive a scope that happens to be open.
        NDScope.unregister(weight, bias);
    }

    /**
     * Applies the head.
     *
     * @param features (batch, D)
     * @return logits (batch, classes), owned by the manager of {@code features}
     */
    public NDArray logits(NDArray features) {
        return Linear.linear(features, weight, bias).singletonOrThrow();
    }

    /**
     * The sum of the squared weights, for a penalty; the bias does not count.
     *
     * @return a scalar, owned by the head's manager
     */
    NDArray squaredNorm() {
        return weight.square().sum();
    }

    /**
     * The arrays by name, for an optimizer.
     *
     * @return {@code head.weight} and {@code head.bias}
     */
    public Map<String, NDArray> parameters() {
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        parameters.put("head.weight", weight);
        parameters.put("head.bias", bias);
        return parameters;
    }

    /**
     * Makes the arrays receive gradients, or not.
     *
     * @param trainable whether they do
     */
    public void setTrainable(boolean trainable) {
        weight.setRequiresGradient(trainable);
        bias.setRequiresGradient(trainable);
    }

    /**
     * Copies the weights to the host.
     *
     * @return the current weights
     */
    public Weights weights() {
        return new Weights(HostTensor.copyOf(weight), HostTensor.copyOf(bias));
    }

    /**
     * Replaces the weights.
     *
     * @param weights weights of the same shape
     */
    public void assign(Weights weights) {
        copy(weights.weight(), weight);
        copy(weights.bias(), bias);
    }

    private void copy(HostTensor from, NDArray to) {
        Shape shape = to.getShape();
        checkArgument(
                from.shape().equals(shape), "expected shape %s, found %s", shape, from.shape());
        GradientMode.OFF.run(
                () -> {
                    try (NDArray single = from.toNDArray(manager);
                            NDArray value = single.toType(to.getDataType(), true)) {
                        value.copyTo(to);
                    }
                });
    }

    @Override
    public void close() {
        manager.close();
    }
}
