package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The network of PEFT's golden files, built of DJL's own blocks. */
class BlockBackboneTest {

    private static final double TOLERANCE = 1e-5;
    private static final Shape INPUT = new Shape(1, PeftNetwork.INPUT);

    /** Where the layers of PEFT's network are in DJL's. */
    private static final Map<String, String> PATHS =
            Map.of(
                    "encoder.layer.0.attention.query", "01ParallelBlock.01Linear",
                    "encoder.layer.0.attention.value", "01ParallelBlock.02Linear",
                    "encoder.layer.0.output.dense", "02Linear",
                    "encoder.layer.1.attention.query", "05SequentialBlock.01ParallelBlock.01Linear",
                    "encoder.layer.1.attention.value", "05SequentialBlock.01ParallelBlock.02Linear",
                    "encoder.layer.1.output.dense", "05SequentialBlock.02Linear");

    private Path golden;
    private NDManager scope;
    private SafetensorsFile base;
    private PeftNetwork network;
    private SequentialBlock block;
    private BlockBackbone backbone;
    private NDArray x;

    @TempDir private Path folder;

    @BeforeEach
    void setUp() throws IOException, URISyntaxException {
        golden = Path.of(BlockBackboneTest.class.getResource("/golden/peft_variants").toURI());
        scope = NDManager.newBaseManager("PyTorch");
        base = SafetensorsFile.open(golden.resolve("base.safetensors"));
        network = PeftNetwork.load(base);
        x = base.read("x").toNDArray(scope);
        block = empty();
        block.initialize(scope, DataType.FLOAT32, INPUT);
        setWeights();
        backbone = BlockBackbone.of(block, INPUT);
    }

    @AfterEach
    void tearDown() throws IOException {
        backbone.close();
        network.close();
        base.close();
        scope.close();
    }

    private static SequentialBlock empty() {
        return addLayer(new SequentialBlock()).add(addLayer(new SequentialBlock()));
    }

    private static SequentialBlock addLayer(SequentialBlock sequence) {
        return sequence.add(
                        new ParallelBlock(
                                branches ->
                                        new NDList(
                                                branches.get(0)
                                                        .singletonOrThrow()
                                                        .tanh()
                                                        .mul(branches.get(1).singletonOrThrow())),
                                List.of(linear(true), linear(false))))
                .add(linear(true))
                .add(LayerNorm.builder().axis(1).build())
                .add(Activation.tanhBlock());
    }

    private static Block linear(boolean bias) {
        return Linear.builder().setUnits(PeftNetwork.HIDDEN).optBias(bias).build();
    }

    private void setWeights() throws IOException {
        for (int i = 0; i < 2; i++) {
            SequentialBlock layer =
                    i == 0 ? block : (SequentialBlock) block.getChildren().valueAt(4);
            Block parallel = layer.getChildren().valueAt(0);
            String name = "encoder.layer." + i;
            set(parallel.getChildren().valueAt(0), name + ".attention.query");
            set(parallel.getChildren().valueAt(1), name + ".attention.value");
            set(layer.getChildren().valueAt(1), name + ".output.dense");
            Block norm = layer.getChildren().valueAt(2);
            set(norm.getParameters().get("gamma"), name + ".norm.weight");
            set(norm.getParameters().get("beta"), name + ".norm.bias");
        }
    }

    private void set(Block linear, String name) throws IOException {
        set(linear.getParameters().get("weight"), name + ".weight");
        if (base.names().contains(name + ".bias")) {
            set(linear.getParameters().get("bias"), name + ".bias");
        }
    }

    private void set(Parameter parameter, String name) throws IOException {
        base.read(name).toNDArray(scope).copyTo(parameter.getArray());
    }

    /** An adapter for the network of blocks with the factors of one for PEFT's network. */
    private static LoraAdapter moved(LoraAdapter adapter, Map<String, HostTensor> biases) {
        LoraConfig config = adapter.config();
        Map<String, Factors> layers = new LinkedHashMap<>();
        adapter.layers().forEach((path, factors) -> layers.put(PATHS.get(path), factors));
        Map<String, HostTensor> renamed = new LinkedHashMap<>();
        biases.forEach(
                (name, bias) -> renamed.put(PATHS.get(AdapterBiases.pathOf(name)) + ".bias", bias));
        LoraConfig own =
                LoraConfig.builder()
                        .rank(config.rank())
                        .alpha(config.alpha())
                        .rsLora(config.rsLora())
                        .dora(config.dora())
                        .bias(config.bias())
                        .loraBias(config.loraBias())
                        .initialization(config.initialization())
                        .targetRegex(".*Linear")
                        .build();
        return new LoraAdapter(own, layers, renamed, Map.of(), Map.of());
    }

    private HostTensor output() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(x)));
    }

    private static void assertClose(HostTensor found, HostTensor expected, String what) {
        assertThat(found.shape()).as(what).isEqualTo(expected.shape());
        assertThat(LoraInjectorTest.distance(found, expected)).as(what).isLessThan(TOLERANCE);
    }

    @Test
    void findsEveryLinearInTheTree() {
        assertThat(backbone.loraLayers().keySet())
                .containsExactlyInAnyOrderElementsOf(PATHS.values());
        assertThat(backbone.featureSize()).isEqualTo(PeftNetwork.HIDDEN);
        assertThat(backbone.parameterCount()).isEqualTo(network.parameterCount());
        assertClose(output(), HostTensor.copyOf(network.features(x)), "plain output");
        assertThat(block.getParameters().values()).allMatch(p -> !p.requiresGradient());
    }

    /** Outputs and gradients under adapters of every kind are PEFT's. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "plain",
                "rslora",
                "pissa",
                "olora",
                "dora",
                "dora_pissa",
                "bias_lora_only",
                "patterns_rslora",
                "all_linear",
                "exclude_regex",
                "fan_in_fan_out"
            })
    void adaptersComputeWhatPeftComputes(String variant) throws IOException {
        HostTensor before = output();
        String digest = backbone.digest();
        Path files = golden.resolve(variant);
        try (SafetensorsFile expected =
                SafetensorsFile.open(files.resolve("expected.safetensors"))) {
            LoraAdapter trained = PeftFormat.read(files.resolve("trained"), network);
            try (InjectedLora lora =
                    LoraInjector.attach(
                            backbone, moved(trained, named("bias.", expected)), "a", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                assertClose(output(), expected.read("trained_output"), "output");
            }
            LoraAdapter initial = PeftFormat.read(files.resolve("initial"), network);
            try (InjectedLora lora =
                    LoraInjector.attach(
                            backbone,
                            moved(initial, named("initial_bias.", expected)),
                            "b",
                            1,
                            true)) {
                NDArray target = base.read("target").toNDArray(scope);
                GradientMode.ON.run(
                        () -> Autograd.backward(backbone.features(x).sub(target).square().mean()));
                for (Map.Entry<String, HostTensor> entry :
                        named("gradient.", expected).entrySet()) {
                    HostTensor found =
                            HostTensor.copyOf(
                                    Autograd.gradient(
                                            lora.parameters().get(renamed(entry.getKey()))));
                    assertClose(found, entry.getValue(), entry.getKey());
                }
            }
        }
        assertThat(output()).isEqualTo(before);
        assertThat(backbone.digest()).isEqualTo(digest);
    }

    private static Map<String, HostTensor> named(String prefix, SafetensorsFile file)
            throws IOException {
        Map<String, HostTensor> found = new LinkedHashMap<>();
        for (String name : file.names()) {
            if (name.startsWith(prefix)) {
                found.put(name.substring(prefix.length()), file.read(name));
            }
        }
        return found;
    }

    private static String renamed(String key) {
        String plain = key.replace(".weight", "").replace(".base_layer", "");
        for (Map.Entry<String, String> path : PATHS.entrySet()) {
            if (plain.startsWith(path.getKey() + ".")) {
                return path.getValue() + plain.substring(path.getKey().length());
            }
        }
        throw new AssertionError(key);
    }

    @Test
    void mergingAndSetsWorkAsOnAnyBackbone() throws IOException {
        LoraAdapter dora =
                moved(
                        PeftFormat.read(golden.resolve("dora").resolve("trained"), network),
                        Map.of());
        LoraAdapter plain =
                moved(
                        PeftFormat.read(golden.resolve("plain").resolve("trained"), network),
                        Map.of());
        HostTensor before = output();
        try (AdapterSet adapters = AdapterSet.on(backbone)) {
            adapters.add("dora", dora);
            adapters.add("plain", plain);
            adapters.activate("plain", "dora");
            adapters.setScale("plain", -2);
            assertThat(LoraInjectorTest.distance(HostTensor.copyOf(adapters.features(x)), before))
                    .isGreaterThan(0.01);
            assertThat(output()).isEqualTo(before);
            List<String> names = List.of("dora", "dora", "dora", "plain", "plain", "plain");
            assertThatThrownBy(() -> adapters.features(x, names))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("they cannot have adapters of their own");
            adapters.activate("dora");
            HostTensor adapted = HostTensor.copyOf(adapters.features(x));
            MergedAdapter merged = AdapterMath.merge(backbone, dora);
            assertClose(output(), adapted, "merged");
            merged.unmerge();
        }
        assertClose(output(), before, "unmerged");
    }

    @Test
    void whatThisWayCannotDoIsSaid() throws IOException {
        LoraAdapter biased =
                moved(
                        PeftFormat.read(golden.resolve("lora_bias").resolve("trained"), network),
                        Map.of());
        try (InjectedLora lora = LoraInjector.attach(backbone, biased, "biased", 1, false)) {
            assertThat(lora.isEnabled()).isTrue();
            assertThatThrownBy(this::output)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("02Linear is adapted through its weight and has no bias");
        }
        LoraConfig dropping =
                LoraConfig.builder().targetRegex(".*Linear").rank(2).dropout(0.1).build();
        try (InjectedLora lora = LoraInjector.inject(backbone, dropping, "one", 1)) {
            lora.startDropout(3);
            assertThatThrownBy(this::output).hasMessageContaining("train it without dropout");
            lora.stopDropout();
            assertThat(output().isFinite()).isTrue();
        }
        Block lambda = new LambdaBlock(list -> list);
        assertThatThrownBy(() -> BlockBackbone.of(new SequentialBlock().add(lambda), INPUT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("SequentialBlock holds no Linear, Convolution or Embedding");
        assertThatThrownBy(() -> BlockBackbone.of(empty(), INPUT))
                .hasMessageContaining("01ParallelBlock.01Linear has no weights yet");
    }

    /**
     * A model that comes through Criteria: its predictors see the adapter, and so does training.
     */
    @Test
    void aModelOfTheZooIsAdapted()
            throws IOException,
                    ModelNotFoundException,
                    MalformedModelException,
                    TranslateException {
        try (Model model = Model.newInstance("net", "PyTorch")) {
            model.setBlock(block);
            model.save(folder, "net");
        }
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optModelPath(folder)
                        .optModelName("net")
                        .optBlock(empty())
                        .optEngine("PyTorch")
                        .optTranslator(new NoopTranslator())
                        .build();
        LoraAdapter adapter =
                moved(
                        PeftFormat.read(golden.resolve("all_linear").resolve("trained"), network),
                        Map.of());
        try (ZooModel<NDList, NDList> model = criteria.loadModel();
                BlockBackbone loaded = BlockBackbone.of(model.getBlock(), INPUT);
                InjectedLora lora = LoraInjector.attach(loaded, adapter, "one", 1, false);
                SafetensorsFile expected =
                        SafetensorsFile.open(
                                golden.resolve("all_linear").resolve("expected.safetensors"))) {
            model.setBlock(loaded);
            try (Predictor<NDList, NDList> predictor = model.newPredictor()) {
                NDArray found = predictor.predict(new NDList(x)).singletonOrThrow();
                assertClose(
                        HostTensor.copyOf(found), expected.read("trained_output"), "prediction");
                int arrays = loaded.manager().getManagedArrays().size();
                int weights = model.getNDManager().getManagedArrays().size();
                lora.setScale(0);
                found = predictor.predict(new NDList(x)).singletonOrThrow();
                assertClose(HostTensor.copyOf(found), output(), "prediction without");
                assertThat(loaded.manager().getManagedArrays()).hasSize(arrays);
                assertThat(model.getNDManager().getManagedArrays()).hasSize(weights);
            }
        }
    }
}
