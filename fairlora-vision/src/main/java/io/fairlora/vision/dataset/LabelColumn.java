package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.List;

/** One attribute of every face: a class, or a plain number where there are no classes. */
final class LabelColumn {

    /** The value of a face whose label is not known. */
    static final int MISSING = -1;

    private final String name;
    private final List<String> classes;
    private final int[] values;

    /** Takes the values over without a copy. */
    LabelColumn(String name, List<String> classes, int[] values) {
        this.name = name;
        this.classes = List.copyOf(classes);
        this.values = values;
    }

    String name() {
        return name;
    }

    /** Empty for a plain number. */
    List<String> classes() {
        return classes;
    }

    int size() {
        return values.length;
    }

    int value(int row) {
        return values[row];
    }

    int[] toArray() {
        return values.clone();
    }

    LabelColumn select(int[] rows) {
        int[] picked = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            picked[i] = values[rows[i]];
        }
        return new LabelColumn(name, classes, picked);
    }

    /**
     * Cuts a plain number into classes.
     *
     * @param bounds where a new class begins, ascending
     */
    LabelColumn binned(String newName, List<String> newClasses, int[] bounds) {
        checkArgument(newClasses.size() == bounds.length + 1);
        int[] binned = new int[values.length];
        for (int i = 0; i < values.length; i++) {
            if (values[i] == MISSING) {
                binned[i] = MISSING;
                continue;
            }
            for (int bound : bounds) {
                if (values[i] >= bound) {
                    binned[i]++;
                }
            }
        }
        return new LabelColumn(newName, newClasses, binned);
    }
}
