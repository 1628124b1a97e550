package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.Arrays;
import java.util.stream.IntStream;

/** The cells of task class and sensitive class, numbered row by row. */
final class Cells {

    private final int tasks;
    private final int groups;
    private final int[] cellOf;

    private Cells(int tasks, int groups, int[] cellOf) {
        this.tasks = tasks;
        this.groups = groups;
        this.cellOf = cellOf;
    }

    static Cells of(int[] task, int[] sensitive) {
        int tasks = 1 + Arrays.stream(task).max().orElse(-1);
        int groups = 1 + Arrays.stream(sensitive).max().orElse(-1);
        checkArgument(tasks >= 2, "the task must have at least 2 classes, found %s", tasks);
        checkArgument(
                groups >= 2,
                "the sensitive attribute must have at least 2 classes, found %s",
                groups);
        int[] cellOf = new int[task.length];
        for (int i = 0; i < task.length; i++) {
            cellOf[i] = task[i] < 0 || sensitive[i] < 0 ? -1 : task[i] * groups + sensitive[i];
        }
        return new Cells(tasks, groups, cellOf);
    }

    int number() {
        return tasks * groups;
    }

    /** The cell of an example, or -1 where a label is unknown. */
    int of(int example) {
        return cellOf[example];
    }

    String describe(int cell) {
        return "task class " + cell / groups + " and sensitive class " + cell % groups;
    }

    /** How many of the examples each cell has, by task class, then sensitive class. */
    int[][] count(int[] examples) {
        int[][] counts = new int[tasks][groups];
        for (int i : examples) {
            if (cellOf[i] >= 0) {
                counts[cellOf[i] / groups][cellOf[i] % groups]++;
            }
        }
        return counts;
    }

    /** The probability that a law gives to each cell. */
    double[] probabilities(CellLaw law) {
        int[][] natural = count(IntStream.range(0, cellOf.length).toArray());
        return Arrays.stream(law.probabilities(natural)).flatMapToDouble(Arrays::stream).toArray();
    }
}
