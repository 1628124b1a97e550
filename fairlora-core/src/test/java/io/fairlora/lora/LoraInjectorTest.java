package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import ai.djl.util.NativeResource;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LoraInjectorTest {

    private static final LoraConfig CONFIG = LoraConfig.builder().rank(3).alpha(6).build();
    private static final String QUERY = "encoder.layer.0.attention.query";

    private TinyBackbone backbone;
    private NDManager scope;
    private NDArray pixels;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT32, 1);
        scope = NDManager.newBaseManager("PyTorch");
        pixels = TinyBackbone.pixels(scope, 5, 2);
    }

    @AfterEach
    void tearDown() {
        scope.close();
        backbone.close();
    }

    private HostTensor features() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(pixels)));
    }

    @Test
    void aFreshAdapterChangesNoOutput() {
        HostTensor before = features();
        try (InjectedLora lora = LoraInjector.inject(backbone, CONFIG, "task", 3)) {
            assertThat(features()).isEqualTo(before);
            assertThat(lora.parameters().keySet())
                    .containsExactly(
                            QUERY + ".lora_A",
                            QUERY + ".lora_B",
                            "encoder.layer.0.attention.value.lora_A",
                            "encoder.layer.0.attention.value.lora_B",
                            "encoder.layer.1.attention.query.lora_A",
                            "encoder.layer.1.attention.query.lora_B",
                            "encoder.layer.1.attention.value.lora_A",
                            "encoder.layer.1.attention.value.lora_B");
            assertThat(lora.factors().get(QUERY).a().getShape()).isEqualTo(new Shape(3, 48));
            assertThat(lora.factors().get(QUERY).b().getShape()).isEqualTo(new Shape(12, 3));
            assertThat(lora.factors().get(QUERY).scale()).isEqualTo(2);
        }
        assertThat(backbone.loraLayers().get(QUERY).names()).isEmpty();
    }

    @Test
    void aIsUniformWithinTheKaimingBoundAndFollowsTheSeed() {
        LoraConfig wide = CONFIG.toBuilder().rank(200).build();
        try (InjectedLora one = LoraInjector.inject(backbone, wide, "one", 3);
                InjectedLora same = LoraInjector.inject(backbone, wide, "same", 3);
                InjectedLora other = LoraInjector.inject(backbone, wide, "other", 4)) {
            LoraAdapter adapter = one.toAdapter(Map.of());
            assertThat(same.toAdapter(Map.of())).isEqualTo(adapter);
            assertThat(other.toAdapter(Map.of())).isNotEqualTo(adapter);
            double bound = 1 / Math.sqrt(48);
            HostTensor a = adapter.layer(QUERY).a();
            double greatest = 0;
            for (float value : a.toArray()) {
                greatest = Math.max(greatest, Math.abs(value));
            }
            assertThat(greatest).isBetween(0.99 * bound, bound);
            // The standard deviation of a uniform distribution is its bound over sqrt(3).
            assertThat(a.norm() / Math.sqrt(a.size()))
                    .isCloseTo(bound / Math.sqrt(3), within(1e-3));
        }
    }

    @Test
    void gradientsReachTheAdapterAndNothingElse() {
        try (InjectedLora lora = LoraInjector.inject(backbone, CONFIG, "task", 3)) {
            GradientMode.ON.run(() -> Autograd.backward(backbone.features(pixels).square().sum()));
            lora.parameters()
                    .forEach(
                            (name, array) -> {
                                HostTensor gradient = HostTensor.copyOf(Autograd.gradient(array));
                                // B = 0 stops what would reach A.
                                assertThat(gradient.norm() > 0)
                                        .as(name)
                                        .isEqualTo(name.endsWith("lora_B"));
                            });
            for (LoraLinear linear : backbone.linears()) {
                assertThat(Autograd.gradient(linear.weight().getArray())).isNull();
            }
        }
    }

    /** Central differences in double precision, for an adapter whose A and B both matter. */
    @Test
    void gradientsMatchFiniteDifferences() {
        try (TinyBackbone exact = TinyBackbone.random(DataType.FLOAT64, 1);
                InjectedLora lora =
                        LoraInjector.attach(
                                exact, RandomAdapters.of(exact, CONFIG, 5), "task", 1, true)) {
            GradientMode.ON.run(() -> Autograd.backward(loss(exact)));
            for (Map.Entry<String, NDArray> entry : lora.parameters().entrySet()) {
                assertThat(entry.getValue().getDataType()).isEqualTo(DataType.FLOAT64);
                float slope = HostTensor.copyOf(Autograd.gradient(entry.getValue())).get(7);
                double step = 1e-4;
                double difference =
                        (lossWith(exact, entry.getValue(), step)
                                        - lossWith(exact, entry.getValue(), -step))
                                / (2 * step);
                assertThat(difference).as(entry.getKey()).isCloseTo(slope, within(1e-5));
            }
        }
    }

    private NDArray loss(Backbone model) {
        return model.features(pixels).square().sum();
    }

    /** The loss with the array's element 7 moved. */
    private double lossWith(Backbone model, NDArray array, double step) {
        return GradientMode.OFF.get(
                () -> {
                    double[] unit = new double[(int) array.size()];
                    unit[7] = step;
                    NDArray move = scope.create(unit, array.getShape());
                    array.addi(move);
                    double loss = loss(model).toDoubleArray()[0];
                    array.subi(move);
                    return loss;
                });
    }

    @Test
    void attachingWithOppositeFactorsCancels() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        HostTensor before = features();
        try (InjectedLora plus = LoraInjector.attach(backbone, adapter, "plus", 1, false)) {
            assertThat(distance(features(), before)).isGreaterThan(0.01);
            assertThat(plus.toAdapter(Map.of())).isEqualTo(adapter);
            try (InjectedLora minus = LoraInjector.attach(backbone, adapter, "minus", -1, false)) {
                assertThat(distance(features(), before)).isLessThan(1e-6);
                assertThat(minus.toAdapter(Map.of())).isEqualTo(AdapterMath.negate(adapter));
                minus.setScale(0);
                plus.setScale(0);
                assertThat(features()).isEqualTo(before);
            }
        }
        assertThat(features()).isEqualTo(before);
    }

    static double distance(HostTensor x, HostTensor y) {
        double greatest = 0;
        for (int i = 0; i < x.size(); i++) {
            greatest = Math.max(greatest, Math.abs(x.get(i) - y.get(i)));
        }
        return greatest;
    }

    @Test
    void assignOverwritesInPlaceAndKeepsGradients() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        try (InjectedLora lora = LoraInjector.inject(backbone, CONFIG, "task", 3)) {
            NDArray b = lora.factors().get(QUERY).b();
            lora.assign(adapter);
            assertThat(lora.toAdapter(Map.of())).isEqualTo(adapter);
            assertThat(HostTensor.copyOf(b)).isEqualTo(adapter.layer(QUERY).b());
            assertThat(b.hasGradient()).isTrue();
            GradientMode.ON.run(() -> Autograd.backward(backbone.features(pixels).square().sum()));
            assertThat(HostTensor.copyOf(Autograd.gradient(b)).norm()).isPositive();

            LoraAdapter other =
                    RandomAdapters.of(backbone, CONFIG.toBuilder().rank(2).alpha(4).build(), 5);
            assertThatThrownBy(() -> lora.assign(other)).hasMessageContaining("expected (3, 48)");
            assertThatThrownBy(() -> lora.assign(AdapterMath.negate(adapter)))
                    .hasMessageContaining("has the scale -2.0, expected 2.0");
            Map<String, LoraAdapter.Factors> fewer = Map.of(QUERY, adapter.layer(QUERY));
            assertThatThrownBy(() -> lora.assign(adapter.withLayers(fewer)))
                    .hasMessageContaining("has the layers");
            assertThatThrownBy(() -> lora.assign(poisoned(adapter)))
                    .hasMessageContaining("not finite");
            assertThat(lora.toAdapter(Map.of())).isEqualTo(adapter);
        }
    }

    private static LoraAdapter poisoned(LoraAdapter adapter) {
        Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>(adapter.layers());
        float[] a = layers.get(QUERY).a().toArray();
        a[5] = Float.NaN;
        HostTensor poison = HostTensor.of(a, 3, 48);
        layers.put(QUERY, new LoraAdapter.Factors(poison, layers.get(QUERY).b(), 2));
        return adapter.withLayers(layers);
    }

    @Test
    void refusesTargetsThatMatchNothing() {
        assertThatThrownBy(
                        () ->
                                LoraInjector.inject(
                                        backbone,
                                        CONFIG.toBuilder().targetModules("query", "valeu").build(),
                                        "task",
                                        3))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "target module 'valeu' matches no adaptable layer of the backbone, nearest"
                                + " are [encoder.layer.0.attention.value,");
        assertThatThrownBy(
                        () ->
                                LoraInjector.inject(
                                        backbone,
                                        CONFIG.toBuilder().targetRegex("blocks.*").build(),
                                        "task",
                                        3))
                .hasMessageContaining("chooses no adaptable layer");
        assertThatThrownBy(
                        () ->
                                LoraInjector.inject(
                                        backbone,
                                        CONFIG.toBuilder().layersToTransform(7).build(),
                                        "task",
                                        3))
                .hasMessageContaining("chooses no adaptable layer");
    }

    @Test
    void refusesAdaptersThatDoNotFitAndLeavesNothingBehind() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        Map<String, LoraAdapter.Factors> foreign = new LinkedHashMap<>(adapter.layers());
        foreign.put("encoder.layer.2.attention.query", adapter.layer(QUERY));
        refuses(adapter.withLayers(foreign), "no adaptable layer encoder.layer.2.attention.query");
        Map<String, LoraAdapter.Factors> misshapen = new LinkedHashMap<>(adapter.layers());
        misshapen.put("encoder.layer.1.attention.value", adapter.layer(QUERY));
        refuses(adapter.withLayers(misshapen), "expected (r, 12) and (12, r)");
        refuses(poisoned(adapter), "not finite");

        // A name that is taken in the second of the layers only.
        try (InjectedLora taken =
                LoraInjector.inject(
                        backbone, CONFIG.toBuilder().targetModules("value").build(), "task", 3)) {
            assertThat(taken.name()).isEqualTo("task");
            int before = backbone.manager().getManagedArrays().size();
            refuses(adapter, "adapter task is already in this layer");
            assertThat(backbone.loraLayers().get(QUERY).names()).isEmpty();
            assertThat(backbone.loraLayers().get("encoder.layer.0.attention.value").names())
                    .containsExactly("task");
            assertThat(backbone.manager().getManagedArrays()).hasSize(before);
        }
    }

    private void refuses(LoraAdapter adapter, String message) {
        assertThatThrownBy(() -> LoraInjector.attach(backbone, adapter, "task", 1, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
        assertThat(backbone.loraLayers().get(QUERY).names()).isEmpty();
    }

    @Test
    void forksCarryAdaptersOfTheirOwn() {
        HostTensor before = features();
        try (Backbone fork = backbone.fork();
                InjectedLora lora =
                        LoraInjector.attach(
                                fork, RandomAdapters.of(fork, CONFIG, 5), "task", 1, false)) {
            assertThat(lora.isTrainable()).isFalse();
            assertThat(features()).isEqualTo(before);
            HostTensor adapted =
                    GradientMode.OFF.get(() -> HostTensor.copyOf(fork.features(pixels)));
            assertThat(distance(adapted, before)).isGreaterThan(0.01);
        }
    }

    @Test
    void nothingIsLeftAfterManyCycles() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        int arrays = backbone.manager().getManagedArrays().size();
        for (int i = 0; i < 50; i++) {
            InjectedLora lora = LoraInjector.inject(backbone, CONFIG, "task", i);
            lora.assign(adapter);
            lora.setTrainable(false);
            assertThat(lora.toAdapter(Map.of())).isEqualTo(adapter);
            NDArray a = lora.factors().get(QUERY).a();
            lora.close();
            lora.close();
            assertThat(((NativeResource<?>) a).isReleased()).isTrue();
            assertThatThrownBy(lora::stopDropout).isInstanceOf(IllegalStateException.class);
            assertThat(backbone.manager().getManagedArrays()).hasSize(arrays);
        }
    }

    @Test
    void anAdapterOutlivesTheScopeItIsMadeIn() {
        List<InjectedLora> made = new ArrayList<>();
        Scope.run(() -> made.add(LoraInjector.inject(backbone, CONFIG, "task", 3)));
        try (InjectedLora lora = made.get(0)) {
            assertThat(lora.toAdapter(Map.of()).norm()).isZero();
            assertThat(features().isFinite()).isTrue();
        }
    }

    @Test
    void dropoutFollowsItsSeedAndKeepsTheMean() {
        LoraConfig config = CONFIG.toBuilder().dropout(0.25).build();
        LoraAdapter adapter = RandomAdapters.of(backbone, config, 5);
        try (InjectedLora lora = LoraInjector.attach(backbone, adapter, "task", 1, true)) {
            HostTensor plain = features();
            lora.startDropout(1);
            HostTensor first = features();
            HostTensor second = features();
            lora.startDropout(1);
            assertThat(features()).isEqualTo(first).isNotEqualTo(second).isNotEqualTo(plain);
            lora.startDropout(2);
            assertThat(features()).isNotEqualTo(first);
            lora.stopDropout();
            assertThat(features()).isEqualTo(plain);
        }
        // The mean is kept where the output is linear in the dropped input: one layer alone.
        LoraLinear layer = backbone.linear(QUERY);
        NDArray x = scope.ones(new Shape(20_000, 48));
        ParameterStore store = new ParameterStore(scope, false);
        try (InjectedLora lora = LoraInjector.attach(backbone, adapter, "task", 1, false)) {
            HostTensor plain = HostTensor.copyOf(layer.apply(store, x, false).mean(new int[] {0}));
            lora.startDropout(3);
            HostTensor dropped =
                    HostTensor.copyOf(layer.apply(store, x, false).mean(new int[] {0}));
            assertThat(dropped).isNotEqualTo(plain);
            assertThat(distance(dropped, plain)).isLessThan(0.05);
        }
    }
}
