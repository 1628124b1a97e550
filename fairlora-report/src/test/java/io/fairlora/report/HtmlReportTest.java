package io.fairlora.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.report.FairnessReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HtmlReportTest {
    private static final FairnessReport REPORT =
            Samples.report("smiles & <b>more</b>", 0.4, Samples.groups());

    @Test
    void textFromDataIsEscaped() {
        String page = HtmlReport.render(REPORT);
        assertThat(page)
                .contains("<title>Fairness report: smiles &amp; &lt;b&gt;more&lt;/b&gt;</title>")
                .contains("race=&lt;script&gt;alert(1)&lt;/script&gt;")
                .doesNotContain("<script", "<b>more");
    }

    @Test
    void nothingIsFetched() {
        String page = HtmlReport.render(REPORT).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assertThat(page).doesNotContain("http:", "https:", "src=", "@import", "DOCTYPE svg");
        assertThat(page).startsWith("<!DOCTYPE html>");
    }

    @Test
    void everyChartIsThere() {
        FairnessReport other = Samples.report("other", 0.1, Samples.groups());
        List<InlineChart> charts = Charts.of(REPORT, List.of(other));
        assertThat(charts)
                .extracting(InlineChart::title)
                .containsExactly(
                        "Selection rate by group",
                        "True positive rate by group",
                        "False positive rate by group",
                        "Accuracy by group",
                        "Differences between groups",
                        "Ratios between groups",
                        "ROC by group",
                        "Calibration by group",
                        "Accuracy and fairness of the models");
        assertThat(Charts.of(REPORT, List.of())).hasSize(8);
    }

    @Test
    void idsAreUniqueOnThePage() {
        List<String> ids =
                Pattern.compile("\\bid=\"([^\"]+)\"")
                        .matcher(HtmlReport.render(REPORT))
                        .results()
                        .map(r -> r.group(1))
                        .toList();
        assertThat(ids).isNotEmpty().doesNotHaveDuplicates();
    }

    @Test
    void anAuditOfNobodyRenders() {
        FairnessReport empty =
                FairnessReport.of(GroupConfusion.binary(Group.values("g", "a", "b")).snapshot());
        assertThat(HtmlReport.render(empty)).contains("suppressed", "undefined");
    }

    @Test
    void writesWholeFilesOnly(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("report.html");
        HtmlReport.write(file, REPORT, List.of());
        assertThat(file).content().startsWith("<!DOCTYPE html>").endsWith("</html>\n");
        Path missing = folder.resolve("nowhere/report.html");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> HtmlReport.write(missing, REPORT, List.of()));
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(file);
        }
    }
}
