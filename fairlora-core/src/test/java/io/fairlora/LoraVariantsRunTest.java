package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.google.common.collect.ImmutableMap;
import io.fairlora.lora.Initialization;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TrainedBias;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.Candidate;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Orthogonality;
import io.fairlora.strategy.Strategies;
import io.fairlora.strategy.Unlearning;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Handles;
import io.fairlora.training.LinearHead;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole runs with the variants of LoRA: training, audit, saving, loading, merging, resuming. */
class LoraVariantsRunTest {

    private Runs runs;

    @TempDir private Path directory;

    @BeforeEach
    void setUp() {
        runs = new Runs(2, 2);
    }

    @AfterEach
    void tearDown() {
        runs.close();
    }

    private static Map<String, LoraConfig> configs() {
        Map<String, LoraConfig> configs = new LinkedHashMap<>();
        configs.put("dora", Runs.CONFIG.toBuilder().dora(true).build());
        configs.put("pissa", Runs.CONFIG.toBuilder().initialization(Initialization.PISSA).build());
        configs.put("olora", Runs.CONFIG.toBuilder().initialization(Initialization.OLORA).build());
        configs.put("biases", Runs.CONFIG.toBuilder().bias(TrainedBias.LORA_ONLY).build());
        configs.put("bias of B", Runs.CONFIG.toBuilder().loraBias(true).build());
        configs.put(
                "patterns",
                Runs.CONFIG.toBuilder()
                        .rsLora(true)
                        .initialization(Initialization.GAUSSIAN)
                        .rankPattern(ImmutableMap.of("0.attention.query", 3))
                        .alphaPattern(ImmutableMap.of("value", 5.0))
                        .build());
        configs.put("all linear", Runs.CONFIG.toBuilder().allLinear().build());
        return configs;
    }

    static List<String> variants() {
        return List.copyOf(configs().keySet());
    }

    private FairLora.Builder builder(String variant, DebiasStrategy strategy) {
        LoraConfig config = configs().get(variant);
        return runs.builder(strategy).lora(config);
    }

    @ParameterizedTest
    @MethodSource("variants")
    void whatIsTrainedIsSavedLoadedAuditedAndMerged(String variant) throws IOException {
        Path saved = directory.resolve("saved");
        int handles = Handles.of(runs.backbone.manager());
        String digest = runs.backbone.digest();
        try (FairClassifier classifier =
                builder(variant, Strategies.ERM).build().fit(runs.train.task())) {
            assertThat(runs.backbone.digest()).isEqualTo(digest);
            float[] before = classifier.probabilities(runs.audited).toArray();
            classifier.save(saved, runs.auditor.audit(classifier.candidate()));
            try (FairClassifier loaded = FairClassifier.load(saved, runs.backbone)) {
                assertThat(loaded.probabilities(runs.audited).toArray())
                        .containsExactly(before, within(1e-6f));
                assertThat(loaded.candidate().adapter().digest())
                        .isEqualTo(classifier.candidate().adapter().digest());
            }
            LinearHead.Weights head = classifier.mergeInto(runs.backbone);
            try (NDManager scope = runs.backbone.manager().newSubManager();
                    LinearHead applied = new LinearHead(scope, head, DataType.FLOAT32)) {
                HostTensor merged =
                        GradientMode.OFF.get(
                                () ->
                                        HostTensor.copyOf(
                                                applied.logits(
                                                                AdaptedModel.features(
                                                                        runs.backbone,
                                                                        runs.audited,
                                                                        scope))
                                                        .softmax(-1)));
                assertThat(merged.toArray()).containsExactly(before, within(1e-5f));
            }
        }
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
    }

    /** ORTH keeps the auditor's adapter in its checkpoint, with all that belongs to its kind. */
    @ParameterizedTest
    @MethodSource("variants")
    void aRunGoesOnFromItsCheckpoint(String variant) {
        DebiasStrategy orth = Orthogonality.builder().auditorEpochs(1).build();
        Path file = directory.resolve("state.safetensors");
        Candidate straight = runs.result(builder(variant, orth));
        FairLora killed =
                builder(variant, orth)
                        .checkpoint(file, 3)
                        .listener(
                                progress -> {
                                    if (progress.step() == 8) {
                                        throw new IllegalStateException("killed");
                                    }
                                })
                        .build();
        assertThatThrownBy(() -> killed.fit(runs.train.task())).hasMessage("killed");
        assertThat(runs.result(builder(variant, orth).checkpoint(file, 3))).isEqualTo(straight);
    }

    @Test
    void unlearningRefusesWhatItCannotSubtract() {
        DebiasStrategy unlearning = Unlearning.builder().auditorEpochs(1).build();
        for (String variant : List.of("dora", "pissa", "biases")) {
            assertThatThrownBy(() -> runs.result(builder(variant, unlearning)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("UNL subtracts an adapter");
        }
        assertThat(runs.result(builder("bias of B", unlearning)).adapter().layers().values())
                .allMatch(factors -> factors.bias() != null);
    }
}
