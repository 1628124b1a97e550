package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import io.fairlora.party.AuditImages;
import io.fairlora.party.SensitiveImages;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import io.fairlora.vision.transform.Augmentation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Faces with attributes, any of which may serve as the task or as the sensitive attribute.
 * Immutable; holds the names of the images, not their pixels.
 *
 * <p>Only a data set over a zip archive needs to be closed, which closes the archive; over a folder
 * no file stays open. Whatever was selected or otherwise derived from a data set reads the same
 * archive and is of no use once one of them is closed, unless its images are kept elsewhere, such
 * as in {@link CachedImages}.
 */
public class FaceDataset implements AutoCloseable {

    private final Images images;
    private final Map<String, LabelColumn> columns;
    private final DatasetReport report;

    /** Where the images' files lie, also under other images. */
    private final @Nullable Path folder;

    /** A data set over images, which it closes if they are files in an archive. */
    FaceDataset(Images images, List<LabelColumn> columns, DatasetReport report) {
        this(images, columns, report, images instanceof FileImages files ? files.folder() : null);
    }

    private FaceDataset(
            Images images, List<LabelColumn> columns, DatasetReport report, @Nullable Path folder) {
        Map<String, LabelColumn> byName = new LinkedHashMap<>();
        for (LabelColumn column : columns) {
            checkArgument(
                    column.size() == images.size(),
                    "%s images but %s values of %s",
                    images.size(),
                    column.size(),
                    column.name());
            checkArgument(
                    byName.put(column.name(), column) == null,
                    "attribute %s occurs twice",
                    column.name());
        }
        this.images = images;
        this.columns = byName;
        this.report = report;
        this.folder = folder;
    }

    /**
     * A data set of images from anywhere, without attributes yet.
     *
     * @param images the images
     * @return the data set
     */
    public static FaceDataset of(Images images) {
        return new FaceDataset(
                images,
                List.of(),
                DatasetReport.ofListing(images.size(), List.of(), List.of(), List.of(), List.of()));
    }

    /**
     * The same faces with one attribute more, such as one combined from others.
     *
     * @param attribute its name, not yet taken
     * @param classNames the names of its classes; empty for a plain number
     * @param values for each face its class or its number; -1 where it is not known; copied
     * @return the data set
     * @throws IllegalArgumentException if the name is taken, the number of values is not that of
     *     the faces, or a value is out of range
     */
    public final FaceDataset withAttribute(
            String attribute, List<String> classNames, int[] values) {
        int bound = classNames.isEmpty() ? Integer.MAX_VALUE : classNames.size();
        for (int i = 0; i < values.length; i++) {
            checkArgument(
                    values[i] >= LabelColumn.MISSING && values[i] < bound,
                    "value %s of %s is %s, expected -1 to %s",
                    i,
                    attribute,
                    values[i],
                    bound - 1);
        }
        List<LabelColumn> more = new ArrayList<>(columns.values());
        more.add(new LabelColumn(attribute, classNames, values.clone()));
        return new FaceDataset(images, more, report, folder);
    }

    /**
     * The number of faces.
     *
     * @return at least 0
     */
    public final int size() {
        return images.size();
    }

    /**
     * The images, read from disk whenever one is asked for.
     *
     * @return as many as {@link #size()}
     */
    public final Images images() {
        return images;
    }

    /**
     * The names of the attributes.
     *
     * @return immutable, in the order of the data set
     */
    public final List<String> attributes() {
        return List.copyOf(columns.keySet());
    }

    /**
     * The names of an attribute's classes; class 1 of two is the favourable outcome or the
     * presence.
     *
     * @param attribute one of {@link #attributes()}
     * @return immutable; empty for a plain number such as an age in years
     * @throws IllegalArgumentException if there is no such attribute
     */
    public final List<String> classes(String attribute) {
        return column(attribute).classes();
    }

    /**
     * The value of an attribute for every face.
     *
     * @param attribute one of {@link #attributes()}
     * @return a copy: for each face its class in {@code [0, classes(attribute).size())} or its
     *     number; -1 where it is not known
     * @throws IllegalArgumentException if there is no such attribute
     */
    public final int[] labels(String attribute) {
        return column(attribute).toArray();
    }

    /**
     * What was found on disk when this data set, or the one it was selected from, was built or
     * checked.
     *
     * @return the report
     */
    public final DatasetReport report() {
        return report;
    }

    /**
     * The faces at the given positions, in that order.
     *
     * @param rows positions; one may occur more than once
     * @return a view of the images with their attributes
     * @throws IndexOutOfBoundsException if a position is outside {@code [0, size())}
     */
    public final FaceDataset select(int[] rows) {
        Images selected = images.select(rows);
        List<LabelColumn> picked = new ArrayList<>();
        columns.values().forEach(column -> picked.add(column.select(rows)));
        return new FaceDataset(selected, picked, report, folder);
    }

    /**
     * The same faces and attributes with other pixels, such as those of {@link CachedImages}.
     *
     * @param replacement one image a face, in the order of {@link #images()}
     * @return the data set
     * @throws IllegalArgumentException if the number of images differs
     */
    public final FaceDataset withImages(Images replacement) {
        return new FaceDataset(replacement, List.copyOf(columns.values()), report, folder);
    }

    /**
     * The same faces, which training sees augmented.
     *
     * @param augmentation what is done to them, drawn anew for every epoch; measuring and
     *     predicting see the images as they are
     * @return the data set
     */
    public final FaceDataset augmented(Augmentation augmentation) {
        return withImages(AugmentedImages.of(images, augmentation));
    }

    /**
     * The faces for which all the given attributes are known.
     *
     * @param attributes names among {@link #attributes()}
     * @return the faces, in order
     * @throws IllegalArgumentException if there is no such attribute
     */
    public final FaceDataset labelled(String... attributes) {
        boolean[] known = new boolean[size()];
        Arrays.fill(known, true);
        for (String attribute : attributes) {
            LabelColumn column = column(attribute);
            for (int i = 0; i < known.length; i++) {
                known[i] &= column.value(i) != LabelColumn.MISSING;
            }
        }
        List<Integer> rows = new ArrayList<>();
        for (int i = 0; i < known.length; i++) {
            if (known[i]) {
                rows.add(i);
            }
        }
        return select(Ints.toArray(rows));
    }

    /**
     * The solution developer's data: the images with one attribute as the task, and nothing else.
     *
     * @param attribute one of {@link #attributes()} that has classes
     * @return the images and their labels
     * @throws IllegalArgumentException if there is no such attribute, it is a plain number, or it
     *     is not known for some face (see {@link #labelled})
     */
    public final TaskImages task(String attribute) {
        LabelColumn column = complete(attribute);
        return TaskImages.of(images, column.toArray(), column.classes());
    }

    /**
     * The fairness auditor's data: the images with one attribute as the sensitive one.
     *
     * @param attribute one of {@link #attributes()} that has classes
     * @return the images and the attribute, which nobody but an auditor can read back
     * @throws IllegalArgumentException if there is no such attribute, it is a plain number, or it
     *     is not known for some face (see {@link #labelled})
     */
    public final SensitiveImages sensitive(String attribute) {
        LabelColumn column = complete(attribute);
        return SensitiveImages.of(attribute, images, column.toArray(), column.classes());
    }

    /**
     * What an auditor measures on: the images with task and sensitive attribute.
     *
     * @param task one of {@link #attributes()} that has classes
     * @param sensitive another
     * @return the images and both, which nobody but an auditor can read back
     * @throws IllegalArgumentException if there is no such attribute, it is a plain number, or it
     *     is not known for some face (see {@link #labelled})
     */
    public final AuditImages audit(String task, String sensitive) {
        LabelColumn label = complete(task);
        LabelColumn value = complete(sensitive);
        return AuditImages.of(
                images,
                label.toArray(),
                label.classes(),
                sensitive,
                value.toArray(),
                value.classes());
    }

    /**
     * Reads every image once, which takes as long as that, and leaves out those that cannot be
     * used.
     *
     * @param how how strictly, on how many threads
     * @return the other faces; their {@link #report()} names those left out and whatever else the
     *     check found
     * @throws DatasetException if the check is strict and anything is wrong
     * @throws IllegalArgumentException if digests are to be compared and the images are not in
     *     files
     */
    public final FaceDataset checked(DatasetCheck how) {
        return how.apply(this);
    }

    final FaceDataset withReport(DatasetReport other) {
        return new FaceDataset(images, List.copyOf(columns.values()), other, folder);
    }

    /**
     * Closes the zip archive that the images are read from, if there is one. To close it again does
     * nothing.
     *
     * @throws java.io.UncheckedIOException if it cannot be closed
     */
    @Override
    public void close() {
        if (folder != null) {
            FileImages.closeArchive(folder);
        }
    }

    /** The column of an attribute that has classes and is known for every face. */
    private LabelColumn complete(String attribute) {
        LabelColumn column = column(attribute);
        checkArgument(
                !column.classes().isEmpty(),
                "%s is a plain number and has no classes: build the data set with a threshold or"
                        + " bins for it",
                attribute);
        int missing = 0;
        int first = -1;
        for (int i = size() - 1; i >= 0; i--) {
            if (column.value(i) == LabelColumn.MISSING) {
                missing++;
                first = i;
            }
        }
        if (missing > 0) {
            throw new IllegalArgumentException(
                    String.format(
                            "%d of %d faces have no %s (the first is %s): leave them out with"
                                    + " labelled(\"%s\")",
                            missing, size(), attribute, images.name(first), attribute));
        }
        return column;
    }

    private LabelColumn column(String attribute) {
        LabelColumn column = columns.get(attribute);
        if (column == null) {
            throw new IllegalArgumentException(
                    "there is no attribute " + attribute + ", expected one of " + attributes());
        }
        return column;
    }
}
