package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.examples.study.Summary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The main job, cut short: one seed, one epoch, three strategies. */
class QuickStartTest {

    @TempDir private Path folder;

    @Test
    void comparesStrategiesAndWritesThemAsJson() throws Exception {
        Path json = folder.resolve("out.json");
        List<Summary> summaries =
                QuickStart.runExample(
                        new String[] {
                            "--seeds", "1",
                            "--epochs", "1",
                            "--strategies", "ERM,ORTH,ERASE",
                            "--json", json.toString()
                        });
        assertThat(summaries)
                .extracting(Summary::strategy)
                .containsExactly("ERM", "ORTH", "ERASE", "ERM+REFIT", "REWEIGH");
        Summary erm = summaries.get(0);
        Summary erase = summaries.get(2);
        assertThat(erm.crossed().rounds()).isZero();
        assertThat(summaries.get(1).crossed().adapters()).isEqualTo(1);
        assertThat(erase.crossed().erasers()).isEqualTo(1);
        assertThat(erm.metric("linear_probe_accuracy").mean()).isGreaterThan(0.9);
        assertThat(erase.metric("linear_probe_accuracy").mean()).isBetween(0.35, 0.65);
        assertThat(erm.metric("demographic_parity_difference").mean())
                .isGreaterThan(erase.metric("demographic_parity_difference").mean());

        JsonNode root = new ObjectMapper().readTree(json.toFile());
        JsonNode orth = root.path("strategies").path(1);
        assertThat(orth.path("name").asText()).isEqualTo("ORTH");
        JsonNode accuracy = orth.path("metrics").path("accuracy");
        assertThat(accuracy.path("mean").isNumber()).isTrue();
        assertThat(accuracy.path("low").isNull()).isTrue(); // one seed has no interval
        assertThat(accuracy.path("vs_erm").path("mean").asDouble())
                .isEqualTo(accuracy.path("mean").asDouble() - erm.metric("accuracy").mean());
        assertThat(root.path("settings").path("correlation").asText()).isEqualTo("0.9");
    }

    @Test
    void theAdapterAndTheAuditorsPartAreTheCallers() throws Exception {
        Path json = folder.resolve("out.json");
        String[] options = {
            "--seeds", "1",
            "--epochs", "1",
            "--strategies", "ERM,DISTILL",
            "--adapted-layers", "1",
            "--auditor-steps", "1",
            "--json", json.toString(),
            "--target-modules"
        };
        long queries = crossed(options, "query");
        assertThat(crossed(options, "query,key,value,dense")).isGreaterThan(6 * queries);
        JsonNode settings = new ObjectMapper().readTree(json.toFile()).path("settings");
        assertThat(settings.path("auditor_steps").asText()).isEqualTo("1");
        assertThatThrownBy(() -> crossed(options, "gate_proj"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("gate_proj");
    }

    private static long crossed(String[] options, String modules) throws Exception {
        String[] all = Arrays.copyOf(options, options.length + 1);
        all[options.length] = modules;
        return QuickStart.runExample(all).get(1).crossed().bytes();
    }

    @Test
    void runsOnRealFaces() throws Exception {
        Path celebA = Path.of(System.getProperty("fairlora.data", "")).resolve("celeba");
        assumeTrue(
                Files.isDirectory(celebA),
                "skipped: there is no CelebA in " + celebA + ", see -Dfairlora.data");
        List<Summary> summaries =
                QuickStart.runExample(
                        new String[] {
                            "--celeba", celebA.toString(),
                            "--correlation", "0.9",
                            "--seeds", "1",
                            "--epochs", "1",
                            "--strategies", "ERM"
                        });
        assertThat(summaries.get(0).metric("linear_probe_accuracy").mean()).isGreaterThan(0.6);
    }

    @Test
    void badInputIsOneSentence() {
        assertThatThrownBy(() -> QuickStart.runExample(new String[] {"--strategies", "MAGIC"}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no strategy MAGIC, expected one of [ERM, UNL");
        assertThatThrownBy(() -> QuickStart.runExample(new String[] {"--task", "beard"}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("synthetic faces have no attribute beard");
        assertThatThrownBy(
                        () -> QuickStart.runExample(new String[] {"--utkface", folder.toString()}))
                .hasMessageContaining(folder.toString());
        assertThatThrownBy(() -> QuickStart.runExample(new String[] {"--image-size", "96"}))
                .hasMessage("--image-size is 96, the backbone takes 64 pixels");
        assertThatThrownBy(() -> QuickStart.runExample(new String[] {"--adapted-layers", "7"}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("--adapted-layers must be in 1..6, found 7");
    }
}
