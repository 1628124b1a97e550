package io.fairlora.examples;

import com.google.common.collect.ImmutableMap;
import com.google.common.io.CountingInputStream;
import de.siegmar.fastcsv.reader.CloseableIterator;
import de.siegmar.fastcsv.reader.CsvParseException;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.CsvRecord;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.GroupScores;
import io.fairlora.metrics.ScoreSnapshot;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.jspecify.annotations.Nullable;

/** Counts the rows of a CSV file of predictions, one at a time. */
final class PredictionsCsv {
    /** A column with more values than this is no sensitive attribute, and would fill the memory. */
    private static final int MOST_GROUPS = 1000;

    private static final int SCORE_BINS = 1500;
    private static final int ROWS_BETWEEN_UPDATES = 1 << 14;
    private static final int BUFFER = 1 << 18;

    /**
     * What to read.
     *
     * @param label column of the true class
     * @param prediction column of the predicted class
     * @param score column of the probability of class 1
     * @param threshold score from which class 1 is predicted where there is no prediction
     * @param groups columns of the sensitive attributes
     * @param weight column of the weights
     * @param classes names of the classes, empty for 0 and 1
     */
    record Columns(
            String label,
            @Nullable String prediction,
            @Nullable String score,
            @Nullable Double threshold,
            List<String> groups,
            @Nullable String weight,
            List<String> classes) {}

    private final Path file;
    private final Columns columns;
    private final Map<String, Integer> classes;
    private final GroupConfusion confusion;
    private final @Nullable GroupScores scores;
    private final Map<String, Integer> groupCodes = new HashMap<>();
    private final int labelAt;
    private final int predictionAt;
    private final int scoreAt;
    private final int weightAt;
    private final int[] groupsAt;
    private final int width;
    private long rows;

    private PredictionsCsv(Path file, Columns columns, CsvRecord header) {
        this.file = file;
        this.columns = columns;
        this.width = header.getFieldCount();
        this.labelAt = position(header, columns.label);
        this.predictionAt = position(header, columns.prediction);
        this.scoreAt = position(header, columns.score);
        this.weightAt = position(header, columns.weight);
        this.groupsAt = columns.groups.stream().mapToInt(c -> position(header, c)).toArray();
        this.classes = classCodes(columns.classes);
        this.confusion =
                columns.classes.isEmpty()
                        ? GroupConfusion.binary(List.of())
                        : GroupConfusion.of(columns.classes, List.of());
        this.scores = scoreAt < 0 ? null : GroupScores.binned(List.of(), SCORE_BINS);
    }

    private static Map<String, Integer> classCodes(List<String> names) {
        if (names.isEmpty()) {
            return ImmutableMap.of(
                    "0", 0, "1", 1, "0.0", 0, "1.0", 1, "false", 0, "true", 1, "False", 0, "True",
                    1);
        }
        ImmutableMap.Builder<String, Integer> codes = ImmutableMap.builder();
        for (int i = 0; i < names.size(); i++) {
            codes.put(names.get(i), i);
        }
        return codes.buildKeepingLast();
    }

    /**
     * Reads a file.
     *
     * @throws IOException if it cannot be read
     * @throws IllegalArgumentException if it does not hold what was asked for
     */
    static PredictionsCsv read(Path file, char separator, Columns columns) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IllegalArgumentException(
                    file
                            + (Files.exists(file) ? " is no file" : " does not exist")
                            + ", expected a CSV file");
        }
        try (CountingInputStream raw = new CountingInputStream(Files.newInputStream(file));
                InputStream in = unpacked(file, raw);
                CsvReader<CsvRecord> reader =
                        CsvReader.builder()
                                .fieldSeparator(separator)
                                .skipEmptyLines(true)
                                .allowExtraFields(true)
                                .allowMissingFields(true)
                                .detectBomHeader(true)
                                .ofCsvRecord(in, StandardCharsets.UTF_8);
                CloseableIterator<CsvRecord> records = reader.iterator();
                ProgressBar progress =
                        new ProgressBarBuilder()
                                .setTaskName("reading")
                                .setInitialMax(Files.size(file))
                                .setUnit(" MiB", 1 << 20)
                                .setUpdateIntervalMillis(500)
                                .build()) {
            return count(file, columns, records, raw, progress);
        } catch (CsvParseException e) {
            throw new IllegalArgumentException(
                    file + " is no valid CSV: " + firstCause(e).getMessage(), e);
        }
    }

    private static Throwable firstCause(Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    private static InputStream unpacked(Path file, InputStream raw) throws IOException {
        return file.toString().endsWith(".gz")
                ? new GZIPInputStream(raw, BUFFER)
                : new BufferedInputStream(raw, BUFFER);
    }

    private static PredictionsCsv count(
            Path file,
            Columns columns,
            CloseableIterator<CsvRecord> records,
            CountingInputStream raw,
            ProgressBar progress) {
        if (!records.hasNext()) {
            throw new IllegalArgumentException(
                    file + " is empty, expected a header and at least one row");
        }
        PredictionsCsv csv = new PredictionsCsv(file, columns, records.next());
        while (records.hasNext()) {
            csv.add(records.next());
            if (csv.rows % ROWS_BETWEEN_UPDATES == 0) {
                progress.stepTo(raw.getCount());
            }
        }
        progress.stepTo(raw.getCount());
        if (csv.rows == 0) {
            throw new IllegalArgumentException(
                    file + " has a header only, expected at least one row");
        }
        return csv;
    }

    private int position(CsvRecord header, @Nullable String column) {
        if (column == null) {
            return -1;
        }
        List<String> names = header.getFields();
        int index = names.indexOf(column);
        if (index < 0) {
            throw new IllegalArgumentException(
                    file + " has no column " + column + ", expected one of " + names);
        }
        if (new HashSet<>(names).size() < names.size() && names.lastIndexOf(column) != index) {
            throw new IllegalArgumentException(
                    file + " has two columns " + column + ", expected one");
        }
        return index;
    }

    private void add(CsvRecord row) {
        if (row.getFieldCount() != width) {
            throw bad(
                    row,
                    "found "
                            + row.getFieldCount()
                            + " fields, expected "
                            + width
                            + " as in the header");
        }
        int label = classOf(row, "label", labelAt);
        double score = scoreAt < 0 ? 0 : number(row, "score", scoreAt);
        if (!(score >= 0 && score <= 1)) {
            throw bad(row, "score is " + score + ", expected a number from 0 to 1");
        }
        int prediction =
                predictionAt >= 0
                        ? classOf(row, "prediction", predictionAt)
                        : columns.threshold != null && score >= columns.threshold ? 1 : 0;
        int group = groupOf(row);
        if (weightAt < 0) {
            confusion.add(label, prediction, group);
            if (scores != null) {
                scores.add(label, score, group);
            }
        } else {
            double weight = number(row, "weight", weightAt);
            if (!(weight >= 0) || Double.isInfinite(weight)) {
                throw bad(row, "weight is " + weight + ", expected a finite number of 0 or more");
            }
            confusion.add(label, prediction, group, weight);
            if (scores != null) {
                scores.add(label, score, group, weight);
            }
        }
        rows++;
    }

    private int classOf(CsvRecord row, String what, int position) {
        String value = row.getField(position);
        Integer code = classes.get(value);
        if (code == null) {
            String expected = columns.classes.isEmpty() ? "0 or 1" : "one of " + columns.classes;
            throw bad(row, what + " is " + quoted(value) + ", expected " + expected);
        }
        return code;
    }

    private double number(CsvRecord row, String what, int position) {
        String value = row.getField(position);
        try {
            return Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw bad(row, what + " is " + quoted(value) + ", expected a number");
        }
    }

    private static String quoted(String value) {
        return value.isEmpty() ? "empty" : value;
    }

    private int groupOf(CsvRecord row) {
        String key = row.getField(groupsAt[0]);
        for (int i = 1; i < groupsAt.length; i++) {
            key = key + '\u0000' + row.getField(groupsAt[i]);
        }
        Integer known = groupCodes.get(key);
        if (known != null) {
            return known;
        }
        if (groupCodes.size() == MOST_GROUPS) {
            throw bad(
                    row,
                    "found more than "
                            + MOST_GROUPS
                            + " groups in "
                            + columns.groups
                            + ", expected columns with few different values");
        }
        ImmutableMap.Builder<String, String> attributes = ImmutableMap.builder();
        for (int i = 0; i < groupsAt.length; i++) {
            String value = row.getField(groupsAt[i]);
            attributes.put(columns.groups.get(i), value.isEmpty() ? "(empty)" : value);
        }
        Group group = Group.of(attributes.buildKeepingLast());
        int code = confusion.codeOf(group);
        if (scores != null) {
            scores.codeOf(group);
        }
        groupCodes.put(key, code);
        return code;
    }

    private IllegalArgumentException bad(CsvRecord row, String what) {
        return new IllegalArgumentException(
                file + ", line " + row.getStartingLineNumber() + ": " + what);
    }

    /**
     * The labels and predictions.
     *
     * @throws IllegalArgumentException if all weights are zero
     */
    ConfusionSnapshot confusion() {
        try {
            return confusion.snapshot();
        } catch (IllegalStateException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /** The scores, where a column of them was read. */
    Optional<ScoreSnapshot> scores() {
        return Optional.ofNullable(scores).map(GroupScores::snapshot);
    }
}
