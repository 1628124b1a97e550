package io.fairlora.ndarray;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import org.jspecify.annotations.Nullable;

/**
 * Back-propagation without DJL's {@code GradientCollector}, of which a process may have only one at
 * a time: independent graphs may be differentiated from several threads at once.
 */
public final class Autograd {

    private Autograd() {}

    /**
     * Accumulates the gradients of a scalar into every leaf that requires them, and frees the
     * graph.
     *
     * @param loss a scalar, computed in {@link GradientMode#ON}
     * @throws IllegalArgumentException if {@code loss} has more than one element
     */
    public static void backward(NDArray loss) {
        if (loss.size() != 1) {
            throw new IllegalArgumentException(
                    "only a scalar can be differentiated, found shape " + loss.getShape());
        }
        try (NDArray one = loss.getManager().ones(loss.getShape(), loss.getDataType())) {
            JniUtils.backward((PtNDArray) loss, (PtNDArray) one, false, false);
        }
    }

    /**
     * The gradient accumulated in a leaf.
     *
     * @param leaf an array that requires gradients
     * @return a new handle on the gradient, which the caller closes, or {@code null} if no graph
     *     has reached the leaf since it was made
     */
    public static @Nullable NDArray gradient(NDArray leaf) {
        return JniUtils.getGradient((PtNDArray) leaf);
    }

    /**
     * Sets the gradient accumulated in a leaf to zero.
     *
     * @param leaf an array that requires gradients
     */
    public static void zeroGradient(NDArray leaf) {
        try (NDArray gradient = gradient(leaf)) {
            if (gradient != null) {
                JniUtils.zeroGrad((PtNDArray) leaf);
            }
        }
    }

    /**
     * The same values outside the graph.
     *
     * @param array any array
     * @return a new array that shares the memory of {@code array}, records no gradients and belongs
     *     to the manager of {@code array}
     */
    public static NDArray detach(NDArray array) {
        return JniUtils.detachGradient((PtNDArray) array);
    }
}
