package io.fairlora.ndarray;

/**
 * The number format in which the large matrix products are computed. Weights, inputs and outputs
 * are single precision in either.
 */
public enum Precision {
    /** Everything is computed in single precision. */
    SINGLE,
    /**
     * Both factors of a matrix product are rounded to bfloat16 (8 significant bits), products are
     * summed in single precision, and the result is rounded to bfloat16. Expect a relative L2 error
     * of 3e-3 per product against {@link #SINGLE}. Norms, residual sums and whatever is trained
     * stay in single precision.
     *
     * <p>Worth its error only where the processor multiplies bfloat16 itself (x86 with {@code
     * avx512_bf16} or {@code amx_bf16}, NVIDIA GPUs since Ampere); elsewhere it is emulated and
     * slower than {@link #SINGLE}.
     */
    BF16
}
