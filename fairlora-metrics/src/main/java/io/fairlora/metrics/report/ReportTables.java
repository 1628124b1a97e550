package io.fairlora.metrics.report;

import io.fairlora.metrics.Group;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** A report's figures as rows of text, to which renderers give their form. */
public final class ReportTables {
    private static final List<String> COLUMNS =
            List.of(
                    "base_rate",
                    "selection_rate",
                    "true_positive_rate",
                    "false_positive_rate",
                    "precision",
                    "accuracy",
                    "balanced_accuracy",
                    "roc_auc",
                    "expected_calibration_error");

    private ReportTables() {}

    /**
     * The figures of everybody and of each group.
     *
     * @param report a report
     * @return a heading, a row for everybody, a row for each group; that of a suppressed group is
     *     shorter
     */
    public static List<List<String>> groups(FairnessReport report) {
        List<String> columns = COLUMNS.stream().filter(report.overall()::containsKey).toList();
        List<List<String>> rows = new ArrayList<>();
        List<String> header = new ArrayList<>(List.of("group", "count"));
        header.addAll(columns);
        rows.add(header);
        rows.add(row("overall", report.count(), report.overall(), columns));
        for (GroupFigures group : report.byGroup()) {
            rows.add(
                    group.suppressed()
                            ? List.of(group.group().toString(), count(group.count()), "suppressed")
                            : row(
                                    group.group().toString(),
                                    group.count(),
                                    group.figures(),
                                    columns));
        }
        return rows;
    }

    private static List<String> row(
            String name, long count, Map<String, Estimate> figures, List<String> columns) {
        List<String> row = new ArrayList<>(List.of(name, count(count)));
        for (String column : columns) {
            Estimate estimate = figures.get(column);
            row.add(
                    estimate == null
                            ? ""
                            : (value(estimate, 3) + " " + interval(estimate, 3)).strip());
        }
        return row;
    }

    /**
     * Figures with their intervals, tests and groups.
     *
     * @param title heading of the first column
     * @param metrics estimates by name
     * @return a heading and a row for each estimate
     */
    public static List<List<String>> metrics(String title, Map<String, Estimate> metrics) {
        List<List<String>> rows = new ArrayList<>();
        boolean tested = metrics.values().stream().anyMatch(e -> e.significance().isPresent());
        rows.add(
                tested
                        ? List.of(title, "value", "interval", "p", "if fair", "groups")
                        : List.of(title, "value", "interval", "groups"));
        metrics.forEach(
                (name, estimate) -> {
                    List<String> row =
                            new ArrayList<>(
                                    List.of(name, value(estimate, 4), interval(estimate, 4)));
                    if (tested) {
                        row.add(estimate.significance().map(s -> p(s.pValue())).orElse(""));
                        row.add(
                                estimate.significance()
                                        .map(s -> number(s.expectedIfFair(), 4))
                                        .orElse(""));
                    }
                    row.add(
                            estimate.figure()
                                    .reason()
                                    .orElseGet(
                                            () ->
                                                    estimate.groups().stream()
                                                            .map(Group::toString)
                                                            .collect(Collectors.joining(" / "))));
                    rows.add(row);
                });
        return rows;
    }

    /**
     * All notes of a report, each once: its own, then those of its figures.
     *
     * @param report a report
     * @return the notes in order
     */
    public static Set<String> notes(FairnessReport report) {
        Set<String> notes = new LinkedHashSet<>(report.notes());
        report.metrics().values().forEach(e -> notes.addAll(e.notes()));
        return notes;
    }

    private static String count(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }

    private static String number(double value, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }

    private static String p(double value) {
        return value < 0.001 ? "<0.001" : String.format(Locale.ROOT, "%.3f", value);
    }

    private static String value(Estimate estimate, int digits) {
        return estimate.figure().isDefined()
                ? number(estimate.figure().value(), digits)
                : "undefined";
    }

    private static String interval(Estimate estimate, int digits) {
        return estimate.interval()
                .map(i -> "[" + number(i.low(), digits) + ", " + number(i.high(), digits) + "]")
                .orElse("");
    }

    /**
     * Where a report comes from.
     *
     * @param report a report
     * @return one line: size, time, version, settings
     */
    public static String origin(FairnessReport report) {
        Provenance provenance = report.provenance();
        String settings =
                provenance.settings().entrySet().stream()
                        .map(e -> e.getKey() + " " + e.getValue())
                        .collect(Collectors.joining(", "));
        return count(report.count())
                + " examples, "
                + report.byGroup().size()
                + " groups; "
                + provenance.created()
                + ", FairLoRA "
                + provenance.libraryVersion()
                + "; "
                + settings;
    }
}
