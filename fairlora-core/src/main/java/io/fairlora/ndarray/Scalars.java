package io.fairlora.ndarray;

import ai.djl.ndarray.NDArray;

/**
 * Products with a number that are safe under back-propagation.
 *
 * <p>DJL's {@code x.mul(number)} keeps the number in Java memory and lets go of it at once, while
 * the graph still points there: a garbage collection before the backward pass turns gradients into
 * whatever has come to lie in that place. Wherever gradients are recorded, this class is used
 * instead.
 */
public final class Scalars {

    private Scalars() {}

    /**
     * Multiplies by a number.
     *
     * @param x an array of a floating type
     * @param factor the number
     * @return {@code factor x}, of the type of {@code x}, owned by its manager
     */
    public static NDArray multiply(NDArray x, double factor) {
        try (NDArray inJavaMemory = x.getManager().create(factor);
                NDArray number = owned(inJavaMemory)) {
            return x.mul(number);
        }
    }

    /**
     * Copies an array made from Java memory into memory of the engine, which the graph keeps alive.
     *
     * @param array an array that is about to take part in a graph and to be closed before its end
     * @return a copy outside any graph, owned by the manager of {@code array}
     */
    public static NDArray owned(NDArray array) {
        return array.duplicate();
    }
}
