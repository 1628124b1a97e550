package io.fairlora.metrics.report;

import com.google.common.escape.Escaper;
import com.google.common.escape.Escapers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A report as Markdown with tables of the GitHub flavour, for a model card or a pull request. */
public final class MarkdownRenderer {
    /** Characters that would end a cell, or begin markup or HTML, in names that come from data. */
    private static final Escaper ESCAPER =
            Escapers.builder()
                    .addEscape('|', "\\|")
                    .addEscape('\\', "\\\\")
                    .addEscape('*', "\\*")
                    .addEscape('_', "\\_")
                    .addEscape('`', "\\`")
                    .addEscape('[', "\\[")
                    .addEscape('#', "\\#")
                    .addEscape('<', "&lt;")
                    .addEscape('&', "&amp;")
                    .addEscape('\n', " ")
                    .addEscape('\r', " ")
                    .build();

    private MarkdownRenderer() {}

    /**
     * Renders a report.
     *
     * @param report the report
     * @return lines that end in a newline
     */
    public static String render(FairnessReport report) {
        StringBuilder text = new StringBuilder();
        text.append("# Fairness report: ");
        text.append(ESCAPER.escape(report.provenance().subject())).append("\n\n");
        text.append(ESCAPER.escape(ReportTables.origin(report))).append("\n\n");
        text.append("## Groups\n\n");
        appendTable(text, ReportTables.groups(report));
        text.append("\n## Fairness\n\n");
        appendTable(text, ReportTables.metrics("metric", report.metrics()));
        if (!report.extras().isEmpty()) {
            text.append("\n## Further figures\n\n");
            appendTable(text, ReportTables.metrics("figure", report.extras()));
        }
        if (!ReportTables.notes(report).isEmpty()) {
            text.append("\n## Notes\n\n");
            ReportTables.notes(report)
                    .forEach(n -> text.append("- ").append(ESCAPER.escape(n)).append('\n'));
        }
        return text.toString();
    }

    private static void appendTable(StringBuilder text, List<List<String>> rows) {
        int columns = rows.get(0).size();
        for (int r = 0; r < rows.size(); r++) {
            List<String> cells = new ArrayList<>();
            rows.get(r).forEach(cell -> cells.add(ESCAPER.escape(cell)));
            cells.addAll(Collections.nCopies(columns - cells.size(), ""));
            text.append("| ").append(String.join(" | ", cells)).append(" |\n");
            if (r == 0) {
                text.append("|").append(" --- |".repeat(columns)).append('\n');
            }
        }
    }
}
