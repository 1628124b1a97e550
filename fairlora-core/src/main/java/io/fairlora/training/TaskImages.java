package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Arrays;
import java.util.List;

/**
 * The solution developer's data: images and the label of the task for each. Holds no sensitive
 * attribute.
 */
public final class TaskImages {

    private final Images images;
    private final int[] labels;
    private final List<String> classes;
    private final float[] weights;

    private TaskImages(Images images, int[] labels, List<String> classes, float[] weights) {
        this.weights = weights;
        this.images = images;
        this.labels = labels;
        this.classes = classes;
    }

    /**
     * Pairs images with labels.
     *
     * @param images the images
     * @param labels one label an image, each in {@code [0, classes.size())}; copied
     * @param classes the names of the classes, at least two; class 1 of two is the favourable
     *     outcome
     * @return the data
     * @throws IllegalArgumentException if the counts differ, a label is out of range, or there are
     *     fewer than two classes
     */
    public static TaskImages of(Images images, int[] labels, List<String> classes) {
        checkArgument(classes.size() >= 2, "a task needs at least 2 classes, found %s", classes);
        checkArgument(
                images.size() == labels.length,
                "%s images but %s labels",
                images.size(),
                labels.length);
        for (int i = 0; i < labels.length; i++) {
            checkArgument(
                    labels[i] >= 0 && labels[i] < classes.size(),
                    "label of %s is %s, expected 0 to %s",
                    images.name(i),
                    labels[i],
                    classes.size() - 1);
        }
        float[] weights = new float[labels.length];
        Arrays.fill(weights, 1);
        return new TaskImages(images, labels.clone(), List.copyOf(classes), weights);
    }

    /**
     * The same examples with other weights in the loss.
     *
     * @param changed one weight an example, finite and at least 0; copied
     * @return new data over the same images
     * @throws IllegalArgumentException if the count differs or a weight is out of range
     */
    public TaskImages withWeights(float[] changed) {
        checkArgument(
                changed.length == labels.length,
                "%s examples but %s weights",
                labels.length,
                changed.length);
        for (float weight : changed) {
            checkArgument(
                    weight >= 0 && Float.isFinite(weight),
                    "a weight must be finite and at least 0, found %s",
                    weight);
        }
        return new TaskImages(images, labels, classes, changed.clone());
    }

    /**
     * The weights of the examples in the loss.
     *
     * @return a copy; all 1 unless set otherwise
     */
    public float[] weights() {
        return weights.clone();
    }

    /**
     * The labels of all examples.
     *
     * @return a copy
     */
    public int[] labels() {
        return labels.clone();
    }

    /**
     * The number of examples.
     *
     * @return at least 0
     */
    public int size() {
        return labels.length;
    }

    /**
     * The images.
     *
     * @return as many as {@link #size()}
     */
    public Images images() {
        return images;
    }

    /**
     * The label of one example.
     *
     * @param index the example, in {@code [0, size())}
     * @return its class, in {@code [0, classes().size())}
     */
    public int label(int index) {
        return labels[index];
    }

    /**
     * The names of the classes.
     *
     * @return immutable, at least two
     */
    public List<String> classes() {
        return classes;
    }

    /**
     * The examples at the given positions, in that order.
     *
     * @param indices positions; one may occur more than once
     * @return a view of the images with their labels
     * @throws IndexOutOfBoundsException if a position is outside {@code [0, size())}
     */
    public TaskImages select(int[] indices) {
        Images selected = images.select(indices);
        int[] picked = new int[indices.length];
        float[] pickedWeights = new float[indices.length];
        for (int i = 0; i < indices.length; i++) {
            picked[i] = labels[indices[i]];
            pickedWeights[i] = weights[indices[i]];
        }
        return new TaskImages(selected, picked, classes, pickedWeights);
    }
}
