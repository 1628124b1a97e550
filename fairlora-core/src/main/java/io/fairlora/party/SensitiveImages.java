package io.fairlora.party;

import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The fairness auditor's data: images and the sensitive attribute of each. Once made, nothing
 * outside this package can read an attribute back.
 */
public final class SensitiveImages {

    private final String attribute;
    private final TaskImages data;
    private final @Nullable TaskImages task;

    private SensitiveImages(String attribute, TaskImages data, @Nullable TaskImages task) {
        this.attribute = attribute;
        this.data = data;
        this.task = task;
    }

    /**
     * Pairs images with the sensitive attribute.
     *
     * @param attribute its name
     * @param images the images
     * @param values one value an image, each in {@code [0, classes.size())}; copied
     * @param classes the names of the values, at least two
     * @return the data
     * @throws IllegalArgumentException if the counts differ or a value is out of range
     */
    public static SensitiveImages of(
            String attribute, Images images, int[] values, List<String> classes) {
        return new SensitiveImages(attribute, TaskImages.of(images, values, classes), null);
    }

    /**
     * The same with the task's label, where the auditor knows it too: what an eraser "given y"
     * needs.
     *
     * @param labels one label an image; copied
     * @param classes the names of the task's classes
     * @return new data over the same images
     */
    public SensitiveImages withTask(int[] labels, List<String> classes) {
        return new SensitiveImages(attribute, data, TaskImages.of(data.images(), labels, classes));
    }

    /**
     * The name of the sensitive attribute.
     *
     * @return such as {@code Male}
     */
    public String attribute() {
        return attribute;
    }

    /**
     * The names of the attribute's values.
     *
     * @return immutable, at least two
     */
    public List<String> classes() {
        return data.classes();
    }

    /**
     * The number of images.
     *
     * @return at least 0
     */
    public int size() {
        return data.size();
    }

    TaskImages data() {
        return data;
    }

    @Nullable TaskImages task() {
        return task;
    }
}
