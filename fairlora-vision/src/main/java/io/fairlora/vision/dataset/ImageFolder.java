package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.training.Images;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * A folder of images with a file of labels, CSV with a header or, if it is named {@code .jsonl}, a
 * JSON object on each line: one column names the file, relative to the folder, the others are
 * attributes. The values of an attribute become its classes in sorted order, by number where all
 * are whole numbers and by character otherwise; a cell that is empty, null or absent is an unknown
 * label.
 */
public final class ImageFolder extends FaceDataset {

    private ImageFolder(Images images, List<LabelColumn> columns, DatasetReport report) {
        super(images, columns, report);
    }

    /**
     * Starts with the first column as the file's and all others as attributes.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Where the images and their labels lie. */
    public static final class Builder {

        private @Nullable Path root;
        private @Nullable Path labels;
        private @Nullable String fileColumn;
        private List<String> labelColumns = List.of();
        private List<String> numberColumns = List.of();
        private final Map<String, List<String>> classes = new HashMap<>();

        private Builder() {}

        /**
         * The folder of images, or a zip archive, which is read without unpacking it and stays open
         * until the data set is closed.
         *
         * @param root the folder or the archive
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setRoot(Path root) {
            this.root = root;
            return this;
        }

        /**
         * The file of labels: CSV with a header, or JSON objects on lines if it ends in {@code
         * .jsonl}.
         *
         * @param labels the file
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setLabels(Path labels) {
            this.labels = labels;
            return this;
        }

        /**
         * The column that names the file; the first unless set.
         *
         * @param column its name
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optFileColumn(String column) {
            fileColumn = column;
            return this;
        }

        /**
         * The columns to read as attributes; all but the file's unless set.
         *
         * @param columns their names
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optLabelColumns(String... columns) {
            labelColumns = List.of(columns);
            return this;
        }

        /**
         * The attributes that are plain numbers, such as a person's identity: whole, at least 0.
         *
         * @param columns their names
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optNumberColumns(String... columns) {
            numberColumns = List.of(columns);
            return this;
        }

        /**
         * The classes of an attribute in an order of one's own: of two, the second is the
         * favourable outcome.
         *
         * @param column the attribute
         * @param names every value that occurs, each once
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optClasses(String column, List<String> names) {
            classes.put(column, List.copyOf(names));
            return this;
        }

        /**
         * Reads the labels and looks which images are there.
         *
         * @return the data set
         * @throws DatasetException if the file of labels is missing or damaged, lacks a column, has
         *     a value that is none of the given classes or no number, or none of its images is
         *     there
         * @throws IllegalArgumentException if the root or the labels are not set
         */
        public ImageFolder build() {
            checkArgument(root != null, "setRoot must be given");
            checkArgument(labels != null, "setLabels must be given");
            Path folder = Files.isRegularFile(root) ? FileImages.inZip(root) : root;
            try {
                return build(new LabelList(labels), new FilesOnDisk(folder));
            } catch (RuntimeException e) {
                FileImages.closeArchive(folder);
                throw e;
            }
        }

        private ImageFolder build(LabelList list, FilesOnDisk files) {
            Map<String, List<String>> cells = new LinkedHashMap<>();
            list.forEach(
                    row -> {
                        String file = fileColumn == null ? row.columns().get(0) : fileColumn;
                        boolean present = files.add(row.cell(file));
                        for (String column : columns(row, file)) {
                            String cell = row.cell(column);
                            check(row, column, cell);
                            if (present) {
                                cells.computeIfAbsent(column, c -> new ArrayList<>()).add(cell);
                            }
                        }
                    });
            DatasetReport report = files.report(List.of());
            List<LabelColumn> columns = new ArrayList<>();
            cells.forEach((name, values) -> columns.add(column(name, values)));
            return new ImageFolder(files.images(), columns, report);
        }

        private List<String> columns(LabelList.Row row, String file) {
            if (!labelColumns.isEmpty()) {
                return labelColumns;
            }
            return row.columns().stream().filter(column -> !column.equals(file)).toList();
        }

        private void check(LabelList.Row row, String column, String cell) {
            List<String> expected = classes.get(column);
            if (cell.isEmpty()) {
                return;
            }
            if (expected != null && !expected.contains(cell)) {
                throw row.unexpected(column, cell, expected);
            }
            Integer number = Ints.tryParse(cell);
            if (numberColumns.contains(column) && (number == null || number < 0)) {
                throw row.unexpected(column, cell, List.of("0", "1", "2", "..."));
            }
        }

        private LabelColumn column(String name, List<String> cells) {
            boolean isNumber = numberColumns.contains(name);
            List<String> names = isNumber ? List.of() : classes.getOrDefault(name, sorted(cells));
            Map<String, Integer> index = new HashMap<>();
            for (String known : names) {
                index.put(known, index.size());
            }
            int[] values = new int[cells.size()];
            for (int i = 0; i < values.length; i++) {
                String cell = cells.get(i);
                values[i] =
                        isNumber && !cell.isEmpty()
                                ? Integer.parseInt(cell)
                                : index.getOrDefault(cell, LabelColumn.MISSING);
            }
            return new LabelColumn(name, names, values);
        }

        private static List<String> sorted(List<String> cells) {
            TreeSet<String> names = new TreeSet<>(cells);
            names.remove("");
            List<String> sorted = new ArrayList<>(names);
            if (sorted.stream().allMatch(name -> Ints.tryParse(name) != null)) {
                sorted.sort(Comparator.comparingInt(Integer::parseInt));
            }
            return sorted;
        }
    }
}
