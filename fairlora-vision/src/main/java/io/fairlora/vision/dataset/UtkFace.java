package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Comparators;
import com.google.common.primitives.Ints;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.training.Images;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * UTKFace (Zhang, Song and Qi, 2017): faces whose labels stand in the names of their files, {@code
 * AGE_GENDER_RACE_TIMESTAMP.jpg.chip.jpg}.
 *
 * <p>Attributes: {@code gender} (0 Male, 1 Female), {@code race} (White, Black, Asian, Indian,
 * Other), {@code age} (a plain number, in years), and where asked for {@code age>=N} (0 below, 1 at
 * or above the threshold) and {@code age_group} (bins).
 */
public final class UtkFace extends FaceDataset {

    private static final List<String> GENDERS = List.of("Male", "Female");
    private static final List<String> RACES = List.of("White", "Black", "Asian", "Indian", "Other");
    private static final Pattern NAME =
            Pattern.compile("(\\d{1,3})_([01])_([0-4])_\\d+\\.jpg(\\.chip\\.jpg)?");
    private static final String EXPECTED =
            "AGE_GENDER_RACE_TIMESTAMP.jpg.chip.jpg with gender 0 or 1 and race 0 to 4";

    private UtkFace(Images images, List<LabelColumn> columns, DatasetReport report) {
        super(images, columns, report);
    }

    /**
     * Starts without a threshold or bins for the age, skipping malformed names.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** What becomes of an image whose name does not tell its labels. */
    public enum Malformed {
        /** It is left out and named in the report. */
        SKIP,
        /** The data set is refused. */
        REFUSE
    }

    /** Where the data set lies and how its ages become classes. */
    public static final class Builder {

        private @Nullable Path root;
        private Malformed malformed = Malformed.SKIP;
        private @Nullable Integer threshold;
        private int[] bins = {};

        private Builder() {}

        /**
         * The folder of images.
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
         * What becomes of malformed names; {@link Malformed#SKIP} unless set.
         *
         * @param malformed the choice
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optMalformed(Malformed malformed) {
            this.malformed = malformed;
            return this;
        }

        /**
         * Adds the attribute {@code age>=YEARS} with two classes.
         *
         * @param years the youngest age of class 1, at least 1
         * @return this
         * @throws IllegalArgumentException if it is below 1
         */
        @CanIgnoreReturnValue
        public Builder optAgeThreshold(int years) {
            checkArgument(years >= 1, "an age threshold must be at least 1, found %s", years);
            threshold = years;
            return this;
        }

        /**
         * Adds the attribute {@code age_group}.
         *
         * @param youngest the youngest age of every class but the first, ascending: {@code 20, 40,
         *     60} makes the classes 0-19, 20-39, 40-59 and 60+
         * @return this
         * @throws IllegalArgumentException if there is none, or they are not ascending from 1
         */
        @CanIgnoreReturnValue
        public Builder optAgeBins(int... youngest) {
            checkArgument(
                    youngest.length > 0
                            && youngest[0] >= 1
                            && Comparators.isInStrictOrder(
                                    Ints.asList(youngest), Comparator.naturalOrder()),
                    "age bins must be ascending and at least 1, found %s",
                    Ints.asList(youngest));
            bins = youngest.clone();
            return this;
        }

        /**
         * Reads the names of the files; opens none.
         *
         * @return the data set
         * @throws DatasetException if there is no such folder, it holds no face, or a name is
         *     malformed and to be refused
         * @throws IllegalArgumentException if no root is set
         */
        public UtkFace build() {
            checkArgument(root != null, "setRoot must be given");
            List<String> names = new ArrayList<>();
            List<String> bad = new ArrayList<>();
            List<int[]> labels = new ArrayList<>();
            for (String name : Listing.files(root)) {
                Matcher matcher = NAME.matcher(name);
                if (matcher.matches()) {
                    names.add(name);
                    labels.add(
                            new int[] {
                                Integer.parseInt(matcher.group(1)),
                                Integer.parseInt(matcher.group(2)),
                                Integer.parseInt(matcher.group(3))
                            });
                } else if (Listing.isImage(name)) {
                    bad.add(name);
                }
            }
            if (malformed == Malformed.REFUSE && !bad.isEmpty()) {
                throw new DatasetException(
                        String.format(
                                "%s: %d malformed names, the first is %s, expected %s",
                                root, bad.size(), bad.get(0), EXPECTED));
            }
            if (names.isEmpty()) {
                throw new DatasetException(root + ": holds no image named " + EXPECTED);
            }
            return new UtkFace(
                    FileImages.of(root, names),
                    columns(labels),
                    DatasetReport.ofListing(names.size(), bad, List.of(), List.of(), List.of()));
        }

        private List<LabelColumn> columns(List<int[]> labels) {
            LabelColumn age = column("age", List.of(), labels, 0);
            List<LabelColumn> columns = new ArrayList<>();
            columns.add(column("gender", GENDERS, labels, 1));
            columns.add(column("race", RACES, labels, 2));
            columns.add(age);
            if (threshold != null) {
                columns.add(
                        age.binned(
                                "age>=" + threshold,
                                List.of("age<" + threshold, "age>=" + threshold),
                                new int[] {threshold}));
            }
            if (bins.length > 0) {
                List<String> groups = new ArrayList<>();
                int from = 0;
                for (int bound : bins) {
                    groups.add(from + "-" + (bound - 1));
                    from = bound;
                }
                groups.add(from + "+");
                columns.add(age.binned("age_group", groups, bins));
            }
            return columns;
        }

        private static LabelColumn column(
                String name, List<String> classes, List<int[]> labels, int index) {
            return new LabelColumn(
                    name, classes, labels.stream().mapToInt(row -> row[index]).toArray());
        }
    }
}
