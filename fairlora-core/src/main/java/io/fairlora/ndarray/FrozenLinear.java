package io.fairlora.ndarray;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a linear layer's weight and bias, rounded to bfloat16, for layers that are not trained.
 *
 * <p>Saves rounding the weight at every call. DJL cannot handle bfloat16 arrays (some calls end the
 * process), so they never leave this class and {@link Kernels}. The copy does not follow later
 * changes of the weight. Immutable, hence safe from several threads until it is closed.
 */
public final class FrozenLinear implements AutoCloseable {

    final NDArray weight;
    final NDArray bias;

    /** Factors of a low-rank term of rank 0. */
    final NDArray noA;

    final NDArray noC;

    private FrozenLinear(NDArray weight, @Nullable NDArray bias) {
        NDManager owner = weight.getManager();
        ScriptModule module = ScriptModule.on(weight.getDevice());
        long out = weight.getShape().get(0);
        this.weight = module.call("round", weight);
        if (bias == null) {
            try (NDArray zero = owner.zeros(new Shape(out))) {
                this.bias = module.call("round", zero);
            }
        } else {
            this.bias = module.call("round", bias);
            this.bias.attach(owner);
        }
        noA = owner.zeros(new Shape(0, weight.getShape().get(1)));
        noC = owner.zeros(new Shape(out, 0));
        // The copy outlives the scope in which it happens to be made.
        NDScope.unregister(this.weight, this.bias, noA, noC);
    }

    /**
     * Rounds a layer.
     *
     * @param weight W, of shape (out, in), single precision; the copy lives at most as long as its
     *     manager
     * @param bias b, of shape (out), single precision, or {@code null} for none
     * @return the copy, through which no gradient reaches {@code weight} or {@code bias}
     * @throws IllegalArgumentException if a shape or type is not as said
     * @throws IllegalStateException if the engine cannot load the bfloat16 functions
     */
    public static FrozenLinear of(NDArray weight, @Nullable NDArray bias) {
        Kernels.requireSingle("weight", weight);
        checkArgument(
                weight.getShape().dimension() == 2,
                "expected a weight of shape (out, in), found %s",
                weight.getShape());
        if (bias != null) {
            Kernels.requireSingle("bias", bias);
            checkArgument(
                    bias.getShape().equals(new Shape(weight.getShape().get(0))),
                    "expected a bias of shape (%s), found %s",
                    weight.getShape().get(0),
                    bias.getShape());
        }
        return new FrozenLinear(weight, bias);
    }

    /**
     * The number of input features.
     *
     * @return in
     */
    public long inputSize() {
        return noA.getShape().get(1);
    }

    /**
     * The number of output features.
     *
     * @return out
     */
    public long outputSize() {
        return noC.getShape().get(0);
    }

    /** Frees the copy; the weight that it was made from stays. */
    @Override
    public void close() {
        weight.close();
        bias.close();
        noA.close();
        noC.close();
    }
}
