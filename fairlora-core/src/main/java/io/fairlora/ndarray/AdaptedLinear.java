package io.fairlora.ndarray;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * A frozen linear layer with a low-rank term, {@code y = x W^T + b + (x A^T) C^T}, as an argument
 * of {@link Kernels}.
 *
 * @param frozen W and b
 * @param a A, of shape (r, in), single precision; r may be 0
 * @param c C, of shape (out, r), single precision, with any scale multiplied in
 */
public record AdaptedLinear(FrozenLinear frozen, NDArray a, NDArray c) {

    /**
     * Checks the shapes.
     *
     * @throws IllegalArgumentException if they do not fit together or a type is not {@code FLOAT32}
     */
    public AdaptedLinear {
        Kernels.requireSingle("A", a);
        Kernels.requireSingle("C", c);
        long rank = a.getShape().get(0);
        checkArgument(
                a.getShape().equals(new Shape(rank, frozen.inputSize()))
                        && c.getShape().equals(new Shape(frozen.outputSize(), rank)),
                "expected A (r, %s) and C (%s, r), found %s and %s",
                frozen.inputSize(),
                frozen.outputSize(),
                a.getShape(),
                c.getShape());
    }

    /**
     * A layer without a low-rank term.
     *
     * @param frozen W and b
     * @return the layer
     */
    public static AdaptedLinear plain(FrozenLinear frozen) {
        return new AdaptedLinear(frozen, frozen.noA, frozen.noC);
    }
}
