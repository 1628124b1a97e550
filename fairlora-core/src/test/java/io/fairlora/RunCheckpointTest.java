package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.lora.LayerKind;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TrainedBias;
import io.fairlora.ndarray.HostTensor;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunCheckpointTest {

    @TempDir private Path folder;

    private static LoraAdapter.Factors factors(LayerKind kind) {
        return new LoraAdapter.Factors(
                HostTensor.of(new float[] {1, 2, 3, 4}, 1, 4),
                HostTensor.of(new float[] {5, 6, 7}, 3, 1),
                -0.5,
                null,
                HostTensor.of(new float[] {1, 2, 3}, 3),
                kind);
    }

    /** What is kept comes back with the kinds of its layers. */
    @Test
    void aStateIsReadAsItWasWritten() {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(1)
                        .dora(true)
                        .bias(TrainedBias.ALL)
                        .targetRegex(".*")
                        .build();
        LoraAdapter kept =
                new LoraAdapter(
                        config,
                        Map.of(
                                "a.query", factors(LayerKind.LINEAR),
                                "a.patches", factors(LayerKind.convolution(1, 2, 2)),
                                "a.positions", factors(LayerKind.EMBEDDING)),
                        Map.of("a.norm.bias", HostTensor.of(new float[] {8}, 1)),
                        Map.of(),
                        Map.of());
        RunCheckpoint state =
                new RunCheckpoint(
                        7,
                        2,
                        Map.of("moments", HostTensor.of(new float[] {9}, 1)),
                        Map.of("sensitive", kept));
        Path file = folder.resolve("run.safetensors");
        state.write(file, Map.of("seed", "3"));
        assertThat(RunCheckpoint.read(file, Map.of("seed", "3"), config)).isEqualTo(state);
    }
}
