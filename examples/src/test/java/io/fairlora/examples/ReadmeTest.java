package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** The README says which examples there are and what they take. */
class ReadmeTest {

    private static final Path README =
            Path.of("").toAbsolutePath().getParent().resolve("README.md");

    @Test
    void quickStartTakesTheOptionsListed() throws IOException {
        List<String> taken =
                new CommandLine(new QuickStart())
                        .getCommandSpec().options().stream()
                                .filter(option -> !option.usageHelp() && !option.versionHelp())
                                .map(CommandLine.Model.OptionSpec::longestName)
                                .toList();

        assertThat(firstCells("(--[a-z-]+)[^`]*")).containsExactlyInAnyOrderElementsOf(taken);
    }

    @Test
    void examplesListedCanBeRun() throws IOException {
        assertThat(firstCells("([A-Z][a-z]+[A-Z]\\w+)"))
                .contains("QuickStart")
                .allSatisfy(
                        name ->
                                assertThat(
                                                Class.forName("io.fairlora.examples." + name)
                                                        .getMethod("main", String[].class))
                                        .isNotNull());
    }

    /** What stands in code at the beginning of the rows of tables. */
    private static List<String> firstCells(String pattern) throws IOException {
        return Pattern.compile("(?m)^\\| `" + pattern + "` \\|")
                .matcher(Files.readString(README))
                .results()
                .map(row -> row.group(1))
                .toList();
    }
}
