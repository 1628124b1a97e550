package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.report.FairnessReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class AuditPredictionsTest {
    private static final String LABELS = "011110101000111111";
    private static final String PREDICTIONS = "001011100111100110";
    private static final String GROUPS = "bbabbcccaacabccbcc";
    private static final String WEIGHTS = "121323121231232311";

    @TempDir Path folder;

    private Path file(String... lines) throws IOException {
        Path file = folder.resolve("in.csv");
        Files.write(file, List.of(lines));
        return file;
    }

    private Path handVectors() throws IOException {
        List<String> lines = new ArrayList<>(List.of("id,y,p,score,g,w"));
        for (int i = 0; i < LABELS.length(); i++) {
            char p = PREDICTIONS.charAt(i);
            lines.add(
                    i
                            + ","
                            + LABELS.charAt(i)
                            + ","
                            + p
                            + ","
                            + (p == '1' ? "0.75" : "0.25")
                            + ",\""
                            + GROUPS.charAt(i)
                            + "\","
                            + WEIGHTS.charAt(i));
        }
        return file(lines.toArray(String[]::new));
    }

    private static FairnessReport run(Path file, String... more) throws IOException {
        List<String> args = new ArrayList<>(List.of(file.toString(), "--label", "y"));
        Collections.addAll(args, more);
        return AuditPredictions.runExample(args.toArray(String[]::new)).orElseThrow();
    }

    private void refuses(Path file, String message, String... more) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> run(file, more))
                .withMessage(message.replace("FILE", file.toString()));
    }

    @Test
    void handVectorsGiveTheirFigures() throws IOException {
        FairnessReport report =
                run(handVectors(), "--prediction", "p", "--group", "g", "--min-group", "1");
        assertThat(report.count()).isEqualTo(18);
        assertThat(report.metric("demographic_parity_difference").value()).isEqualTo(0.25);
        assertThat(report.metric("equalized_odds_difference_mean").value())
                .isCloseTo(0.6, within(1e-6));
        FairnessReport weighted =
                run(
                        handVectors(),
                        "--score",
                        "score",
                        "--threshold",
                        "0.5",
                        "--group",
                        "g",
                        "--weight",
                        "w",
                        "--min-group",
                        "1");
        assertThat(weighted.metric("demographic_parity_ratio").value())
                .isCloseTo(0.625, within(1e-6));
        assertThat(weighted.metric("equal_opportunity_difference").value())
                .isCloseTo(0.333333, within(1e-6));
        assertThat(weighted.overall()).containsKey("roc_auc");
    }

    @Test
    void writesJsonAndPage() throws IOException {
        Path json = folder.resolve("out.json");
        Path html = folder.resolve("out.html");
        run(
                handVectors(),
                "--prediction",
                "p",
                "--score",
                "score",
                "--group",
                "g",
                "--min-group",
                "1",
                "--reference",
                "b",
                "--json",
                json.toString(),
                "--html",
                html.toString());
        JsonNode root = new ObjectMapper().readTree(json.toFile());
        assertThat(root.at("/by_group/1/group/g").asText()).isEqualTo("b");
        assertThat(root.at("/by_group/1/count").asInt()).isEqualTo(5 + 1);
        JsonNode metric = root.at("/metrics/equal_opportunity_difference");
        // c has .4 and b, the reference, .6.
        assertThat(metric.get("value").asDouble()).isCloseTo(-0.2, within(1e-6));
        assertThat(metric.at("/groups/0/g").asText()).isEqualTo("c");
        assertThat(metric.at("/groups/1/g").asText()).isEqualTo("b");
        assertThat(html).content().contains("<svg");
        try (var files = Files.list(folder)) {
            assertThat(files).hasSize(3);
        }
    }

    @Test
    void severalAttributesMakeIntersections() throws IOException {
        Path file =
                file(
                        "y;p;sex;race",
                        "yes;no;F;Black",
                        "no;no;F;",
                        "yes;yes;M;White",
                        "no;yes;M;Black");
        FairnessReport report =
                run(
                        file,
                        "--prediction",
                        "p",
                        "--group",
                        "sex,race",
                        "--classes",
                        "no,yes",
                        "--separator",
                        ";");
        assertThat(report.byGroup())
                .extracting(g -> g.group())
                .containsExactly(
                        Group.of("sex", "F", "race", "(empty)"),
                        Group.of("sex", "F", "race", "Black"),
                        Group.of("sex", "M", "race", "Black"),
                        Group.of("sex", "M", "race", "White"));
        assertThat(report.byGroup()).allMatch(g -> g.suppressed());
    }

    @Test
    void badInputGetsOneSentence() throws IOException {
        String[] columns = {"--prediction", "p", "--group", "g"};
        refuses(file(), "FILE is empty, expected a header and at least one row", columns);
        refuses(file("y,p,g"), "FILE has a header only, expected at least one row", columns);
        refuses(file("y,q,g", "1,1,a"), "FILE has no column p, expected one of [y, q, g]", columns);
        refuses(
                file("y,p,g", "1,1,a", "1,1"),
                "FILE, line 3: found 2 fields, expected 3 as in the header",
                columns);
        refuses(
                file("y,p,g", "1,1,a", "", "2,1,a"),
                "FILE, line 4: label is 2, expected 0 or 1",
                columns);
        refuses(
                file("y,p,g", "1,,a"),
                "FILE, line 2: prediction is empty, expected 0 or 1",
                columns);
        String[] scored = {"--score", "s", "--threshold", "0.5", "--group", "g", "--weight", "w"};
        refuses(
                file("y,s,g,w", "1,NaN,a,1"),
                "FILE, line 2: score is NaN, expected a number from 0 to 1",
                scored);
        refuses(file("y,s,g,w", "1,x,a,1"), "FILE, line 2: score is x, expected a number", scored);
        refuses(
                file("y,s,g,w", "1,0.5,a,-1"),
                "FILE, line 2: weight is -1.0, expected a finite number of 0 or more",
                scored);
        refuses(
                file("y,s,g,w", "1,0.5,a,0"),
                "FILE: all weights are zero, expected at least one above zero",
                scored);
        refuses(
                file("y,p,g", "1,1,a", "1,1,b"),
                "FILE has no group c for --reference, expected one of [a, b]",
                "--prediction",
                "p",
                "--group",
                "g",
                "--reference",
                "c");
        refuses(folder.resolve("missing.csv"), "FILE does not exist, expected a CSV file", columns);
        List<String> many = new ArrayList<>(List.of("y,p,g"));
        for (int i = 0; i <= 1000; i++) {
            many.add("1,1," + i);
        }
        refuses(
                file(many.toArray(String[]::new)),
                "FILE, line 1002: found more than 1000 groups in [g], expected columns with few"
                        + " different values",
                columns);
    }

    @Test
    void missingOptionsAreNamed() throws IOException {
        Path file = handVectors();
        assertThatExceptionOfType(CommandLine.ParameterException.class)
                .isThrownBy(() -> run(file, "--group", "g", "--score", "score"))
                .withMessage(
                        "Missing predictions, expected --prediction COL or --score COL --threshold"
                                + " T");
    }
}
