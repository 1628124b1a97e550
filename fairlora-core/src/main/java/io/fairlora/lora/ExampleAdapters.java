package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;

/**
 * One adapter for each example of a batch of n in one layer:
 *
 * <pre>y_i = g_i (x_i W0^T + x_i A_i^T C_i^T) + b + h_i</pre>
 *
 * A layer that adapts example i by nothing has A_i = C_i = h_i = 0 and g_i = 1.
 *
 * @param a A^T, of shape (n, in, r)
 * @param c C^T, of shape (n, r, out)
 * @param gain g, of shape (n, 1, out); {@code null} for ones
 * @param shift h, of shape (n, 1, out); {@code null} for zeros
 */
record ExampleAdapters(NDArray a, NDArray c, @Nullable NDArray gain, @Nullable NDArray shift) {

    /** Completes the product x W0^T. */
    NDArray apply(NDArray x, NDArray product, @Nullable NDArray bias) {
        long n = a.getShape().get(0);
        Shape shape = x.getShape();
        checkState(
                shape.dimension() >= 2 && shape.get(0) == n,
                "adapters are chosen for %s examples, the layer's input is %s",
                n,
                shape);
        Shape outputShape = product.getShape();
        NDArray low = x.reshape(n, -1, a.getShape().get(1)).matMul(a).matMul(c);
        NDArray y = product.reshape(n, -1, c.getShape().get(2)).add(low);
        if (gain != null) {
            y = y.mul(gain);
        }
        if (bias != null) {
            y = y.add(bias);
        }
        if (shift != null) {
            y = y.add(shift);
        }
        return y.reshape(outputShape);
    }
}
