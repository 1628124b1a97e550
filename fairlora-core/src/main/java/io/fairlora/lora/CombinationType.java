package io.fairlora.lora;

/** How {@link AdapterCombination} combines factors or changes; the names are PEFT's. */
public enum CombinationType {
    /** Concatenates factors: the exact weighted sum of the changes; ranks add up. */
    CAT,
    /** The nearest adapter of lower rank to the weighted sum of the changes. */
    SVD,
    /**
     * Adds A and B apart, each times the root of weight times scale, so that the product also has
     * mixed terms; ranks must be equal.
     */
    LINEAR,
    /**
     * As {@link #LINEAR}, but trims A and B to their largest elements and averages those of the
     * majority's sign (Yadav et al. 2023).
     */
    TIES,
    /** As {@link #LINEAR}, of factors whose elements are dropped at random. */
    DARE_LINEAR,
    /** As {@link #TIES}, with elements dropped at random instead of trimmed. */
    DARE_TIES,
    /** As {@link #LINEAR}, of factors trimmed to their largest elements. */
    MAGNITUDE_PRUNE,
    /** {@link #TIES} on the whole changes B A, then brought to a rank. */
    TIES_SVD,
    /** {@link #DARE_LINEAR} on the whole changes B A, then brought to a rank. */
    DARE_LINEAR_SVD,
    /** {@link #DARE_TIES} on the whole changes B A, then brought to a rank. */
    DARE_TIES_SVD,
    /** {@link #MAGNITUDE_PRUNE} on the whole changes B A, then brought to a rank. */
    MAGNITUDE_PRUNE_SVD;

    boolean prunes() {
        return this != CAT && this != SVD && this != LINEAR;
    }

    boolean isRandom() {
        return name().startsWith("DARE");
    }

    boolean electsSign() {
        return name().contains("TIES");
    }

    boolean decomposes() {
        return name().endsWith("SVD");
    }
}
