package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.training.Images;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * FairFace (Karkkainen and Joo, 2021): faces balanced over seven groups of race.
 *
 * <p>The folder holds {@code fairface_label_train.csv} and {@code fairface_label_val.csv} (columns
 * {@code file,age,gender,race}) and the images they name. Attributes: {@code age} (nine groups),
 * {@code gender} (0 Male, 1 Female), {@code race} (seven groups). Age groups that a spreadsheet has
 * turned into dates are understood: {@code 03-Sep} is 3-9, {@code Oct-19} is 10-19.
 */
public final class FairFace extends FaceDataset {

    private static final List<String> AGES =
            List.of(
                    "0-2",
                    "3-9",
                    "10-19",
                    "20-29",
                    "30-39",
                    "40-49",
                    "50-59",
                    "60-69",
                    "more than 70");
    private static final List<String> GENDERS = List.of("Male", "Female");
    private static final List<String> RACES =
            List.of(
                    "White",
                    "Black",
                    "Latino_Hispanic",
                    "East Asian",
                    "Southeast Asian",
                    "Indian",
                    "Middle Eastern");

    /** What spreadsheets make of 3-9 and 10-19, in lower case and without a leading zero. */
    private static final Map<String, String> DATES =
            Map.of(
                    "3-sep", "3-9",
                    "sep-3", "3-9",
                    "sep-03", "3-9",
                    "9-mar", "3-9",
                    "mar-9", "3-9",
                    "mar-09", "3-9",
                    "oct-19", "10-19",
                    "19-oct", "10-19",
                    "70+", "more than 70");

    private FairFace(Images images, List<LabelColumn> columns, DatasetReport report) {
        super(images, columns, report);
    }

    /**
     * Starts with the official training and validation part together.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Where the data set lies and which part of it is wanted. */
    public static final class Builder {

        private @Nullable Path root;
        private Partition partition = Partition.ALL;

        private Builder() {}

        /**
         * The folder with the lists.
         *
         * @param root the folder
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setRoot(Path root) {
            this.root = root;
            return this;
        }

        /**
         * The part to read.
         *
         * @param partition {@link Partition#TRAIN}, {@link Partition#VALIDATION} or {@link
         *     Partition#ALL}, the default
         * @return this
         * @throws IllegalArgumentException for {@link Partition#TEST}, which FairFace keeps back
         */
        @CanIgnoreReturnValue
        public Builder optPartition(Partition partition) {
            checkArgument(
                    partition != Partition.TEST,
                    "FairFace has no public test part, expected TRAIN, VALIDATION or ALL");
            this.partition = partition;
            return this;
        }

        /**
         * Reads the lists and looks which images are there.
         *
         * @return the data set
         * @throws DatasetException if a list is missing or damaged, or none of its images is there
         * @throws IllegalArgumentException if no root is set
         */
        public FairFace build() {
            checkArgument(root != null, "setRoot must be given");
            Rows rows = new Rows(root);
            if (partition != Partition.VALIDATION) {
                rows.read(new LabelList(root.resolve("fairface_label_train.csv")));
            }
            if (partition != Partition.TRAIN) {
                rows.read(new LabelList(root.resolve("fairface_label_val.csv")));
            }
            return rows.toDataset();
        }
    }

    /** The rows of the lists whose images are on disk. */
    private static final class Rows {

        private final FilesOnDisk files;
        private final List<int[]> labels = new ArrayList<>();

        Rows(Path root) {
            files = new FilesOnDisk(root);
        }

        void read(LabelList list) {
            list.forEach(
                    row -> {
                        int[] values = {
                            code(row, "age", AGES),
                            code(row, "gender", GENDERS),
                            code(row, "race", RACES)
                        };
                        if (files.add(row.cell("file"))) {
                            labels.add(values);
                        }
                    });
        }

        private static int code(LabelList.Row row, String column, List<String> classes) {
            String text = row.cell(column);
            int code = classes.indexOf(column.equals("age") ? ageGroup(text) : text);
            if (code < 0) {
                throw row.unexpected(column, text, classes);
            }
            return code;
        }

        FairFace toDataset() {
            DatasetReport report = files.report(List.of());
            return new FairFace(
                    files.images(),
                    List.of(
                            column("age", AGES, 0),
                            column("gender", GENDERS, 1),
                            column("race", RACES, 2)),
                    report);
        }

        private LabelColumn column(String name, List<String> classes, int index) {
            return new LabelColumn(
                    name, classes, labels.stream().mapToInt(row -> row[index]).toArray());
        }
    }

    /** The age group that a cell means. */
    static String ageGroup(String text) {
        String plain = text.startsWith("0") && !text.startsWith("0-") ? text.substring(1) : text;
        return DATES.getOrDefault(plain.toLowerCase(Locale.ROOT), plain);
    }
}
