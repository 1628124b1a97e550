package io.fairlora.lora;

/**
 * What the factors of a fresh adapter hold: PEFT's {@code init_lora_weights}. A is (r, in), B is
 * (out, r), s the scale.
 *
 * <p>{@link #PISSA} and {@link #OLORA} start from the layer's own weight W0. PEFT then writes W0 -
 * s B0 A0 over it; here W0, which other adapters share, keeps its bytes, and the adapted layer
 * subtracts s B0 A0 for as long as the adapter is in it. So the backbone without the adapter is the
 * backbone as it was loaded, which it is not in PEFT. B0 A0 follows from W0 and the rank alone: a
 * file holds A and B only, as PEFT's does, and {@link AdapterMath#standalone} makes an ordinary
 * adapter of it.
 */
public enum Initialization {
    /**
     * A uniform in +-1/sqrt(in), which is Kaiming-uniform with a = sqrt(5); B zero. The default,
     * {@code true} in a file.
     */
    KAIMING_UNIFORM,

    /** A uniform in +-1/sqrt(in), B uniform in +-1/sqrt(r): {@code false} in a file. */
    RANDOM,

    /** A normal with standard deviation 1/r, B zero. */
    GAUSSIAN,

    /**
     * A = (X Q_even)^T / 10 and B = Y Q_odd / 10, with X (in, r/2) and Y (out, r/2) standard normal
     * and Q_even, Q_odd every second row of a random orthogonal Q (r, r): both are dense and B A =
     * 0. The rank must be even.
     */
    ORTHOGONAL,

    /**
     * The principal part of W0 (Meng et al. 2024): with W0 = U S V^T, A = sqrt(S_r / s) V_r^T and B
     * = U_r sqrt(S_r / s). A singular vector's sign is arbitrary: here the entry of greatest
     * magnitude in each row of A is positive. {@link LoraConfig.Builder#pissa} has the part
     * estimated.
     */
    PISSA,

    /**
     * A = R_r and B = Q_r, the first r rows and columns of W0 = Q R (Buyukakyuz 2024), with the
     * signs of Householder's method, as LAPACK has them. B A is scaled by s like any other.
     */
    OLORA,

    /**
     * Made by PEFT from the activations of a data set (Paischer et al. 2024). Such adapters are
     * read and written; fresh ones are not made.
     */
    EVA;

    /** Whether the adapter is relative to W0 - s B0 A0 rather than to W0. */
    boolean changesBase() {
        return this == PISSA || this == OLORA;
    }
}
