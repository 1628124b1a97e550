package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FusedProjectionTest {

    private static final int IN = 10;
    private static final int OUT = 6;
    private static final List<String> PARTS = List.of("l.query", "l.key", "l.value");
    private static final FusedProjection QKV = new FusedProjection("l.qkv", PARTS);

    private NDManager scope;
    private NDArray x;
    private final Map<String, LoraLinear> separate = new LinkedHashMap<>();
    private LoraLinear fused;

    @BeforeEach
    void setUp() {
        scope = NDManager.newBaseManager("PyTorch");
        x = scope.randomNormal(new Shape(4, 3, IN));
        NDList weights = new NDList();
        NDList biases = new NDList();
        for (String part : PARTS) {
            NDArray weight = scope.randomNormal(new Shape(OUT, IN));
            NDArray bias = scope.randomNormal(new Shape(OUT));
            weights.add(weight);
            biases.add(bias);
            separate.put(part, layer(weight, bias));
        }
        fused = layer(NDArrays.concat(weights), NDArrays.concat(biases));
    }

    @AfterEach
    void tearDown() {
        scope.close();
    }

    private static LoraLinear layer(NDArray weight, NDArray bias) {
        return LoraLinear.over(parameter("weight", weight), parameter("bias", bias));
    }

    private static Parameter parameter(String name, NDArray array) {
        Parameter parameter =
                Parameter.builder().setName(name).setType(Parameter.Type.OTHER).build();
        parameter.setArray(array);
        return parameter;
    }

    private static Factors random(int rank, double scale, boolean bias, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return new Factors(
                RandomAdapters.tensor(random, rank, IN),
                RandomAdapters.tensor(random, OUT, rank),
                scale,
                bias ? RandomAdapters.tensor(random, 1, OUT).reshape(new Shape(OUT)) : null,
                null,
                LayerKind.LINEAR);
    }

    private static LoraAdapter adapter(boolean bias, Map<String, Factors> layers) {
        return LoraAdapter.of(
                LoraConfig.builder().targetRegex(".*").loraBias(bias).build(), layers);
    }

    private HostTensor apply(LoraLinear layer, Factors factors) {
        LoraLinear fork = layer.fork();
        if (factors != null) {
            HostTensor bias = factors.bias();
            fork.addAdapter(
                    "one",
                    new LoraLayer.Adapter(
                            factors.a().toNDArray(scope),
                            factors.b().toNDArray(scope),
                            factors.scale(),
                            bias == null ? null : bias.toNDArray(scope),
                            null,
                            null));
        }
        return HostTensor.copyOf(fork.apply(new ParameterStore(scope, false), x, false));
    }

    /** The fused layer's output is the separate layers' outputs side by side. */
    private void assertSame(LoraAdapter ofParts, LoraAdapter ofFused) {
        NDList outputs = new NDList();
        for (String part : PARTS) {
            Factors factors = ofParts.layers().get(part);
            outputs.add(apply(separate.get(part), factors).toNDArray(scope));
        }
        HostTensor expected = HostTensor.copyOf(NDArrays.concat(outputs, 2));
        HostTensor found = apply(fused, ofFused.layer("l.qkv"));
        assertThat(LoraInjectorTest.distance(found, expected)).isLessThan(1e-5);
    }

    @Test
    void anAdapterOnQueryAndValueIsOneOnTheFusedLayer() {
        LoraAdapter adapter =
                adapter(
                        false,
                        Map.of(
                                "l.query",
                                random(2, 2, false, 1),
                                "l.value",
                                random(3, 2, false, 2)));
        LoraAdapter onto = FusedProjection.fuse(adapter, List.of(QKV));
        assertThat(onto.layer("l.qkv").rank()).isEqualTo(5);
        assertThat(onto.layer("l.qkv").scale()).isEqualTo(2);
        assertThat(onto.config().matches("l.qkv")).isTrue();
        assertSame(adapter, onto);
        assertSame(FusedProjection.split(onto, List.of(QKV)), onto);
    }

    @Test
    void scalesAndBiasesComeAlongAndOtherLayersStay() {
        Factors other = random(1, 1, true, 9);
        Map<String, Factors> layers = new LinkedHashMap<>();
        layers.put("l.value", random(3, -0.5, true, 2));
        layers.put("l.key", random(2, 4, true, 1));
        layers.put("l.output", other);
        LoraAdapter adapter = adapter(true, layers);
        LoraAdapter onto = FusedProjection.fuse(adapter, List.of(QKV));
        assertThat(onto.layers().keySet()).containsExactlyInAnyOrder("l.qkv", "l.output");
        assertThat(onto.layer("l.output")).isEqualTo(other);
        assertSame(adapter, onto);
        LoraAdapter back = FusedProjection.split(onto, List.of(QKV));
        assertThat(back.layers().keySet())
                .containsExactlyInAnyOrder("l.query", "l.key", "l.value", "l.output");
        assertSame(back, onto);
    }

    @Test
    void refusesWhatIsNoFusedLayer() {
        LoraAdapter adapter =
                adapter(
                        false,
                        Map.of(
                                "l.query",
                                random(2, 2, false, 1),
                                "l.value",
                                new Factors(
                                        HostTensor.of(new float[3], 1, 3),
                                        HostTensor.of(new float[OUT], OUT, 1),
                                        2)));
        assertThatThrownBy(() -> FusedProjection.fuse(adapter, List.of(QKV)))
                .hasMessage("layer l.value is (6, 3), other parts of l.qkv are (6, 10)");
        LoraAdapter odd = adapter(false, Map.of("l.qkv", random(2, 2, false, 1)));
        FusedProjection four = new FusedProjection("l.qkv", List.of("a", "b", "c", "d"));
        assertThatThrownBy(() -> FusedProjection.split(odd, List.of(four)))
                .hasMessage("layer l.qkv has 6 rows, which are not those of 4 layers of one size");
        assertThatThrownBy(() -> new FusedProjection("l.qkv", List.of("a")))
                .hasMessageContaining("at least two parts");
        // Without a part of the projection nothing changes.
        LoraAdapter elsewhere = adapter(false, Map.of("x", random(2, 2, false, 1)));
        assertThat(FusedProjection.fuse(elsewhere, List.of(QKV)).layers())
                .isEqualTo(elsewhere.layers());
    }
}
