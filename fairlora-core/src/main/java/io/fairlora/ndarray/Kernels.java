package io.fairlora.ndarray;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.core.Linear;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products in a chosen {@link Precision}. Gradients flow as through DJL's own operations.
 *
 * <p>Bfloat16 is reached through scripted functions, loaded on first use, once per device and
 * process. Safe from several threads at once.
 */
public final class Kernels {

    private Kernels() {}

    /**
     * {@code y = x W^T + b}.
     *
     * @param x input of shape (..., in), single precision
     * @param weight W, of shape (out, in), single precision
     * @param bias b, of shape (out), or {@code null} for none
     * @param precision in what the product is computed
     * @return output of shape (..., out), single precision, owned by the manager of {@code x}
     * @throws IllegalArgumentException if {@code precision} is {@code BF16} and an array is not of
     *     type {@code FLOAT32}
     * @throws IllegalStateException if the engine cannot load the bfloat16 functions
     */
    public static NDArray linear(
            NDArray x, NDArray weight, @Nullable NDArray bias, Precision precision) {
        if (precision == Precision.SINGLE) {
            return Linear.linear(x, weight, bias).singletonOrThrow();
        }
        requireSingle("x", x);
        requireSingle("weight", weight);
        ScriptModule module = ScriptModule.on(x.getDevice());
        if (bias == null) {
            return module.call("linear_unbiased", x, weight);
        }
        requireSingle("bias", bias);
        return module.call("linear", x, weight, bias);
    }

    static void requireSingle(String name, NDArray array) {
        if (array.getDataType() != DataType.FLOAT32) {
            throw new IllegalArgumentException(
                    "precision BF16 takes arrays of type float32, found "
                            + name
                            + " of type "
                            + array.getDataType()
                            + "; use precision SINGLE");
        }
    }
}
