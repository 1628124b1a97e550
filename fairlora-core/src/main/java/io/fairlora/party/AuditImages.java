package io.fairlora.party;

import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import java.util.List;

/**
 * What the auditor measures on: images with the task's label and the sensitive attribute. Once
 * made, nothing outside this package can read a label back.
 */
public final class AuditImages {

    private final TaskImages task;
    private final SensitiveImages sensitive;

    private AuditImages(TaskImages task, SensitiveImages sensitive) {
        this.task = task;
        this.sensitive = sensitive;
    }

    /**
     * Pairs images with both labels.
     *
     * @param images the images
     * @param labels the task's label of each; copied
     * @param classes the names of the task's classes; class 1 of two is the favourable outcome
     * @param attribute the name of the sensitive attribute
     * @param values the attribute's value of each image; copied
     * @param valueNames the names of its values
     * @return the data
     * @throws IllegalArgumentException if counts differ or a label is out of range
     */
    public static AuditImages of(
            Images images,
            int[] labels,
            List<String> classes,
            String attribute,
            int[] values,
            List<String> valueNames) {
        return new AuditImages(
                TaskImages.of(images, labels, classes),
                SensitiveImages.of(attribute, images, values, valueNames));
    }

    /**
     * The number of images.
     *
     * @return at least 0
     */
    public int size() {
        return task.size();
    }

    TaskImages task() {
        return task;
    }

    SensitiveImages sensitive() {
        return sensitive;
    }
}
