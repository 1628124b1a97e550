package io.fairlora.ndarray;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;

/** Decompositions of matrices by the engine's LAPACK, which DJL does not offer. */
public final class Decompositions {

    private Decompositions() {}

    /**
     * The thin singular value decomposition, {@code M = U diag(s) V^T}.
     *
     * @param matrix M, of shape (m, n) and a floating type of at least single precision
     * @return U (m, k), s (k) in descending order and V^T (k, n), with k = min(m, n), owned by the
     *     manager of {@code matrix}; signs are as the engine finds them
     * @throws IllegalArgumentException if {@code matrix} is no matrix
     */
    public static NDList svd(NDArray matrix) {
        return call("svd", matrix);
    }

    /**
     * The thin QR decomposition, {@code M = Q R}, by Householder reflections.
     *
     * @param matrix M, of shape (m, n) and a floating type of at least single precision
     * @return Q (m, k) and R (k, n), with k = min(m, n), owned by the manager of {@code matrix};
     *     the diagonal of R may be negative
     * @throws IllegalArgumentException if {@code matrix} is no matrix
     */
    public static NDList qr(NDArray matrix) {
        return call("qr", matrix);
    }

    private static NDList call(String method, NDArray matrix) {
        checkArgument(
                matrix.getShape().dimension() == 2,
                "expected a matrix, found the shape %s",
                matrix.getShape());
        return ScriptModule.on(matrix.getDevice()).callAll(method, matrix);
    }
}
