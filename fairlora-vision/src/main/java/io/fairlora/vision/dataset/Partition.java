package io.fairlora.vision.dataset;

/** The parts into which the authors of a data set split it. */
public enum Partition {
    /** For training. */
    TRAIN,
    /** For choosing settings. */
    VALIDATION,
    /** For the final figures. */
    TEST,
    /** All parts together. */
    ALL
}
