package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.SequentialBlock;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.Initialization;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraWeight;
import io.fairlora.lora.TinyPerceptron;
import io.fairlora.lora.TrainedBias;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.Candidate;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.TinyFaces;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A block of DJL's trains as the same layers of ours do. */
class BlockTrainingTest {

    private static final double TOLERANCE = 1e-5;
    private static final String WRAPPED = "01SequentialBlock.";

    private NDManager scope;
    private SequentialBlock block;

    @BeforeEach
    void setUp() {
        scope = NDManager.newBaseManager("PyTorch");
        block = TinyPerceptron.block(scope, 3);
    }

    @AfterEach
    void tearDown() {
        scope.close();
    }

    static Stream<LoraConfig> configs() {
        LoraConfig plain = LoraConfig.builder().rank(2).alpha(4).targetRegex(".*Linear").build();
        return Stream.of(
                plain,
                plain.toBuilder().dropout(0.2).build(),
                plain.toBuilder().dora(true).build(),
                plain.toBuilder().initialization(Initialization.PISSA).build(),
                plain.toBuilder().bias(TrainedBias.LORA_ONLY).rsLora(true).build(),
                plain.toBuilder().loraBias(true).build());
    }

    @ParameterizedTest
    @MethodSource("configs")
    void theRunIsThatOfLayersOfOurs(LoraConfig config) {
        Candidate own;
        try (NDManager forks = scope.newSubManager();
                Backbone backbone = TinyPerceptron.over(block, forks)) {
            own = run(backbone, config);
        }
        try (Backbone backbone = TinyPerceptron.foreign(block)) {
            String digest = backbone.digest();
            Candidate foreign = run(backbone, config);
            assertClose(foreign.adapter(), own.adapter());
            assertThat(backbone.digest()).isEqualTo(digest);
        }
        own.adapter().layers().values().forEach(f -> assertThat(f.b().norm()).isPositive());
    }

    static Stream<LoraConfig> configsOfWeights() {
        // What changes the input or adds a bias where there is none is refused there.
        return configs().filter(config -> config.dropout() == 0 && !config.loraBias());
    }

    /** Within a block that is no plain sequence, layers are adapted through their weights. */
    @ParameterizedTest
    @MethodSource("configsOfWeights")
    void adaptingTheWeightsComesToTheSame(LoraConfig config) {
        Block wrapped = new ParallelBlock(branches -> branches.get(0), List.of(block));
        LoraAdapter own;
        try (Backbone backbone = TinyPerceptron.foreign(block)) {
            own = run(backbone, config).adapter();
        }
        try (Backbone backbone = TinyPerceptron.foreign(wrapped)) {
            assertThat(backbone.loraLayers().values())
                    .hasSize(3)
                    .allMatch(layer -> layer instanceof LoraWeight);
            LoraAdapter found = run(backbone, config).adapter();
            Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>();
            found.layers().forEach((path, f) -> layers.put(path.replace(WRAPPED, ""), f));
            Map<String, HostTensor> biases = new LinkedHashMap<>();
            found.biases().forEach((name, bias) -> biases.put(name.replace(WRAPPED, ""), bias));
            assertClose(
                    new LoraAdapter(config, layers, biases, found.savedModules(), Map.of()), own);
        }
    }

    private static Candidate run(Backbone backbone, LoraConfig config) {
        TinyFaces faces = TinyFaces.of(60, 2, 2, 0.8, 3);
        try (FairClassifier classifier =
                FairLora.builder()
                        .backbone(backbone)
                        .strategy(Strategies.ERM)
                        .lora(config)
                        .epochs(3)
                        .batchSize(16)
                        .seed(7)
                        .build()
                        .fit(faces.task())) {
            return classifier.candidate();
        }
    }

    private static void assertClose(LoraAdapter found, LoraAdapter expected) {
        assertThat(found.layers().keySet())
                .isEqualTo(expected.layers().keySet())
                .containsExactly("02Linear", "04SequentialBlock.01Linear", "05Linear");
        expected.layers()
                .forEach(
                        (path, factors) -> {
                            LoraAdapter.Factors own = found.layer(path);
                            assertClose(own.a(), factors.a(), path + " A");
                            assertClose(own.b(), factors.b(), path + " B");
                            assertClose(own.bias(), factors.bias(), path + " bias");
                            assertClose(own.magnitude(), factors.magnitude(), path + " m");
                        });
        assertClose(found.biases(), expected.biases());
        assertClose(found.savedModules(), expected.savedModules());
    }

    private static void assertClose(
            Map<String, HostTensor> found, Map<String, HostTensor> expected) {
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        expected.forEach((name, tensor) -> assertClose(found.get(name), tensor, name));
    }

    private static void assertClose(HostTensor found, HostTensor expected, String what) {
        if (expected == null) {
            assertThat(found).as(what).isNull();
            return;
        }
        assertThat(found.shape()).as(what).isEqualTo(expected.shape());
        for (int i = 0; i < found.size(); i++) {
            assertThat(Math.abs(found.get(i) - expected.get(i)))
                    .as(what)
                    .isLessThan((float) TOLERANCE);
        }
    }
}
