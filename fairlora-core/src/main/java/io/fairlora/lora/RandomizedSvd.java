package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import io.fairlora.ndarray.Decompositions;
import io.fairlora.ndarray.HostTensor;
import java.util.SplittableRandom;

/**
 * How the greatest singular values of a weight and their vectors are estimated from its product
 * with a random matrix (Halko, Martinsson and Tropp 2011, algorithm 5.1 on the subspace of
 * algorithm 4.4), as {@code torch.svd_lowrank} does: for large weights much faster than the whole
 * decomposition, and the nearer to it the faster the singular values decay and the more often the
 * subspace is iterated.
 *
 * @param iterations how often the subspace is multiplied by the weight and its transpose; 0 or more
 * @param seed decides the random matrices
 */
public record RandomizedSvd(int iterations, long seed) {

    /** Refuses a negative number of iterations. */
    public RandomizedSvd {
        checkArgument(
                iterations >= 0,
                "the number of subspace iterations must be at least 0, found %s",
                iterations);
    }

    /**
     * Estimates the leading part of a matrix.
     *
     * @param matrix M, of shape (m, n)
     * @param rank k, in 1..min(m, n)
     * @param path tells the matrices of a model apart, which get random numbers of their own
     * @return U (m, k), s (k) in descending order and V^T (k, n), owned by the manager of M
     */
    NDList of(NDArray matrix, int rank, String path) {
        int columns = (int) Math.min(matrix.getShape().get(0), matrix.getShape().get(1));
        // The golden ratio's multiples keep the layers' seeds apart.
        SplittableRandom random =
                new SplittableRandom(seed + 0x9e3779b97f4a7c15L * path.hashCode());
        float[] values = new float[Math.multiplyExact(columns, rank)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        NDArray start = HostTensor.of(values, columns, rank).toNDArray(matrix.getManager());
        return of(matrix, start.toType(matrix.getDataType(), false));
    }

    /** The same from given random numbers, of shape (min(m, n), k). */
    NDList of(NDArray matrix, NDArray random) {
        boolean wide = matrix.getShape().get(0) < matrix.getShape().get(1);
        NDArray tall = wide ? matrix.transpose() : matrix;
        NDArray basis = basis(tall.matMul(random));
        for (int i = 0; i < iterations; i++) {
            basis = basis(tall.transpose().matMul(basis));
            basis = basis(tall.matMul(basis));
        }
        NDList svd = Decompositions.svd(basis.transpose().matMul(tall));
        NDArray left = basis.matMul(svd.get(0));
        return wide
                ? new NDList(svd.get(2).transpose(), svd.get(1), left.transpose())
                : new NDList(left, svd.get(1), svd.get(2));
    }

    private static NDArray basis(NDArray columns) {
        return Decompositions.qr(columns).get(0);
    }
}
