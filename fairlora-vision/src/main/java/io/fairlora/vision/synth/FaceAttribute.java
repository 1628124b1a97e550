package io.fairlora.vision.synth;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableDoubleArray;
import java.util.Arrays;

/**
 * A property of a synthetic face that can be the task, the sensitive attribute or neither. Every
 * face has a class of every attribute.
 */
public enum FaceAttribute {
    /**
     * The mouth: about level, or with raised corners, at times showing teeth. How far they are
     * raised varies within both classes, and the ranges overlap, so that no classifier is right on
     * more than about 95 % of balanced faces.
     */
    SMILE(ImmutableList.of("neutral", "smiling"), 1, 1),
    /**
     * The colour of the skin, continuous within both classes; {@link FaceRecipe#skinTone()} is the
     * exact tone.
     */
    SKIN_TONE(ImmutableList.of("light", "dark"), 1, 1),
    /** Hair that ends above the ears, or falls beside the face to the shoulders. */
    HAIR_LENGTH(ImmutableList.of("short", "long"), 1, 1),
    /** The colour of hair and brows; the shade varies within a class. */
    HAIR_COLOUR(ImmutableList.of("black", "brown", "blond", "red", "grey"), 4, 4, 2, 1, 1),
    /** Spectacles; frame, size and colour vary. */
    GLASSES(ImmutableList.of("without glasses", "with glasses"), 3, 1),
    /** A beanie or a cap. Covers the top of the hair, not what falls beside the face. */
    HAT(ImmutableList.of("without hat", "with hat"), 4, 1),
    /**
     * Lines of the forehead, at the eyes and beside the mouth. Their strength varies, and smooth
     * faces have faint ones too.
     */
    AGE_LINES(ImmutableList.of("smooth", "lined"), 2, 1),
    /** Where the face is turned to, as the viewer sees it. */
    POSE(ImmutableList.of("frontal", "turned left", "turned right"), 2, 1, 1),
    /** The side of the image from which the light comes. */
    LIGHT(ImmutableList.of("from the left", "from the right"), 1, 1);

    private final ImmutableList<String> classes;
    private final ImmutableDoubleArray frequencies;

    FaceAttribute(ImmutableList<String> classes, double... weights) {
        this.classes = classes;
        double sum = Arrays.stream(weights).sum();
        frequencies = ImmutableDoubleArray.copyOf(Arrays.stream(weights).map(w -> w / sum));
    }

    /**
     * The names of the classes. Class 1 of two counts as the favourable outcome where the attribute
     * is a task.
     *
     * @return immutable, at least two
     */
    public ImmutableList<String> classes() {
        return classes;
    }

    /**
     * How often a class occurs where the attribute is neither the task nor the sensitive one.
     *
     * @param classIndex the class, in {@code [0, classes().size())}
     * @return a probability above 0; the classes' sum to 1
     * @throws IndexOutOfBoundsException if there is no such class
     */
    public double frequency(int classIndex) {
        return frequencies.get(classIndex);
    }
}
