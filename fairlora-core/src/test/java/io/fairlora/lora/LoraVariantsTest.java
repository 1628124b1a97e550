package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.training.Handles;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** DoRA, biases and scales beyond what the golden files of PEFT show. */
class LoraVariantsTest {

    private static final String QUERY = "encoder.layer.0.attention.query";
    private static final int IN = 48;
    private static final int OUT = 12;
    private static final LoraConfig DORA = LoraConfig.builder().rank(3).alpha(6).dora(true).build();

    private NDManager scope;

    @BeforeEach
    void setUp() {
        scope = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        scope.close();
    }

    /** An adapter whose every tensor matters. */
    private static LoraAdapter random(Backbone backbone, LoraConfig config) {
        SplittableRandom random = new SplittableRandom(5);
        try (InjectedLora lora = LoraInjector.inject(backbone, config, "random", 3)) {
            LoraAdapter fresh = lora.toAdapter(Map.of());
            Map<String, Factors> layers = new LinkedHashMap<>();
            fresh.layers()
                    .forEach(
                            (path, f) ->
                                    layers.put(
                                            path,
                                            new Factors(
                                                    moved(f.a(), random),
                                                    moved(f.b(), random),
                                                    f.scale(),
                                                    f.bias() == null
                                                            ? null
                                                            : moved(f.bias(), random),
                                                    f.magnitude() == null
                                                            ? null
                                                            : moved(f.magnitude(), random),
                                                    f.kind())));
            Map<String, HostTensor> biases = new LinkedHashMap<>();
            fresh.biases().forEach((name, bias) -> biases.put(name, moved(bias, random)));
            return new LoraAdapter(config, layers, biases, Map.of(), Map.of());
        }
    }

    private static HostTensor moved(HostTensor tensor, SplittableRandom random) {
        float[] values = tensor.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] += (float) (0.4 * random.nextDouble() - 0.2);
        }
        return HostTensor.of(values, tensor.shape().getShape());
    }

    private NDArray normal(int rows, int columns) {
        return scope.randomNormal(0, 1, new Shape(rows, columns), DataType.FLOAT64);
    }

    /** The formula of DoRA with given lengths of the rows, in explicit products. */
    private static NDArray explicit(
            NDArray x, NDArray w, NDArray bias, LoraLayer.Adapter adapter, NDArray norms) {
        NDArray weight = w.add(adapter.b().matMul(adapter.a()).mul(adapter.scale()));
        NDArray gain = adapter.magnitude().div(norms);
        return x.matMul(weight.transpose()).mul(gain).add(bias);
    }

    private static NDArray norms(NDArray w, LoraLayer.Adapter adapter) {
        NDArray weight = w.add(adapter.b().matMul(adapter.a()).mul(adapter.scale()));
        return weight.square().sum(new int[] {1}).sqrt();
    }

    /** No gradient passes through the lengths of the rows: central differences with them fixed. */
    @Test
    void doraGradientsMatchFiniteDifferencesWithFixedNorms() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT64, 1)) {
            LoraLinear layer = backbone.linear(QUERY);
            NDArray x = normal(7, IN);
            NDArray probe = normal(7, OUT);
            LoraLayer.Adapter adapter = doraAdapter();
            layer.addAdapter("dora", adapter);
            NDArray w = layer.weight().getArray();
            NDArray bias = layer.bias().getArray();
            NDArray norms = norms(w, adapter);
            ParameterStore store = new ParameterStore(scope, false);
            NDArray found = layer.apply(store, x, true);
            assertThat(difference(found, explicit(x, w, bias, adapter, norms))).isLessThan(1e-10);

            adapter.a().setRequiresGradient(true);
            adapter.b().setRequiresGradient(true);
            adapter.magnitude().setRequiresGradient(true);
            GradientMode.ON.run(
                    () -> Autograd.backward(layer.apply(store, x, true).mul(probe).sum()));
            for (NDArray leaf : new NDArray[] {adapter.a(), adapter.b(), adapter.magnitude()}) {
                float slope = HostTensor.copyOf(Autograd.gradient(leaf).flatten()).get(5);
                double[] values = new double[2];
                for (int side = 0; side < 2; side++) {
                    double step = side == 0 ? 1e-4 : -1e-4;
                    NDArray move = scope.zeros(new Shape(leaf.size()), DataType.FLOAT64);
                    move.set(new NDIndex(5), step);
                    GradientMode.OFF.run(() -> leaf.addi(move.reshape(leaf.getShape())));
                    NDArray loss =
                            GradientMode.OFF.get(
                                    () -> explicit(x, w, bias, adapter, norms).mul(probe).sum());
                    values[side] = loss.toDoubleArray()[0];
                    GradientMode.OFF.run(() -> leaf.subi(move.reshape(leaf.getShape())));
                }
                assertThat((values[0] - values[1]) / 2e-4)
                        .isCloseTo(slope, within(1e-4 * Math.max(1, Math.abs(slope))));
            }
        }
    }

    private LoraLayer.Adapter doraAdapter() {
        return new LoraLayer.Adapter(
                normal(3, IN),
                normal(OUT, 3),
                2,
                null,
                normal(1, OUT).reshape(OUT).abs().add(0.5),
                null);
    }

    private static double difference(NDArray x, NDArray y) {
        return x.sub(y).abs().max().toDoubleArray()[0];
    }

    /** As PEFT: with active dropout the gain acts on the product with what is left of the input. */
    @Test
    void doraUnderDropoutUsesTheDroppedInputForTheWholeWeight() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT64, 1)) {
            LoraLinear layer = backbone.linear(QUERY);
            NDArray x = normal(7, IN);
            LoraLayer.Adapter adapter = doraAdapter();
            layer.addAdapter("dora", adapter);
            layer.setDropout("dora", 0.25, 9);
            NDArray found = layer.apply(new ParameterStore(scope, false), x, true);

            SplittableRandom random = new SplittableRandom(9);
            float[] mask = new float[7 * IN];
            for (int i = 0; i < mask.length; i++) {
                mask[i] = random.nextDouble() < 0.25 ? 0 : (float) (1 / 0.75);
            }
            NDArray dropped =
                    x.mul(scope.create(mask, x.getShape()).toType(DataType.FLOAT64, false));
            NDArray w = layer.weight().getArray();
            NDArray plain = x.matMul(w.transpose()).add(layer.bias().getArray());
            NDArray gain = adapter.magnitude().div(norms(w, adapter));
            NDArray expected =
                    plain.add(gain.sub(1).mul(dropped.matMul(w.transpose())))
                            .add(
                                    dropped.matMul(adapter.a().transpose())
                                            .matMul(adapter.b().transpose())
                                            .mul(2)
                                            .mul(gain));
            assertThat(difference(found, expected)).isLessThan(1e-10);
        }
    }

    /** What an adapter adds to one layer's output is linear in its scale, whatever its kind. */
    @ParameterizedTest
    @ValueSource(strings = {"dora", "pissa", "dora_pissa", "lora_bias"})
    void theScaleMultipliesTheWholeChange(String kind) {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(3)
                        .alpha(6)
                        .dora(kind.startsWith("dora"))
                        .loraBias(kind.equals("lora_bias"))
                        .initialization(
                                kind.endsWith("pissa")
                                        ? Initialization.PISSA
                                        : Initialization.KAIMING_UNIFORM)
                        .build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT64, 1);
                InjectedLora lora =
                        LoraInjector.attach(backbone, random(backbone, config), "one", 1, false)) {
            LoraLinear layer = backbone.linear(QUERY);
            NDArray x = normal(7, IN);
            ParameterStore store = new ParameterStore(scope, false);
            NDArray adapted = layer.apply(store, x, false);
            lora.setEnabled(false);
            NDArray plain = layer.apply(store, x, false);
            lora.setEnabled(true);
            assertThat(difference(adapted, plain)).isGreaterThan(0.01);
            for (double factor : new double[] {0, 1, -0.5, 2}) {
                lora.setScale(factor);
                NDArray expected = plain.add(adapted.sub(plain).mul(factor));
                assertThat(difference(layer.apply(store, x, false), expected)).isLessThan(1e-9);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"NONE", "LORA_ONLY"})
    void bfloat16ComputesNearlyTheSame(TrainedBias bias) {
        LoraConfig config = DORA.toBuilder().bias(bias).dora(bias == TrainedBias.NONE).build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                InjectedLora lora =
                        LoraInjector.attach(backbone, random(backbone, config), "one", 1, true)) {
            assertThat(lora.isEnabled()).isTrue();
            NDArray pixels = TinyBackbone.pixels(scope, 5, 2);
            HostTensor single = features(backbone, pixels);
            backbone.linears().forEach(l -> l.setPrecision(Precision.BF16));
            HostTensor rounded = features(backbone, pixels);
            assertThat(rounded).isNotEqualTo(single);
            assertThat(LoraInjectorTest.distance(rounded, single)).isLessThan(0.02);
        }
    }

    /** What a pass makes belongs to its input, whatever the kind of the adapter. */
    @ParameterizedTest
    @ValueSource(strings = {"dora", "lora_bias", "bias"})
    void passesLeaveNothingWithTheBackbone(String kind) {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(3)
                        .dora(kind.equals("dora"))
                        .loraBias(kind.equals("lora_bias"))
                        .bias(kind.equals("bias") ? TrainedBias.LORA_ONLY : TrainedBias.NONE)
                        .build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                InjectedLora lora =
                        LoraInjector.attach(backbone, random(backbone, config), "one", 0.5, true)) {
            assertThat(lora.isEnabled()).isTrue();
            for (Precision precision : Precision.values()) {
                backbone.linears().forEach(l -> l.setPrecision(precision));
                pass(backbone);
                int handles = Handles.of(backbone.manager());
                pass(backbone);
                assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
            }
        }
    }

    private void pass(TinyBackbone backbone) {
        try (NDManager batch = scope.newSubManager()) {
            NDArray pixels = TinyBackbone.pixels(batch, 5, 2);
            GradientMode.ON.run(() -> Autograd.backward(backbone.features(pixels).square().sum()));
        }
    }

    private static HostTensor features(Backbone backbone, NDArray pixels) {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(pixels)));
    }

    @Test
    void biasesBelongToTheAdapterAndOnlyOneMayBringThem() {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(2)
                        .bias(TrainedBias.LORA_ONLY)
                        .targetModules("query", "dense")
                        .build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                Backbone fork = backbone.fork()) {
            NDArray pixels = TinyBackbone.pixels(scope, 5, 2);
            HostTensor before = features(backbone, pixels);
            String digest = backbone.digest();
            LoraAdapter adapter = random(backbone, config);
            // The dense layers of this network have no bias.
            assertThat(adapter.biases().keySet())
                    .containsExactlyInAnyOrder(QUERY + ".bias", QUERY.replace("0", "1") + ".bias");
            try (InjectedLora lora = LoraInjector.attach(backbone, adapter, "one", 1, true)) {
                assertThat(lora.parameters()).containsKey(QUERY + ".bias");
                assertThat(features(backbone, pixels)).isNotEqualTo(before);
                assertThat(features(fork, pixels)).isEqualTo(before);
                assertThat(backbone.digest()).isEqualTo(digest);
                assertThatThrownBy(() -> LoraInjector.attach(backbone, adapter, "two", 1, true))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("already replaced by that of an adapter");
                assertThat(backbone.loraLayers().get(QUERY).names()).containsExactly("one");
                try (InjectedLora other = LoraInjector.attach(fork, adapter, "two", 1, false)) {
                    assertThat(features(fork, pixels)).isEqualTo(features(backbone, pixels));
                    assertThat(other.toAdapter(Map.of())).isEqualTo(adapter);
                }
                LoraAdapter fewer =
                        new LoraAdapter(config, adapter.layers(), Map.of(), Map.of(), Map.of());
                assertThatThrownBy(() -> lora.assign(fewer)).hasMessageContaining("has the biases");
                lora.assign(adapter);
            }
            assertThat(features(backbone, pixels)).isEqualTo(before);
            LoraConfig all = config.toBuilder().bias(TrainedBias.ALL).build();
            assertThatThrownBy(() -> LoraInjector.inject(backbone, all, "all", 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("bias ALL");
        }
    }

    @Test
    void anAdapterUnlikeItsConfigurationIsRefused() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraAdapter dora = random(backbone, DORA);
            Map<String, Factors> layers = new LinkedHashMap<>(dora.layers());
            Factors factors = layers.get(QUERY);
            layers.put(QUERY, new Factors(factors.a(), factors.b(), factors.scale()));
            assertThatThrownBy(() -> dora.withLayers(layers))
                    .hasMessage(
                            "layer "
                                    + QUERY
                                    + " of the adapter has no magnitude, its configuration asks"
                                    + " for one");
            assertThatThrownBy(
                            () ->
                                    new Factors(
                                            factors.a(),
                                            factors.b(),
                                            1,
                                            null,
                                            HostTensor.of(new float[3], 3),
                                            LayerKind.LINEAR))
                    .hasMessage("the magnitude is (3), expected (12)");
            assertThatThrownBy(() -> AdapterMath.negate(dora))
                    .hasMessage("an adapter with DoRA magnitudes cannot be scaled");
            assertThat(dora.isFinite()).isTrue();
            float[] broken = factors.magnitude().toArray();
            broken[2] = Float.NaN;
            layers.put(
                    QUERY,
                    new Factors(
                            factors.a(),
                            factors.b(),
                            factors.scale(),
                            null,
                            HostTensor.of(broken, OUT),
                            LayerKind.LINEAR));
            LoraAdapter poisoned = dora.withLayers(layers);
            assertThat(poisoned.isFinite()).isFalse();
            assertThatThrownBy(() -> LoraInjector.attach(backbone, poisoned, "one", 1, false))
                    .hasMessageContaining("layer " + QUERY + " of the adapter has elements");
            String digest = backbone.digest();
            assertThatThrownBy(() -> AdapterMath.merge(backbone, poisoned))
                    .hasMessageContaining("layer " + QUERY);
            assertThat(backbone.digest()).isEqualTo(digest);
        }
    }

    /** Rows of length zero, which merging makes of a zero magnitude, do not come back. */
    @Test
    void mergingNamesWhatItCannotDo() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraAdapter dora = random(backbone, DORA);
            Map<String, Factors> layers = new LinkedHashMap<>(dora.layers());
            Factors factors = layers.get(QUERY);
            float[] magnitude = factors.magnitude().toArray();
            magnitude[4] = 0;
            layers.put(
                    QUERY,
                    new Factors(
                            factors.a(),
                            factors.b(),
                            factors.scale(),
                            null,
                            HostTensor.of(magnitude, OUT),
                            LayerKind.LINEAR));
            MergedAdapter merged = AdapterMath.merge(backbone, dora.withLayers(layers));
            assertThatThrownBy(merged::unmerge)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "row 4 of layer "
                                    + QUERY
                                    + " was merged with the length 0 and is"
                                    + " lost");
        }
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraConfig config =
                    LoraConfig.builder().rank(2).loraBias(true).targetModules("dense").build();
            LoraAdapter biased = random(backbone, config);
            assertThatThrownBy(() -> AdapterMath.merge(backbone, biased))
                    .hasMessageContaining("has no bias into which that of B could be merged");
            MergedAdapter merged = AdapterMath.merge(backbone, random(backbone, DORA));
            merged.unmerge();
            assertThatThrownBy(merged::unmerge).hasMessageContaining("taken out already");
        }
    }

    @Test
    void trainableParametersAreCountedAsPeftCounts() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                InjectedLora lora =
                        LoraInjector.inject(
                                backbone,
                                DORA.toBuilder()
                                        .targetModules("query")
                                        .bias(TrainedBias.LORA_ONLY)
                                        .build(),
                                "one",
                                1)) {
            TrainableParameters counted = lora.trainableParameters();
            // Two queries: A 3 x in, B 12 x 3, magnitude 12, and their own biases of 12.
            assertThat(counted.trainable()).isEqualTo(3 * (48 + 12) + 2 * (36 + 12 + 12));
            long base = 2 * 12 * (48 + 1) + 2 * 12 * (12 + 1) + 2 * 12 * 12;
            assertThat(counted.backbone()).isEqualTo(base);
            assertThat(counted.all()).isEqualTo(base + counted.trainable() - 2 * 12);
            assertThat(counted.with("classifier.weight", 2, 12).trainable())
                    .isEqualTo(counted.trainable() + 24);
            assertThat(counted)
                    .hasToString(
                            "trainable params: 300 || all params: 2,052 || trainable%: 14.6199");
            assertThat(counted.table().lines())
                    .hasSize(1 + 2 * 4)
                    .contains(
                            "encoder.layer.0.attention.query.lora_A                 [3, 48]     "
                                    + "             144");
        }
        assertThatThrownBy(() -> new TrainableParameters(3, 4, Map.of()))
                .hasMessage("of 3 parameters 4 cannot be replaced");
    }
}
