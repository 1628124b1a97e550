package io.fairlora.vision.dataset;

/** The parts into which the authors of a data set split it. */
public enum Partition {
    /** For training. */
    TRAIN(0),
    /** For choosing settings. */
    VALIDATION(1),
    /** For the final figures. */
    TEST(2),
    /** All parts together. */
    ALL(-1);

    private final int code;

    Partition(int code) {
        this.code = code;
    }

    /** The number that CelebA's list has for the part. */
    int code() {
        return code;
    }
}
