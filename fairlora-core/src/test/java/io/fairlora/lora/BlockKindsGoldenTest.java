package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.Handles;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Embeddings and convolutions of DJL under adapters that PEFT trained on torch's ({@code
 * tools/golden/peft_blocks.py}).
 */
class BlockKindsGoldenTest {

    private static final double TOLERANCE = 1e-5;
    private static final double LEARNING_RATE = 0.3;
    private static final Shape INPUT = new Shape(1, 5, 4);

    /** Where the layers of PEFT's network are in DJL's. */
    private static final Map<String, String> PATHS =
            Map.of(
                    "table", "01Table",
                    "convolution", "03Conv2d",
                    "pixel", "05Conv2d",
                    "head", "08Linear");

    private Path golden;
    private NDManager scope;
    private SafetensorsFile base;
    private BlockBackbone backbone;
    private NDArray items;

    /** A table of embeddings by index, which DJL leaves abstract. */
    private static final class Table extends Embedding<Integer> {

        Table(NDArray rows) {
            super(rows);
        }

        @Override
        public byte[] encode(Integer input) {
            return ByteBuffer.allocate(Integer.BYTES).putInt(input).array();
        }

        @Override
        public Integer decode(byte[] bytes) {
            return ByteBuffer.wrap(bytes).getInt();
        }

        @Override
        public boolean hasItem(Integer item) {
            return item >= 0 && item < numEmbeddings;
        }

        @Override
        public long embed(Integer item) {
            return item;
        }

        @Override
        public Optional<Integer> unembed(long index) {
            return Optional.of((int) index);
        }
    }

    @BeforeEach
    void setUp() throws IOException, URISyntaxException {
        golden = Path.of(BlockKindsGoldenTest.class.getResource("/golden/peft_blocks").toURI());
        scope = NDManager.newBaseManager("PyTorch");
        base = SafetensorsFile.open(golden.resolve("base.safetensors"));
        items = read("items").toType(DataType.INT64, false);
        SequentialBlock block =
                new SequentialBlock()
                        .add(new Table(read("table.weight")))
                        .add(LambdaBlock.singleton(x -> x.transpose(0, 3, 1, 2)))
                        .add(
                                Conv2d.builder()
                                        .setFilters(8)
                                        .setKernelShape(new Shape(3, 2))
                                        .optStride(new Shape(2, 1))
                                        .optPadding(new Shape(1, 0))
                                        .build())
                        .add(Activation.tanhBlock())
                        .add(
                                Conv2d.builder()
                                        .setFilters(8)
                                        .setKernelShape(new Shape(1, 1))
                                        .optBias(false)
                                        .build())
                        .add(Activation.tanhBlock())
                        .add(Blocks.batchFlattenBlock())
                        .add(Linear.builder().setUnits(3).build());
        block.initialize(scope, DataType.FLOAT32, INPUT);
        set(block.getChildren().get("03Conv2d"), "convolution");
        set(block.getChildren().get("05Conv2d"), "pixel");
        set(block.getChildren().get("08Linear"), "head");
        backbone = BlockBackbone.of(block, INPUT);
    }

    @AfterEach
    void tearDown() throws IOException {
        backbone.close();
        base.close();
        scope.close();
    }

    private NDArray read(String name) throws IOException {
        return base.read(name).toNDArray(scope);
    }

    private void set(Block block, String name) throws IOException {
        for (String end : new String[] {"weight", "bias"}) {
            Parameter parameter = block.getParameters().get(end);
            if (base.names().contains(name + "." + end)) {
                read(name + "." + end).copyTo(parameter.getArray());
            } else {
                assertThat(parameter).isNull();
            }
        }
    }

    /** An adapter for the network of blocks with the factors of one for PEFT's network. */
    private LoraAdapter read(String variant, String when) throws IOException {
        LoraAdapter adapter = PeftFormat.read(golden.resolve(variant).resolve(when));
        Map<String, Factors> layers = new LinkedHashMap<>();
        adapter.layers().forEach((path, factors) -> layers.put(PATHS.get(path), factors));
        LoraConfig own =
                adapter.config().toBuilder().targetRegex(".*(Table|Conv2d|Linear)").build();
        return new LoraAdapter(own, layers, Map.of(), Map.of());
    }

    private HostTensor output() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(items)));
    }

    @Test
    void findsEveryKind() {
        Map<String, LoraLayer> layers = backbone.loraLayers();
        assertThat(layers.keySet()).containsExactlyInAnyOrderElementsOf(PATHS.values());
        assertThat(layers.get("01Table").kind()).isEqualTo(LayerKind.EMBEDDING);
        assertThat(layers.get("03Conv2d").kind()).isEqualTo(LayerKind.convolution(6, 3, 2));
        assertThat(layers.get("05Conv2d").kind()).isEqualTo(LayerKind.convolution(8, 1, 1));
        assertThat(layers.get("08Linear").kind()).isEqualTo(LayerKind.LINEAR);
        assertThat(layers.get("03Conv2d").inputSize()).isEqualTo(6 * 3 * 2);
        assertThat(layers.get("01Table").inputSize()).isEqualTo(7);
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "rslora", "dora", "lora_bias"})
    void twoStepsOfTrainingAreThoseOfPeft(String variant) throws IOException {
        HostTensor before = output();
        String digest = backbone.digest();
        LoraAdapter trained;
        try (SafetensorsFile expected =
                        SafetensorsFile.open(
                                golden.resolve(variant).resolve("expected.safetensors"));
                InjectedLora lora =
                        LoraInjector.attach(backbone, read(variant, "initial"), "a", 1, true)) {
            assertClose(output(), expected.read("initial_output"), "initial output");
            NDArray target = read("target");
            for (int step = 0; step < 2; step++) {
                GradientMode.ON.run(
                        () ->
                                Autograd.backward(
                                        backbone.features(items).sub(target).square().mean()));
                if (step == 0) {
                    assertGradients(lora, expected);
                }
                GradientMode.OFF.run(() -> lora.parameters().values().forEach(p -> descend(p)));
            }
            assertClose(output(), expected.read("trained_output"), "trained output");
            trained = lora.toAdapter(Map.of());
            LoraAdapter peft = read(variant, "trained");
            peft.layers()
                    .forEach(
                            (path, factors) ->
                                    factors.parameters()
                                            .forEach(
                                                    (end, tensor) ->
                                                            assertClose(
                                                                    trained(path, end, lora),
                                                                    tensor,
                                                                    path + " " + end)));
            lora.setEnabled(false);
            assertThat(output()).isEqualTo(before);
            assertThat(backbone.digest()).isEqualTo(digest);
            MergedAdapter merged = AdapterMath.merge(backbone, trained);
            assertClose(output(), expected.read("merged_output"), "merged output");
            merged.unmerge();
        }
        assertClose(output(), before, "unmerged output");
    }

    private static HostTensor trained(String path, String end, InjectedLora lora) {
        return HostTensor.copyOf(lora.parameters().get(path + "." + end));
    }

    private static void assertGradients(InjectedLora lora, SafetensorsFile expected)
            throws IOException {
        int compared = 0;
        for (String name : expected.names()) {
            if (name.startsWith("gradient.")) {
                String key = name.substring("gradient.".length()).replace(".weight", "");
                String layer = key.substring(0, key.indexOf('.'));
                NDArray own = lora.parameters().get(key.replaceFirst(layer, PATHS.get(layer)));
                HostTensor golden = expected.read(name);
                HostTensor found =
                        HostTensor.copyOf(Autograd.gradient(own)).reshape(golden.shape());
                assertClose(found, golden, name);
                compared++;
            }
        }
        assertThat(compared).isEqualTo(lora.parameters().size());
    }

    private static void descend(NDArray array) {
        try (NDArray gradient = Autograd.gradient(array);
                NDArray step = gradient.mul(LEARNING_RATE)) {
            array.subi(step);
        }
        Autograd.zeroGradient(array);
    }

    private static void assertClose(HostTensor found, HostTensor expected, String what) {
        assertThat(found.shape()).as(what).isEqualTo(expected.shape());
        assertThat(LoraInjectorTest.distance(found, expected)).as(what).isLessThan(TOLERANCE);
    }

    /** As a block of DJL's it leaves what it makes to the manager of its input. */
    @ParameterizedTest
    @ValueSource(strings = {"plain", "dora"})
    void nothingIsLeftBesideTheInput(String variant) throws IOException {
        try (InjectedLora lora =
                LoraInjector.attach(backbone, read(variant, "trained"), "a", 0.5, false)) {
            assertThat(lora.isEnabled()).isTrue();
            ParameterStore store = new ParameterStore(scope, false);
            int before = scope.getManagedArrays().size();
            int adapters = Handles.of(backbone.manager());
            for (int i = 0; i < 3; i++) {
                try (NDManager pass = scope.newSubManager()) {
                    NDArray input = items.duplicate();
                    input.attach(pass);
                    NDArray output =
                            GradientMode.OFF.get(
                                    () ->
                                            backbone.forward(store, new NDList(input), false)
                                                    .singletonOrThrow());
                    assertThat(output.getManager()).isSameAs(pass);
                }
            }
            assertThat(scope.getManagedArrays()).hasSize(before);
            assertThat(Handles.of(backbone.manager())).isEqualTo(adapters);
        }
    }

    /** A layer in two places is one, which no place can have for itself. */
    @Test
    void aLayerInTwoPlacesIsAdaptedInBoth() {
        Block shared = Linear.builder().setUnits(4).build();
        SequentialBlock twice =
                new SequentialBlock().add(shared).add(Activation.tanhBlock()).add(shared);
        twice.initialize(scope, DataType.FLOAT32, new Shape(1, 4));
        NDArray x = scope.arange(8f).reshape(2, 4);
        try (BlockBackbone other = BlockBackbone.of(twice, new Shape(1, 4))) {
            assertThat(other.loraLayers()).containsOnlyKeys("01Linear");
            assertThat(other.loraLayers().get("01Linear")).isInstanceOf(LoraWeight.class);
            LoraConfig config =
                    LoraConfig.builder()
                            .rank(2)
                            .targetModules("01Linear")
                            .initialization(Initialization.RANDOM)
                            .build();
            HostTensor adapted;
            LoraAdapter adapter;
            try (InjectedLora lora = LoraInjector.inject(other, config, "one", 3)) {
                adapter = lora.toAdapter(Map.of());
                adapted = HostTensor.copyOf(other.features(x));
            }
            HostTensor plain = HostTensor.copyOf(other.features(x));
            assertThat(LoraInjectorTest.distance(adapted, plain)).isGreaterThan(0.01);
            AdapterMath.merge(other, adapter);
            assertClose(HostTensor.copyOf(other.features(x)), adapted, "merged");
        }
    }

    /** Examples have adapters of their own where layers have inputs of their own. */
    @Test
    void examplesOfASequenceHaveTheirOwnAdapters() {
        SequentialBlock block = TinyPerceptron.block(scope, 5);
        NDArray pixels = TinyBackbone.pixels(scope, 3, 6);
        LoraConfig config =
                LoraConfig.builder()
                        .rank(2)
                        .targetRegex(".*Linear")
                        .initialization(Initialization.RANDOM)
                        .build();
        try (BlockBackbone other = TinyPerceptron.foreign(block);
                AdapterSet adapters = AdapterSet.on(other)) {
            LoraAdapter adapter;
            HostTensor adapted;
            try (InjectedLora lora = LoraInjector.inject(other, config, "one", 3)) {
                adapter = lora.toAdapter(Map.of());
                adapted = HostTensor.copyOf(other.features(pixels));
            }
            adapters.add("one", adapter);
            HostTensor plain = HostTensor.copyOf(other.features(pixels));
            HostTensor mixed =
                    HostTensor.copyOf(
                            adapters.features(pixels, List.of("one", AdapterSet.BASE, "one")));
            int size = mixed.size() / 3;
            for (int i = 0; i < mixed.size(); i++) {
                HostTensor expected = i / size == 1 ? plain : adapted;
                assertThat(Math.abs(mixed.get(i) - expected.get(i))).isLessThan(1e-5f);
            }
            assertThat(LoraInjectorTest.distance(adapted, plain)).isGreaterThan(0.01);
        }
    }

    /** PEFT adds to a convolution of groups what is no change of its weight. */
    @Test
    void aConvolutionOfGroupsIsNoTarget() {
        Block grouped =
                new SequentialBlock()
                        .add(
                                Conv2d.builder()
                                        .setFilters(4)
                                        .setKernelShape(new Shape(3, 3))
                                        .optGroups(2)
                                        .build())
                        .add(Blocks.batchFlattenBlock())
                        .add(Linear.builder().setUnits(3).build());
        grouped.initialize(scope, DataType.FLOAT32, new Shape(1, 2, 4, 4));
        try (BlockBackbone other = BlockBackbone.of(grouped, new Shape(1, 2, 4, 4))) {
            assertThat(other.loraLayers()).containsOnlyKeys("03Linear");
            assertThatThrownBy(
                            () ->
                                    LoraInjector.inject(
                                            other,
                                            LoraConfig.builder().targetModules("01Conv2d").build(),
                                            "one",
                                            1))
                    .hasMessageStartingWith("target module '01Conv2d' matches no adaptable layer");
        }
    }
}
