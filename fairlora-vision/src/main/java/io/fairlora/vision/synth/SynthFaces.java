package io.fairlora.vision.synth;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkElementIndex;
import static com.google.common.base.Preconditions.checkNotNull;

import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.InputSpec;
import io.fairlora.training.Images;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Faces drawn from a seed. One attribute is the task and one is sensitive, correlated as strongly
 * as asked; all others are independent of both and of each other.
 *
 * <pre>{@code
 * SynthFaces biased = SynthFaces.builder().setSize(20_000).optSeed(1).optCorrelation(0.9).build();
 * SynthFaces balanced = SynthFaces.builder().setSize(5_000).optSeed(2).build();
 * }</pre>
 *
 * <p>The sensitive attribute's classes are equally likely. Sensitive class {@code s} favours the
 * task's class {@code s mod K}, where {@code K} is the number of the task's classes: the task takes
 * it with the probability given as correlation, and each of its other classes with an equal share
 * of the rest. With two classes on both sides this is {@code P(y = s)}. Other attributes occur as
 * often as {@link FaceAttribute#frequency(int)} says.
 *
 * <p>Every face is a pure function of seed and index: the faces of a larger set begin with those of
 * a smaller one, so training and test sets need different seeds, and neither the size of an image
 * nor the order of reading changes a face. The bytes may differ between Java versions, whose
 * antialiasing differs. Needs no display. Immutable and safe for use from several threads.
 */
public final class SynthFaces {

    private final int size;
    private final long seed;
    private final FaceAttribute task;
    private final FaceAttribute sensitive;
    private final double correlation;

    private SynthFaces(Builder builder, int size) {
        this.size = size;
        this.seed = builder.seed;
        this.task = builder.task;
        this.sensitive = builder.sensitive;
        Double asked = builder.correlation;
        this.correlation = asked == null ? 1.0 / task.classes().size() : asked;
    }

    /**
     * Creates a builder.
     *
     * @return a new builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Draws the face of a recipe.
     *
     * @param recipe the face
     * @param spec the size; the face fills it, stretched where it is not square
     * @param target receives {@code spec.bytes()} unsigned bytes in the order channel (red, green,
     *     blue), row, column
     * @param offset where in {@code target} the first byte goes
     * @throws IllegalArgumentException if {@code target} has no room for the image
     */
    public static void draw(FaceRecipe recipe, InputSpec spec, byte[] target, int offset) {
        checkArgument(
                offset >= 0 && offset <= target.length - spec.bytes(),
                "an image of %s bytes does not fit at %s into an array of %s",
                spec.bytes(),
                offset,
                target.length);
        FacePainter.paint(recipe, spec.width(), spec.height(), target, offset);
    }

    /**
     * The number of faces.
     *
     * @return at least 1
     */
    public int size() {
        return size;
    }

    /**
     * The attribute that is the task.
     *
     * @return never the sensitive one
     */
    public FaceAttribute task() {
        return task;
    }

    /**
     * The sensitive attribute.
     *
     * @return never the task
     */
    public FaceAttribute sensitive() {
        return sensitive;
    }

    /**
     * The probability that a face has the task's class that its sensitive class favours.
     *
     * @return in {@code [0, 1]}
     */
    public double correlation() {
        return correlation;
    }

    /**
     * The names of an attribute's classes.
     *
     * @param attribute any attribute
     * @return immutable, at least two
     */
    public List<String> classes(FaceAttribute attribute) {
        return attribute.classes();
    }

    /**
     * The class of an attribute of one face.
     *
     * @param attribute any attribute
     * @param index the face, in {@code [0, size())}
     * @return the class, in {@code [0, attribute.classes().size())}
     * @throws IndexOutOfBoundsException if there is no such face
     */
    public int attribute(FaceAttribute attribute, int index) {
        checkElementIndex(index, size, "face");
        double draw = unit(index, attribute);
        if (attribute == sensitive) {
            return uniform(draw, attribute.classes().size());
        }
        if (attribute == task) {
            int classes = task.classes().size();
            int favoured = attribute(sensitive, index) % classes;
            if (draw < correlation) {
                return favoured;
            }
            int steps = 1 + uniform((draw - correlation) / (1 - correlation), classes - 1);
            return (favoured + steps) % classes;
        }
        int last = attribute.classes().size() - 1;
        double below = 0;
        for (int c = 0; c < last; c++) {
            below += attribute.frequency(c);
            if (draw < below) {
                return c;
            }
        }
        return last;
    }

    /**
     * The class of an attribute of every face.
     *
     * @param attribute any attribute
     * @return a new array of {@link #size()} classes
     */
    public int[] labels(FaceAttribute attribute) {
        int[] labels = new int[size];
        for (int i = 0; i < size; i++) {
            labels[i] = attribute(attribute, i);
        }
        return labels;
    }

    /**
     * All that determines one face.
     *
     * @param index the face, in {@code [0, size())}
     * @return its recipe
     * @throws IndexOutOfBoundsException if there is no such face
     */
    public FaceRecipe recipe(int index) {
        Map<FaceAttribute, Integer> classes = new EnumMap<>(FaceAttribute.class);
        for (FaceAttribute attribute : FaceAttribute.values()) {
            classes.put(attribute, attribute(attribute, index));
        }
        ImmutableMap<FaceAttribute, Integer> attributes = Maps.immutableEnumMap(classes);
        return new FaceRecipe(
                attributes, Mixing.mix(Mixing.mix(seed, index), "variation".hashCode()));
    }

    /**
     * The images, without a way to the attributes.
     *
     * @return as many as {@link #size()}
     */
    public Images images() {
        return new Drawings(this);
    }

    private double unit(int index, FaceAttribute attribute) {
        return Mixing.unit(Mixing.mix(Mixing.mix(seed, index), attribute.name().hashCode()));
    }

    private static int uniform(double draw, int count) {
        return Math.min((int) (draw * count), count - 1);
    }

    /** Keeps labels out of reach of whoever is given the images. */
    private static final class Drawings implements Images {

        private final SynthFaces faces;

        Drawings(SynthFaces faces) {
            this.faces = faces;
        }

        @Override
        public int size() {
            return faces.size;
        }

        @Override
        public String name(int index) {
            checkElementIndex(index, faces.size, "face");
            return "synthetic face " + index + " of seed " + faces.seed;
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            draw(faces.recipe(index), spec, target, offset);
        }
    }

    /** Builds {@link SynthFaces}. */
    public static final class Builder {

        private @Nullable Integer size;
        private long seed;
        private FaceAttribute task = FaceAttribute.SMILE;
        private FaceAttribute sensitive = FaceAttribute.SKIN_TONE;
        private @Nullable Double correlation;

        private Builder() {}

        /**
         * Sets the number of faces, which must be given.
         *
         * @param size at least 1
         * @return this builder
         * @throws IllegalArgumentException if below 1
         */
        @CanIgnoreReturnValue
        public Builder setSize(int size) {
            checkArgument(size >= 1, "size must be at least 1, found %s", size);
            this.size = size;
            return this;
        }

        /**
         * Sets the seed; 0 by default. Sets of different seeds share no face.
         *
         * @param seed any number
         * @return this builder
         */
        @CanIgnoreReturnValue
        public Builder optSeed(long seed) {
            this.seed = seed;
            return this;
        }

        /**
         * Sets the task; {@link FaceAttribute#SMILE} by default.
         *
         * @param task the attribute to be predicted
         * @return this builder
         */
        @CanIgnoreReturnValue
        public Builder optTask(FaceAttribute task) {
            this.task = checkNotNull(task, "task");
            return this;
        }

        /**
         * Sets the sensitive attribute; {@link FaceAttribute#SKIN_TONE} by default.
         *
         * @param sensitive the attribute that predictions shall not depend on
         * @return this builder
         */
        @CanIgnoreReturnValue
        public Builder optSensitive(FaceAttribute sensitive) {
            this.sensitive = checkNotNull(sensitive, "sensitive");
            return this;
        }

        /**
         * Sets how often the task takes the class that the sensitive class favours; by default as
         * often as every other class, which makes the two independent.
         *
         * @param correlation a probability: 0.9 plants a strong shortcut between two binary
         *     attributes, 0.1 the opposite one, 0.5 none
         * @return this builder
         * @throws IllegalArgumentException if outside {@code [0, 1]}
         */
        @CanIgnoreReturnValue
        public Builder optCorrelation(double correlation) {
            checkArgument(
                    correlation >= 0 && correlation <= 1,
                    "correlation must be a probability from 0 to 1, found %s",
                    correlation);
            this.correlation = correlation;
            return this;
        }

        /**
         * Builds the faces.
         *
         * @return the faces
         * @throws IllegalArgumentException if no size was set, or task and sensitive attribute are
         *     the same
         */
        public SynthFaces build() {
            Integer given = size;
            if (given == null) {
                throw new IllegalArgumentException("the number of faces is missing, call setSize");
            }
            checkArgument(
                    task != sensitive,
                    "task and sensitive attribute must differ, found %s for both",
                    task);
            return new SynthFaces(this, given);
        }
    }
}
