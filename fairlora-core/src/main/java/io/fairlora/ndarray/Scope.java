package io.fairlora.ndarray;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import java.util.function.Supplier;

/**
 * Frees the arrays that a piece of code makes on the calling thread, whoever owns them.
 *
 * <p>Closing an array that back-propagation still needs is safe: the graph keeps the memory alive
 * until it is freed itself.
 */
public final class Scope {

    private Scope() {}

    /**
     * Runs code and frees every array made meanwhile.
     *
     * @param code the code
     */
    public static void run(Runnable code) {
        try (NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            code.run();
        }
    }

    /**
     * Runs code and frees every array made meanwhile but its result, which stays with its manager.
     *
     * @param code the code; it returns an array that it made
     * @return the array
     */
    public static NDArray keep(Supplier<NDArray> code) {
        NDArray result;
        try (NDScope scope = new NDScope()) {
            scope.suppressNotUsedWarning();
            result = code.get();
            NDScope.unregister(result);
        }
        // A surrounding scope, if there is one, takes over what this one let go.
        NDScope.register(result);
        return result;
    }
}
