package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.Scope;

/**
 * The lengths of the rows of a changed weight, n in DoRA (Liu et al. 2024, section 4.3), outside
 * any graph.
 */
final class RowNorms {

    private RowNorms() {}

    /**
     * The lengths of the rows of {@code W + C A}, without forming the product:
     *
     * <pre>n_o^2 = ||W_o||^2 + 2 C_o . (W A^T)_o + C_o A A^T C_o^T</pre>
     *
     * @param weight W (out, in)
     * @param a A (r, in)
     * @param c C (out, r)
     * @return (out), owned by the manager of {@code weight}
     */
    static NDArray of(NDArray weight, NDArray a, NDArray c) {
        return GradientMode.OFF.get(
                () ->
                        Scope.keep(
                                () -> {
                                    NDArray at = a.transpose();
                                    NDArray cross = rowSums(weight.matMul(at).mul(c)).mul(2);
                                    NDArray own = rowSums(c.matMul(a.matMul(at)).mul(c));
                                    return rowSums(weight.square())
                                            .add(cross)
                                            .add(own)
                                            // Rounding may bring a vanishing row below zero.
                                            .maximum(0)
                                            .sqrt();
                                }));
    }

    /** The lengths for one adapter in a layer. */
    static NDArray of(NDArray weight, LoraLayer.Adapter adapter) {
        return GradientMode.OFF.get(
                () ->
                        Scope.keep(
                                () -> {
                                    NDArray a = adapter.a();
                                    NDArray c = adapter.b().mul(adapter.scale());
                                    LoraLayer.Residual residual = adapter.residual();
                                    if (residual != null) {
                                        a = NDArrays.concat(new NDList(a, residual.a()), 0);
                                        c = NDArrays.concat(new NDList(c, residual.c()), 1);
                                    }
                                    return of(weight, a, c);
                                }));
    }

    private static NDArray rowSums(NDArray matrix) {
        return matrix.sum(new int[] {1});
    }
}
