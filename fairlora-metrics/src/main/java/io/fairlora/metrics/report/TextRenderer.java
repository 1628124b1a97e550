package io.fairlora.metrics.report;

import com.google.common.base.Strings;
import java.util.ArrayList;
import java.util.List;

/** A report as aligned tables of plain text, for a terminal. */
public final class TextRenderer {

    private TextRenderer() {}

    /**
     * Renders a report.
     *
     * @param report the report
     * @return lines that end in a newline
     */
    public static String render(FairnessReport report) {
        StringBuilder text = new StringBuilder();
        text.append("Fairness report: ").append(report.provenance().subject()).append('\n');
        text.append(ReportTables.origin(report)).append("\n\n");
        appendTable(text, ReportTables.groups(report));
        text.append('\n');
        appendTable(text, ReportTables.metrics("metric", report.metrics()));
        if (!report.extras().isEmpty()) {
            text.append('\n');
            appendTable(text, ReportTables.metrics("further figure", report.extras()));
        }
        text.append('\n');
        ReportTables.notes(report).forEach(note -> text.append("note: ").append(note).append('\n'));
        return text.toString().stripTrailing() + "\n";
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
