package io.fairlora.metrics.report;

import com.google.common.base.Strings;
import io.fairlora.metrics.interval.Interval;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** A report as aligned tables of plain text, for a terminal. */
public final class TextRenderer {
    private static final List<String> COLUMNS =
            List.of(
                    "base_rate",
                    "selection_rate",
                    "true_positive_rate",
                    "false_positive_rate",
                    "accuracy",
                    "balanced_accuracy");

    private TextRenderer() {}

    /**
     * Renders a report.
     *
     * @param report the report
     * @return lines that end in a newline
     */
    public static String render(FairnessReport report) {
        StringBuilder text = new StringBuilder();
        Provenance provenance = report.provenance();
        text.append("Fairness report: ").append(provenance.subject()).append('\n');
        text.append(String.format(Locale.ROOT, "%,d examples, ", report.count()));
        text.append(report.byGroup().size()).append(" groups; ");
        text.append(provenance.created()).append(", FairLoRA ");
        text.append(provenance.libraryVersion()).append("\n\n");

        List<List<String>> rows = new ArrayList<>();
        List<String> header = new ArrayList<>(List.of("group", "count"));
        header.addAll(COLUMNS);
        rows.add(header);
        rows.add(row("overall", report.count(), report.overall()));
        for (GroupFigures group : report.byGroup()) {
            rows.add(
                    group.suppressed()
                            ? List.of(
                                    group.group().toString(),
                                    String.format(Locale.ROOT, "%,d", group.count()),
                                    "suppressed")
                            : row(group.group().toString(), group.count(), group.figures()));
        }
        appendTable(text, rows);
        text.append('\n');
        appendMetrics(text, "metric", report.metrics());
        if (!report.extras().isEmpty()) {
            text.append('\n');
            appendMetrics(text, "further figure", report.extras());
        }
        if (!report.notes().isEmpty()) {
            text.append('\n');
            report.notes().forEach(note -> text.append("note: ").append(note).append('\n'));
        }
        return text.toString();
    }

    private static List<String> row(String name, long count, Map<String, Estimate> figures) {
        List<String> row = new ArrayList<>();
        row.add(name);
        row.add(String.format(Locale.ROOT, "%,d", count));
        for (String column : COLUMNS) {
            Estimate estimate = figures.get(column);
            row.add(estimate == null ? "" : number(estimate) + range(estimate));
        }
        return row;
    }

    private static void appendMetrics(
            StringBuilder text, String title, Map<String, Estimate> metrics) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of(title, "value", "interval", "groups"));
        metrics.forEach(
                (name, estimate) ->
                        rows.add(
                                List.of(
                                        name,
                                        number(estimate),
                                        range(estimate).strip(),
                                        estimate.figure().isDefined()
                                                ? estimate.groups().stream()
                                                        .map(Object::toString)
                                                        .collect(Collectors.joining(" / "))
                                                : estimate.figure().reason().orElse(""))));
        appendTable(text, rows);
    }

    private static String number(Estimate estimate) {
        return estimate.figure().isDefined()
                ? String.format(Locale.ROOT, "%.4f", estimate.figure().value())
                : "undefined";
    }

    private static String range(Estimate estimate) {
        return estimate.interval().map(TextRenderer::range).orElse("");
    }

    private static String range(Interval interval) {
        return String.format(Locale.ROOT, " [%.4f, %.4f]", interval.low(), interval.high());
    }

    private static void appendTable(StringBuilder text, List<List<String>> rows) {
        List<Integer> widths = new ArrayList<>();
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                int width = row.get(i).length();
                if (i == widths.size()) {
                    widths.add(width);
                } else {
                    widths.set(i, Math.max(widths.get(i), width));
                }
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.size(); i++) {
                line.append(Strings.padEnd(row.get(i), widths.get(i) + 2, ' '));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
    }
}
