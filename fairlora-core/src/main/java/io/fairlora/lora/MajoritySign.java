package io.fairlora.lora;

/** What decides the sign that a position's elements must have. */
public enum MajoritySign {
    /** The sign of the elements' sum. */
    TOTAL,
    /** The sign that more of the elements have. */
    FREQUENCY
}
