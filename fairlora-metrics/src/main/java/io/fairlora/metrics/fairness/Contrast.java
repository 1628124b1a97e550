package io.fairlora.metrics.fairness;

/** How two values of a rate are set against each other. */
public enum Contrast {
    /** One minus the other; 0 is fair. */
    DIFFERENCE,
    /** One divided by the other; 1 is fair. */
    RATIO
}
