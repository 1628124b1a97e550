package io.fairlora.report;

import gg.jte.ContentType;
import gg.jte.TemplateEngine;
import gg.jte.output.StringOutput;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.ReportTables;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;

/**
 * A report as one self-contained HTML page: it needs no network and no script, reads on a phone and
 * on paper, and shows its charts as inline SVG.
 */
public final class HtmlReport {
    private static final TemplateEngine ENGINE =
            TemplateEngine.createPrecompiled(
                    null,
                    ContentType.Html,
                    HtmlReport.class.getClassLoader(),
                    "io.fairlora.report.template");

    private HtmlReport() {}

    /**
     * Renders a report.
     *
     * @param report the report
     * @return an HTML document
     */
    public static String render(FairnessReport report) {
        return render(report, List.of());
    }

    /**
     * Renders a report next to those of other models, which share a chart of accuracy against
     * fairness.
     *
     * @param report the report
     * @param others reports of other models on the same examples
     * @return an HTML document
     */
    public static String render(FairnessReport report, List<FairnessReport> others) {
        StringOutput output = new StringOutput();
        ENGINE.render(
                "report.jte",
                Map.of(
                        "subject", report.provenance().subject(),
                        "origin", ReportTables.origin(report),
                        "groups", ReportTables.groups(report),
                        "metrics", ReportTables.metrics("metric", report.metrics()),
                        "extras", ReportTables.metrics("figure", report.extras()),
                        "notes", List.copyOf(ReportTables.notes(report)),
                        "charts", Charts.of(report, others)),
                output);
        return output.toString().strip() + "\n";
    }

    /**
     * Writes a report to a file, whole or not at all.
     *
     * @param file where to; an existing file is replaced
     * @param report the report
     * @param others reports of other models on the same examples
     * @throws IOException if the file cannot be written
     */
    public static void write(Path file, FairnessReport report, List<FairnessReport> others)
            throws IOException {
        byte[] bytes = render(report, others).getBytes(StandardCharsets.UTF_8);
        Path target = file.toAbsolutePath();
        Path part = target.resolveSibling(target.getFileName() + ".part");
        try {
            Files.write(part, bytes);
            try (FileChannel channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
                channel.force(true);
            }
            Files.move(part, target, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }
}
