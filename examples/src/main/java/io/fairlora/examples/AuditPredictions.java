package io.fairlora.examples;

import com.google.common.base.Splitter;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.fairness.Comparison;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.report.FairnessAudit;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.JsonFormat;
import io.fairlora.report.HtmlReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Audits the predictions of any model from a CSV file of any size, in memory that does not grow
 * with it.
 *
 * <pre>
 * AuditPredictions decisions.csv --label hired --score score --threshold 0.5 --group sex,race \
 *     --json audit.json --html audit.html
 * </pre>
 */
@Command(
        name = "AuditPredictions",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Audits a CSV of predictions for fairness between groups.")
public final class AuditPredictions {
    @Parameters(paramLabel = "FILE.csv", description = "Predictions, one row each, with a header.")
    private Path file = Path.of("");

    @Option(
            names = "--label",
            required = true,
            paramLabel = "COL",
            description = "Column of the true class: 0 or 1, or one of --classes.")
    private String label = "";

    @Option(
            names = "--prediction",
            paramLabel = "COL",
            description = "Column of the predicted class.")
    private @Nullable String prediction;

    @Option(
            names = "--score",
            paramLabel = "COL",
            description = "Column of the probability of class 1, from 0 to 1.")
    private @Nullable String score;

    @Option(
            names = "--threshold",
            paramLabel = "T",
            description = "Predict class 1 for scores from here up; needed without --prediction.")
    private @Nullable Double threshold;

    @Option(
            names = "--group",
            required = true,
            split = ",",
            paramLabel = "COL",
            description = "Columns of the sensitive attributes; several make intersections.")
    private List<String> groups = List.of();

    @Option(names = "--weight", paramLabel = "COL", description = "Column of example weights.")
    private @Nullable String weight;

    @Option(
            names = "--classes",
            split = ",",
            paramLabel = "NAME",
            description = "Names of the classes; of two, the second is positive. Default: 0,1.")
    private List<String> classes = List.of();

    @Option(
            names = "--reference",
            paramLabel = "VALUE",
            description = "Compare to this group (one value for each --group column, with commas).")
    private @Nullable String reference;

    @Option(
            names = "--min-group",
            paramLabel = "N",
            description = "Suppress groups with fewer examples. Default: ${DEFAULT-VALUE}.")
    private int minimumGroupSize = 30;

    @Option(
            names = "--separator",
            paramLabel = "CHAR",
            description = "Between fields. Default: a comma.")
    private char separator = ',';

    @Option(names = "--json", paramLabel = "OUT.json", description = "Write the report here.")
    private @Nullable Path json;

    @Option(names = "--html", paramLabel = "OUT.html", description = "Write a page here.")
    private @Nullable Path html;

    private AuditPredictions() {}

    /**
     * Runs the audit and prints the report.
     *
     * @param args as {@code --help} says
     */
    public static void main(String[] args) {
        try {
            runExample(args).ifPresent(System.out::print);
        } catch (CommandLine.ParameterException e) {
            System.err.println(e.getMessage());
            e.getCommandLine().usage(System.err);
            System.exit(2);
        } catch (IllegalArgumentException | IOException e) {
            System.err.println(e.getMessage());
            System.exit(2);
        }
    }

    /**
     * Runs the audit.
     *
     * @param args as {@code --help} says
     * @return the report; empty if only help was asked for
     * @throws IOException if a file cannot be read or written
     * @throws IllegalArgumentException if the file does not hold what was asked for; the message
     *     names file, line, what was found and what was expected
     */
    public static Optional<FairnessReport> runExample(String... args) throws IOException {
        AuditPredictions audit = new AuditPredictions();
        CommandLine commandLine = new CommandLine(audit);
        CommandLine.ParseResult parsed = commandLine.parseArgs(args);
        if (CommandLine.printHelpIfRequested(parsed)) {
            return Optional.empty();
        }
        if (audit.prediction == null && (audit.score == null || audit.threshold == null)) {
            throw new CommandLine.ParameterException(
                    commandLine,
                    "Missing predictions, expected --prediction COL or --score COL --threshold T");
        }
        if (audit.score != null && audit.classes.size() > 2) {
            throw new CommandLine.ParameterException(
                    commandLine,
                    "Found --score with "
                            + audit.classes.size()
                            + " classes, expected --prediction for more than two");
        }
        return Optional.of(audit.run());
    }

    private FairnessReport run() throws IOException {
        OutputFile.check("--json", json);
        OutputFile.check("--html", html);
        PredictionsCsv.Columns columns =
                new PredictionsCsv.Columns(
                        label, prediction, score, threshold, groups, weight, classes);
        PredictionsCsv csv = PredictionsCsv.read(file, separator, columns);
        ConfusionSnapshot snapshot = csv.confusion();
        FairnessOptions options = FairnessOptions.DEFAULT.withMinimumGroupSize(minimumGroupSize);
        if (reference != null) {
            options =
                    options.withComparison(
                            Comparison.toReference(referenceGroup(reference, snapshot)));
        }
        FairnessAudit audit = FairnessAudit.of(snapshot).subject(file.toString()).options(options);
        csv.scores().ifPresent(audit::scores);
        FairnessReport report = audit.report();
        if (json != null) {
            OutputFile.write(json, JsonFormat.write(report) + "\n");
        }
        if (html != null) {
            HtmlReport.write(html, report, List.of());
        }
        return report;
    }

    private Group referenceGroup(String values, ConfusionSnapshot snapshot) {
        List<String> parts = Splitter.on(',').trimResults().splitToList(values);
        Map<String, String> attributes = new LinkedHashMap<>();
        for (int i = 0; i < groups.size() && i < parts.size(); i++) {
            attributes.put(groups.get(i), parts.get(i));
        }
        Group group = Group.of(attributes);
        if (parts.size() != groups.size() || !snapshot.groups().contains(group)) {
            throw new IllegalArgumentException(
                    file
                            + " has no group "
                            + values
                            + " for --reference, expected one of "
                            + snapshot.groups().stream().map(Group::label).toList());
        }
        return group;
    }
}
