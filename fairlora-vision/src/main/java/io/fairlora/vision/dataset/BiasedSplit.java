package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Subsamples examples with a task label y and a sensitive label s into disjoint parts: a biased one
 * for the solution developer, one for the fairness auditor, one for choosing settings and a
 * balanced one for the final figures. A function of its settings and the seed alone. Immutable.
 *
 * <pre>{@code
 * BiasedSplit split =
 *         BiasedSplit.builder()
 *                 .task(faces.labels("Smiling"))
 *                 .sensitive(faces.labels("Male"))
 *                 .groups(faces.labels("identity"))
 *                 .law(BiasedSplit.Part.TRAIN, CellLaw.correlated(0.9))
 *                 .fractions(0.4, 0.3, 0.1, 0.2)
 *                 .seed(7)
 *                 .build();
 * FaceDataset train = faces.select(split.train());
 * }</pre>
 */
public final class BiasedSplit {

    /** The parts, in the order in which sizes and fractions are given. */
    public enum Part {
        /** The solution developer's training set. */
        TRAIN,
        /** The fairness auditor's set. */
        AUDITOR,
        /** For choosing settings. */
        VALIDATION,
        /** For the final figures. */
        TEST;

        @Override
        public String toString() {
            return switch (this) {
                case TRAIN -> "train";
                case AUDITOR -> "auditor";
                case VALIDATION -> "validation";
                case TEST -> "test";
            };
        }
    }

    private final Cells cells;
    private final Map<Part, int[]> parts;

    private BiasedSplit(Cells cells, Map<Part, int[]> parts) {
        this.cells = cells;
        this.parts = parts;
    }

    /**
     * Starts with training correlated by 0.9, the auditor's part natural, validation and test
     * balanced.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The examples of one part.
     *
     * @param part the part
     * @return a copy: positions in the label arrays, ascending
     */
    public int[] indices(Part part) {
        int[] indices = parts.get(part);
        return indices == null ? new int[0] : indices.clone();
    }

    /**
     * The solution developer's training set.
     *
     * @return positions in the label arrays, ascending
     */
    public int[] train() {
        return indices(Part.TRAIN);
    }

    /**
     * The fairness auditor's set.
     *
     * @return positions in the label arrays, ascending
     */
    public int[] auditor() {
        return indices(Part.AUDITOR);
    }

    /**
     * The set for choosing settings.
     *
     * @return positions in the label arrays, ascending
     */
    public int[] validation() {
        return indices(Part.VALIDATION);
    }

    /**
     * The set for the final figures.
     *
     * @return positions in the label arrays, ascending
     */
    public int[] test() {
        return indices(Part.TEST);
    }

    /**
     * How many examples of each cell a part has.
     *
     * @param part the part
     * @return the counts, by task class, then sensitive class
     */
    public int[][] cellCounts(Part part) {
        return cells.count(indices(part));
    }

    /** What there is to split, and how. */
    public static final class Builder {

        private int @Nullable [] task;
        private int @Nullable [] sensitive;
        private int @Nullable [] groups;
        private int @Nullable [] sizes;
        private double @Nullable [] fractions;
        private @Nullable Long seed;
        private final Map<Part, CellLaw> laws = new EnumMap<>(Part.class);

        private Builder() {
            laws.put(Part.TRAIN, CellLaw.correlated(0.9));
            laws.put(Part.AUDITOR, CellLaw.natural());
            laws.put(Part.VALIDATION, CellLaw.balanced());
            laws.put(Part.TEST, CellLaw.balanced());
        }

        /**
         * The task labels; must be given.
         *
         * @param labels the class of every example from 0; -1 leaves the example out
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder task(int[] labels) {
            task = labels.clone();
            return this;
        }

        /**
         * The sensitive labels; must be given.
         *
         * @param labels the class of every example from 0; -1 leaves the example out
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder sensitive(int[] labels) {
            sensitive = labels.clone();
            return this;
        }

        /**
         * Which examples belong together, such as the pictures of one person: no group has examples
         * in two parts.
         *
         * @param ids any number for every example
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder groups(int[] ids) {
            groups = ids.clone();
            return this;
        }

        /**
         * How a part spreads over the cells of y and s.
         *
         * @param part the part
         * @param law the law
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder law(Part part, CellLaw law) {
            laws.put(part, law);
            return this;
        }

        /**
         * The exact number of examples of each part; cells are off the law by less than one
         * example. This or {@link #fractions} must be given.
         *
         * @param train for the developer, at least 0
         * @param auditor for the auditor, at least 0
         * @param validation for choosing settings, at least 0
         * @param test for the final figures, at least 0
         * @return this
         * @throws IllegalArgumentException if one is below 0
         */
        @CanIgnoreReturnValue
        public Builder sizes(int train, int auditor, int validation, int test) {
            checkArgument(
                    train >= 0 && auditor >= 0 && validation >= 0 && test >= 0,
                    "sizes must be at least 0, found %s, %s, %s and %s",
                    train,
                    auditor,
                    validation,
                    test);
            sizes = new int[] {train, auditor, validation, test};
            return this;
        }

        /**
         * The share of the examples from which each part is drawn: each gets that share of every
         * cell, or of the groups, and keeps as many of them as its law allows.
         *
         * @param train for the developer, in [0, 1]
         * @param auditor for the auditor, in [0, 1]
         * @param validation for choosing settings, in [0, 1]
         * @param test for the final figures, in [0, 1]; together 1
         * @return this
         * @throws IllegalArgumentException if one is outside [0, 1] or they do not add up to 1
         */
        @CanIgnoreReturnValue
        public Builder fractions(double train, double auditor, double validation, double test) {
            double[] given = {train, auditor, validation, test};
            GroupSplit.checkFractions(given);
            fractions = given;
            return this;
        }

        /**
         * Decides which examples are drawn; must be given.
         *
         * @param seed any number
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        /**
         * Draws the parts.
         *
         * @return the split
         * @throws IllegalArgumentException if something that must be given is not, both sizes and
         *     fractions are, the arrays differ in length, there are fewer than two classes of
         *     either kind, or a cell has too few examples for a part
         */
        public BiasedSplit build() {
            checkArgument(task != null, "task must be given");
            checkArgument(sensitive != null, "sensitive must be given");
            checkArgument(seed != null, "seed must be given");
            checkArgument(
                    (sizes == null) != (fractions == null),
                    "either sizes or fractions must be given");
            int[] ids = groups == null ? IntStream.range(0, task.length).toArray() : groups;
            checkArgument(
                    task.length == sensitive.length && task.length == ids.length,
                    "task, sensitive and groups must be equally long, found %s, %s and %s",
                    task.length,
                    sensitive.length,
                    ids.length);
            Cells cells = Cells.of(task, sensitive);
            List<CellDraw> draws = new ArrayList<>();
            for (Part part : Part.values()) {
                CellLaw law = laws.getOrDefault(part, CellLaw.natural());
                draws.add(new CellDraw(part, law, cells));
            }
            List<int[]> members = new ArrayList<>();
            for (int[] group : GroupSplit.members(ids)) {
                int[] known = Arrays.stream(group).filter(i -> cells.of(i) >= 0).toArray();
                if (known.length > 0) {
                    members.add(known);
                }
            }
            GroupSplit.shuffle(members, new SplittableRandom(seed));
            Map<Part, int[]> parts = new EnumMap<>(Part.class);
            if (sizes != null) {
                drawSizes(draws, members, sizes, parts);
            } else if (fractions != null) {
                drawFractions(draws, members, fractions, cells, parts);
            }
            return new BiasedSplit(cells, parts);
        }

        /**
         * Fills the parts one after the other. The test comes first, as it must not be short, then
         * training, which needs most of what is rare.
         */
        private static void drawSizes(
                List<CellDraw> draws, List<int[]> groups, int[] sizes, Map<Part, int[]> parts) {
            List<int[]> left = groups;
            for (int p : new int[] {3, 0, 2, 1}) {
                CellDraw draw = draws.get(p);
                List<int[]> others = new ArrayList<>();
                parts.put(draw.part(), draw.exactly(sizes[p], left, others));
                left = others;
            }
        }

        private static void drawFractions(
                List<CellDraw> draws,
                List<int[]> groups,
                double[] shares,
                Cells cells,
                Map<Part, int[]> parts) {
            List<List<int[]>> pools = new ArrayList<>();
            draws.forEach(draw -> pools.add(new ArrayList<>()));
            // Dealt cell by cell, so that each part gets its share of the rare cells, too.
            for (int cell = 0; cell < cells.number(); cell++) {
                int wanted = cell;
                List<int[]> alike =
                        groups.stream().filter(group -> cells.of(group[0]) == wanted).toList();
                List<List<int[]>> dealt = GroupSplit.deal(alike, shares);
                for (int p = 0; p < shares.length; p++) {
                    pools.get(p).addAll(dealt.get(p));
                }
            }
            for (int p = 0; p < shares.length; p++) {
                CellDraw draw = draws.get(p);
                parts.put(draw.part(), shares[p] == 0 ? new int[0] : draw.asManyAs(pools.get(p)));
            }
        }
    }
}
