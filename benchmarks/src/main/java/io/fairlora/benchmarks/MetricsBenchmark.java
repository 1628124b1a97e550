package io.fairlora.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.interval.BootstrapMethod;
import io.fairlora.metrics.interval.PoissonBootstrap;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * Demographic parity and equalized odds over ten million rows with four groups: a bare counting
 * loop, this library on Java arrays and on arrays of DJL, and Fairlearn.
 *
 * <p>Arguments: a Python with Fairlearn (left out if absent), and the path of {@code
 * fairlearn_metrics.py}.
 */
public final class MetricsBenchmark {
    private static final int ROWS = 10_000_000;
    private static final int GROUPS = 4;
    private static final int ROUNDS = 9;

    private MetricsBenchmark() {}

    /**
     * Runs the benchmark and prints a table.
     *
     * @param args Python and script
     */
    public static void main(String[] args) {
        int[] labels = new int[ROWS];
        int[] predictions = new int[ROWS];
        int[] groups = new int[ROWS];
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < ROWS; i++) {
            labels[i] = random.nextInt(2);
            predictions[i] = random.nextDouble() < 0.8 ? labels[i] : 1 - labels[i];
            groups[i] = random.nextInt(GROUPS);
        }
        System.out.printf(Locale.ROOT, "%,d rows, %d groups%n", ROWS, GROUPS);

        double bare = best(() -> countBare(labels, predictions, groups));
        report("bare counting loop", bare, bare);
        report("int arrays", best(() -> figures(counted(labels, predictions, groups))), bare);
        for (DataType type : List.of(DataType.INT32, DataType.INT64, DataType.FLOAT32)) {
            try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
                NDArray y = manager.create(labels).toType(type, true);
                NDArray p = manager.create(predictions).toType(type, true);
                NDArray g = manager.create(groups).toType(type, true);
                report("NDArrays of " + type, best(() -> figures(counted(y, p, g))), bare);
            }
        }
        long[] wideLabels = Arrays.stream(labels).asLongStream().toArray();
        long[] widePredictions = Arrays.stream(predictions).asLongStream().toArray();
        long[] wideGroups = Arrays.stream(groups).asLongStream().toArray();
        report(
                "bare loop over long",
                best(() -> countBare(wideLabels, widePredictions, wideGroups)),
                bare);
        ConfusionSnapshot snapshot = counted(labels, predictions, groups);
        double bootstrap = best(() -> bootstrap(snapshot));
        System.out.printf(
                Locale.ROOT,
                "%-28s %9.3f s for BCa intervals of %d differences%n",
                "1,000 bootstrap replicates",
                bootstrap,
                Criterion.values().length);
        if (args.length == 2) {
            double theirs = fairlearn(Path.of(args[0]), Path.of(args[1]));
            report("Fairlearn", theirs, bare);
        } else {
            System.out.println("Fairlearn left out: give a Python that has it, and the script");
        }
    }

    private static void report(String name, double seconds, double bare) {
        System.out.printf(
                Locale.ROOT,
                "%-28s %9.4f s %10.1f million rows/s %8.2f times the bare loop%n",
                name,
                seconds,
                ROWS / seconds / 1e6,
                seconds / bare);
    }

    /** The fastest of several rounds, in seconds. */
    private static double best(Runnable task) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < ROUNDS; i++) {
            long start = System.nanoTime();
            task.run();
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return best;
    }

    private static void countBare(int[] labels, int[] predictions, int[] groups) {
        long[] counts = new long[GROUPS * 4];
        for (int i = 0; i < labels.length; i++) {
            counts[groups[i] * 4 + labels[i] * 2 + predictions[i]]++;
        }
        check(Arrays.stream(counts).sum());
    }

    private static void countBare(long[] labels, long[] predictions, long[] groups) {
        long[] counts = new long[GROUPS * 4];
        for (int i = 0; i < labels.length; i++) {
            counts[(int) (groups[i] * 4 + labels[i] * 2 + predictions[i])]++;
        }
        check(Arrays.stream(counts).sum());
    }

    private static void check(long rows) {
        if (rows != ROWS) {
            throw new IllegalStateException("counted " + rows + " rows, expected " + ROWS);
        }
    }

    private static GroupConfusion empty() {
        return GroupConfusion.binary(Group.values("g", "0", "1", "2", "3"));
    }

    private static ConfusionSnapshot counted(int[] labels, int[] predictions, int[] groups) {
        GroupConfusion confusion = empty();
        confusion.add(labels, predictions, groups);
        return confusion.snapshot();
    }

    private static ConfusionSnapshot counted(NDArray labels, NDArray predictions, NDArray groups) {
        GroupConfusion confusion = empty();
        confusion.add(labels, predictions, groups);
        return confusion.snapshot();
    }

    private static void figures(ConfusionSnapshot snapshot) {
        check(snapshot.count());
        double sum =
                Criterion.DEMOGRAPHIC_PARITY.difference(snapshot).figure().value()
                        + Criterion.EQUALIZED_ODDS.difference(snapshot).figure().value();
        if (!(sum >= 0)) {
            throw new IllegalStateException("differences sum to " + sum);
        }
    }

    private static void bootstrap(ConfusionSnapshot snapshot) {
        PoissonBootstrap<ConfusionSnapshot> bootstrap = PoissonBootstrap.of(snapshot, 1000, 1);
        for (Criterion criterion : Criterion.values()) {
            boolean found =
                    bootstrap
                            .interval(
                                    s ->
                                            criterion
                                                    .measure(
                                                            s,
                                                            Contrast.DIFFERENCE,
                                                            FairnessOptions.DEFAULT)
                                                    .figure(),
                                    0.95,
                                    BootstrapMethod.BCA)
                            .isPresent();
            if (!found) {
                throw new IllegalStateException(criterion + " has no interval");
            }
        }
    }

    private static double fairlearn(Path python, Path script) {
        try {
            Process process =
                    new ProcessBuilder(
                                    python.toString(),
                                    script.toString(),
                                    Integer.toString(ROWS),
                                    Integer.toString(GROUPS))
                            .redirectErrorStream(true)
                            .start();
            try (BufferedReader reader =
                    new BufferedReader(
                            new InputStreamReader(
                                    process.getInputStream(), StandardCharsets.UTF_8))) {
                String output = reader.lines().collect(Collectors.joining("\n"));
                try {
                    return Double.parseDouble(output.strip());
                } catch (NumberFormatException e) {
                    throw new IllegalStateException(
                            script + " printed \"" + output + "\", expected seconds", e);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
