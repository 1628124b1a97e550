package io.fairlora.ndarray;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.core.Linear;
import java.util.ArrayList;
import java.util.List;
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

    /**
     * {@code y = x W^T + b + (x A^T) C^T} with both products in bfloat16 and their sum in single
     * precision. Gradients reach x, A and C.
     *
     * @param x input of shape (..., in), single precision
     * @param layer W, b, A and C
     * @return output of shape (..., out), single precision, owned by the manager of {@code x}
     * @throws IllegalArgumentException if {@code x} is not of type {@code FLOAT32}
     */
    public static NDArray linear(NDArray x, AdaptedLinear layer) {
        requireSingle("x", x);
        FrozenLinear frozen = layer.frozen();
        return ScriptModule.on(x.getDevice())
                .call("linear_adapted", x, frozen.weight, frozen.bias, layer.a(), layer.c());
    }

    /**
     * The two layers of a transformer with GELU between them, all in bfloat16. Gradients reach x
     * and the low-rank terms.
     *
     * @param x input of shape (batch, n, D), single precision
     * @param first from D to the inner width
     * @param second back to D
     * @param tanh whether GELU is approximated by tanh (Hendrycks and Gimpel 2016) rather than
     *     computed from the normal distribution
     * @return output of shape (batch, n, D), single precision, owned by the manager of {@code x}
     * @throws IllegalArgumentException if {@code x} is not of type {@code FLOAT32}
     */
    public static NDArray mlp(NDArray x, AdaptedLinear first, AdaptedLinear second, boolean tanh) {
        requireSingle("x", x);
        List<NDArray> arguments = new ArrayList<>();
        arguments.add(x);
        addTo(arguments, first);
        addTo(arguments, second);
        return ScriptModule.on(x.getDevice())
                .call(tanh ? "mlp_tanh" : "mlp", arguments.toArray(NDArray[]::new));
    }

    /**
     * Multi-head self-attention, {@code O(softmax(Q K^T / sqrt(D / heads)) V)}, all in bfloat16.
     * Gradients reach x and the low-rank terms.
     *
     * @param x input of shape (batch, n, D), single precision
     * @param heads the number of heads, which divides D
     * @param query from D to D, as are the other three
     * @param key gives K
     * @param value gives V
     * @param output applied to the concatenated heads
     * @param firstOnly whether only the first token asks, which is all that a last layer needs
     *     whose class token alone is read
     * @return output of shape (batch, n, D), or (batch, 1, D) if only the first token asks; single
     *     precision, owned by the manager of {@code x}
     * @throws IllegalArgumentException if {@code x} is not of type {@code FLOAT32} or {@code heads}
     *     does not divide D
     */
    public static NDArray attention(
            NDArray x,
            int heads,
            AdaptedLinear query,
            AdaptedLinear key,
            AdaptedLinear value,
            AdaptedLinear output,
            boolean firstOnly) {
        requireSingle("x", x);
        checkArgument(
                heads > 0 && query.frozen().outputSize() % heads == 0,
                "%s heads do not divide %s features",
                heads,
                query.frozen().outputSize());
        ScriptModule module = ScriptModule.on(x.getDevice());
        List<NDArray> arguments = new ArrayList<>();
        arguments.add(x);
        arguments.add(module.number(heads));
        arguments.add(module.number(firstOnly ? 1 : 0));
        addTo(arguments, query);
        addTo(arguments, key);
        addTo(arguments, value);
        addTo(arguments, output);
        return module.call("attention", arguments.toArray(NDArray[]::new));
    }

    private static void addTo(List<NDArray> arguments, AdaptedLinear layer) {
        arguments.add(layer.frozen().weight);
        arguments.add(layer.frozen().bias);
        arguments.add(layer.a());
        arguments.add(layer.c());
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
