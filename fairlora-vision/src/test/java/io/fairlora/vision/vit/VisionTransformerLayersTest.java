package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.BiasedLayer;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.lora.LoraLayer;
import io.fairlora.lora.MergedAdapter;
import io.fairlora.lora.TrainedBias;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scope;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class VisionTransformerLayersTest {

    private static final int LAYERS = 3;

    private static VisionTransformer vit(Pooling pooling) {
        VitConfig config = VitConfig.of(64, LAYERS, 4, 32, 8).withPooling(pooling);
        VisionTransformer vit = VisionTransformer.random(config, DataType.FLOAT32, Device.cpu(), 1);
        // Weights as small as those of a fresh model would hide what the layers compute.
        vit.loraLayers().values().forEach(linear -> linear.weight().getArray().muli(5));
        return vit;
    }

    private static NDArray pixels(NDManager manager) {
        byte[] bytes = new byte[4 * 3 * 32 * 32];
        new SplittableRandom(2).nextBytes(bytes);
        return manager.create(ByteBuffer.wrap(bytes), new Shape(4, 3, 32, 32), DataType.UINT8);
    }

    private static LoraConfig onLayers(int... layers) {
        return LoraConfig.builder()
                .rank(4)
                .targetModules("query", "key", "value", "output.dense", "intermediate.dense")
                .layersToTransform(layers)
                .build();
    }

    /** An adapter that changes something: its B is not zero. */
    private static LoraAdapter adapter(VisionTransformer vit, LoraConfig config) {
        try (VisionTransformer fork = vit.fork();
                InjectedLora injected = LoraInjector.inject(fork, config, "random", 3)) {
            SplittableRandom random = new SplittableRandom(4);
            injected.parameters()
                    .values()
                    .forEach(
                            p -> {
                                float[] values = new float[Math.toIntExact(p.size())];
                                for (int i = 0; i < values.length; i++) {
                                    values[i] = (float) (0.1 * random.nextGaussian());
                                }
                                p.set(values);
                            });
            return injected.toAdapter(Map.of());
        }
    }

    private static HostTensor compute(VisionTransformer vit, Function<NDArray, NDArray> function) {
        try (NDManager scope = vit.manager().newSubManager()) {
            return HostTensor.copyOf(GradientMode.OFF.get(() -> function.apply(pixels(scope))));
        }
    }

    private static void assertClose(HostTensor actual, HostTensor expected, double tolerance) {
        assertThat(actual.shape()).isEqualTo(expected.shape());
        assertThat(actual.toArray()).containsExactly(expected.toArray(), within((float) tolerance));
    }

    @ParameterizedTest
    @CsvSource({"CLS, SINGLE", "MEAN, SINGLE", "CLS, BF16", "MEAN, BF16"})
    void goingOnFromAnyLayerGivesTheFeatures(Pooling pooling, Precision precision) {
        try (VisionTransformer vit = vit(pooling)) {
            vit.setPrecision(precision);
            LoraConfig all = onLayers(IntStream.range(0, LAYERS).toArray());
            try (InjectedLora injected =
                    LoraInjector.attach(vit, adapter(vit, all), "task", 1, false)) {
                HostTensor features = compute(vit, vit::features);
                for (int k = 0; k <= LAYERS; k++) {
                    int layer = k;
                    HostTensor again =
                            compute(vit, x -> vit.featuresFrom(vit.hidden(x, layer), layer));
                    assertClose(again, features, precision == Precision.SINGLE ? 1e-5 : 0.05);
                }
                assertThat(injected.parameters()).isNotEmpty();
            }
        }
    }

    /** The shortcut through the last layer, against the class token among all tokens. */
    @ParameterizedTest
    @EnumSource(Precision.class)
    void theClassTokenIsThatOfTheWholeEncoding(Precision precision) {
        try (VisionTransformer vit = vit(Pooling.CLS)) {
            vit.setPrecision(precision);
            LoraConfig last = onLayers(LAYERS - 1);
            try (InjectedLora injected =
                    LoraInjector.attach(vit, adapter(vit, last), "task", 1, true)) {
                Function<NDArray, NDArray> whole =
                        x -> vit.encode(vit.embed(vit.patches(x))).get(":, 0");
                double tolerance = precision == Precision.SINGLE ? 1e-5 : 0.05;
                assertClose(compute(vit, vit::features), compute(vit, whole), tolerance);
                Map<String, HostTensor> expected = gradients(vit, injected, whole);
                Map<String, HostTensor> found = gradients(vit, injected, vit::features);
                expected.forEach(
                        (name, gradient) -> {
                            assertThat(gradient.norm()).as(name).isPositive();
                            assertClose(found.get(name), gradient, tolerance * gradient.norm());
                        });
            }
        }
    }

    private static Map<String, HostTensor> gradients(
            VisionTransformer vit, InjectedLora injected, Function<NDArray, NDArray> features) {
        Map<String, HostTensor> gradients = new LinkedHashMap<>();
        Scope.run(
                () -> {
                    try (NDManager scope = vit.manager().newSubManager()) {
                        Autograd.backward(
                                GradientMode.ON.get(
                                        () -> {
                                            // The norm of normalised features has no gradient.
                                            NDArray y = features.apply(pixels(scope));
                                            return y.mul(scope.arange(64f)).sum();
                                        }));
                    }
                });
        injected.parameters()
                .forEach(
                        (name, p) -> {
                            try (NDArray gradient = Autograd.gradient(p)) {
                                gradients.put(name, HostTensor.copyOf(gradient));
                            }
                            Autograd.zeroGradient(p);
                        });
        return gradients;
    }

    @Test
    void theStemChangesWithWhateverChangesTheHiddenStates() {
        try (VisionTransformer vit = vit(Pooling.CLS);
                VisionTransformer other = vit(Pooling.CLS);
                VisionTransformer fork = vit.fork()) {
            Object stem = vit.stem(2);
            assertThat(fork.stem(2)).isEqualTo(stem).hasSameHashCodeAs(stem);
            assertThat(vit.stem(1)).isNotEqualTo(stem);
            assertThat(other.stem(2)).isNotEqualTo(stem);
            LoraAdapter above = adapter(vit, onLayers(2));
            LoraAdapter below = adapter(vit, onLayers(1));
            try (InjectedLora injected = LoraInjector.attach(vit, above, "above", 1, false)) {
                assertThat(injected.parameters()).isNotEmpty();
                assertThat(vit.stem(2)).isEqualTo(stem);
            }
            try (InjectedLora injected = LoraInjector.attach(vit, below, "below", 1, false)) {
                assertThat(injected.parameters()).isNotEmpty();
                assertThat(vit.stem(2)).isNotEqualTo(stem).isNotEqualTo(vit.stem(2));
                assertThat(fork.stem(2)).isEqualTo(stem);
            }
            LoraLayer lower = vit.loraLayers().values().iterator().next();
            lower.replaceBias(lower.bias().getArray());
            assertThat(vit.stem(2)).isNotEqualTo(stem);
            lower.replaceBias(null);
            assertThat(vit.stem(2)).isEqualTo(stem);
            AdapterMath.merge(vit, above);
            assertThat(vit.stem(2)).isEqualTo(stem);
            AdapterMath.merge(vit, below);
            assertThat(vit.stem(2)).isNotEqualTo(stem).isEqualTo(fork.stem(2));
            fork.setPrecision(Precision.BF16);
            assertThat(fork.stem(2)).isNotEqualTo(vit.stem(2));
        }
    }

    /** A bias of a layer below, of a norm or not, cannot change what is kept unnoticed. */
    @Test
    void theStemChangesWithEveryBiasBelow() {
        try (VisionTransformer vit = vit(Pooling.CLS)) {
            Function<NDArray, NDArray> hidden = x -> vit.hidden(x, 2);
            HostTensor before = compute(vit, hidden);
            Object stem = vit.stem(2);
            assertThat(vit.biasedLayers()).hasSize(1 + 8 * LAYERS + 1);
            int changed = 0;
            for (Map.Entry<String, BiasedLayer> layer : vit.biasedLayers().entrySet()) {
                boolean below = !layer.getKey().matches("encoder\\.layer\\.2\\..*|layernorm");
                try (NDArray other = layer.getValue().bias().getArray().add(0.5)) {
                    layer.getValue().replaceBias(other);
                    assertThat(layer.getValue().isPlain()).isFalse();
                    assertThat(vit.stem(2).equals(stem)).as(layer.getKey()).isEqualTo(!below);
                    boolean moved = !compute(vit, hidden).equals(before);
                    assertThat(below || !moved).as(layer.getKey()).isTrue();
                    changed += moved ? 1 : 0;
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> layer.getValue().replaceBias(other))
                            .withMessageContaining("already replaced");
                } finally {
                    layer.getValue().replaceBias(null);
                }
                assertThat(vit.stem(2)).isEqualTo(stem);
            }
            // A bias of the keys moves all scores of a query alike, up to rounding.
            assertThat(changed).isBetween(1 + 7 * 2, 1 + 8 * 2);
            assertThat(compute(vit, hidden)).isEqualTo(before);
        }
    }

    /** Weights that are trained themselves are never taken for those of an earlier pass. */
    @Test
    void theStemChangesWithWhatIsTrainedBelow() {
        try (VisionTransformer vit = vit(Pooling.CLS)) {
            for (String name :
                    List.of(
                            "embeddings.position_embeddings",
                            "encoder.layer.0.layernorm_after.bias",
                            "encoder.layer.1.layernorm_before.weight",
                            "encoder.layer.0.output.dense.bias")) {
                Object stem = vit.stem(2);
                NDArray weight = vit.weights().get(name).getArray();
                weight.setRequiresGradient(true);
                compute(vit, vit::features);
                assertThat(vit.stem(2)).as(name).isNotEqualTo(stem);
                weight.setRequiresGradient(false);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Precision.class)
    void mergedBiasesOfLayersWithoutAdapterAreSeen(Precision precision) {
        LoraConfig config =
                onLayers(2).toBuilder().targetModules("query").bias(TrainedBias.ALL).build();
        try (VisionTransformer vit = vit(Pooling.CLS)) {
            vit.setPrecision(precision);
            HostTensor before = compute(vit, vit::features);
            Object stem = vit.stem(2);
            LoraAdapter adapter = adapter(vit, config);
            HostTensor adapted;
            try (InjectedLora injected = LoraInjector.attach(vit, adapter, "all", 1, false)) {
                assertThat(injected.isEnabled()).isTrue();
                assertThat(vit.stem(2)).isNotEqualTo(stem);
                adapted = compute(vit, vit::features);
            }
            MergedAdapter merged = AdapterMath.merge(vit, adapter);
            assertThat(vit.stem(2)).isNotEqualTo(stem);
            double tolerance = precision == Precision.SINGLE ? 1e-5 : 0.05;
            assertClose(compute(vit, vit::features), adapted, tolerance);
            assertThat(distance(adapted, before)).isGreaterThan(10 * tolerance);
            Object mergedStem = vit.stem(2);
            merged.unmerge();
            assertThat(vit.stem(2)).isNotEqualTo(stem).isNotEqualTo(mergedStem);
            assertClose(compute(vit, vit::features), before, tolerance);
        }
    }

    private static double distance(HostTensor x, HostTensor y) {
        double greatest = 0;
        for (int i = 0; i < x.size(); i++) {
            greatest = Math.max(greatest, Math.abs(x.get(i) - y.get(i)));
        }
        return greatest;
    }

    @Test
    void aLayerThatIsNotThereIsRefused() {
        try (VisionTransformer vit = vit(Pooling.CLS);
                NDManager scope = vit.manager().newSubManager()) {
            NDArray pixels = pixels(scope);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vit.hidden(pixels, LAYERS + 1))
                    .withMessage("layer must be in 0..3, found 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> vit.featuresFrom(pixels, -1))
                    .withMessage("layer must be in 0..3, found -1");
        }
    }
}
