package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AdapterMathTest {

    private static final LoraConfig CONFIG = LoraConfig.builder().rank(3).alpha(6).build();
    private static final LoraConfig OTHER =
            LoraConfig.builder().rank(2).alpha(5).targetModules("query", "dense").build();
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

    private HostTensor features(LoraAdapter... adapters) {
        try (Backbone fork = backbone.fork()) {
            List<InjectedLora> attached = new ArrayList<>();
            for (LoraAdapter adapter : adapters) {
                String name = "a" + attached.size();
                attached.add(LoraInjector.attach(fork, adapter, name, 1, false));
            }
            HostTensor features =
                    GradientMode.OFF.get(() -> HostTensor.copyOf(fork.features(pixels)));
            attached.forEach(InjectedLora::close);
            return features;
        }
    }

    private static Factors random(int out, int in, int rank, double scale, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return new Factors(
                RandomAdapters.tensor(random, rank, in),
                RandomAdapters.tensor(random, out, rank),
                scale);
    }

    private static LoraAdapter oneLayer(Factors factors) {
        LoraConfig config = LoraConfig.builder().rank(factors.rank()).alpha(factors.rank()).build();
        return LoraAdapter.of(config, Map.of(QUERY, factors));
    }

    /** The product that the library never forms. */
    private static double[] explicit(Factors f) {
        double[] delta = new double[f.outputSize() * f.inputSize()];
        for (int o = 0; o < f.outputSize(); o++) {
            for (int i = 0; i < f.inputSize(); i++) {
                double sum = 0;
                for (int k = 0; k < f.rank(); k++) {
                    sum += (double) f.b().get(o * f.rank() + k) * f.a().get(k * f.inputSize() + i);
                }
                delta[o * f.inputSize() + i] = f.scale() * sum;
            }
        }
        return delta;
    }

    private static double distance(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += (x[i] - y[i]) * (x[i] - y[i]);
        }
        return Math.sqrt(sum);
    }

    @Test
    void negatingTwiceIsTheIdentityBitForBit() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        LoraAdapter twice = AdapterMath.negate(AdapterMath.negate(adapter));
        assertThat(twice).isEqualTo(adapter);
        assertThat(twice.digest()).isEqualTo(adapter.digest());
        assertThat(AdapterMath.negate(adapter).digest()).isNotEqualTo(adapter.digest());
        assertThat(AdapterMath.negate(adapter).norm()).isEqualTo(adapter.norm());
    }

    @Test
    void anAdapterAndItsOppositeChangeNothing() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        LoraAdapter nothing = AdapterMath.add(adapter, AdapterMath.negate(adapter));
        assertThat(nothing.norm()).isLessThan(1e-6);
        assertThat(LoraInjectorTest.distance(features(nothing), features())).isLessThan(1e-6);
    }

    @Test
    void theSumComputesWhatBothTogetherDo() {
        LoraAdapter first = RandomAdapters.of(backbone, CONFIG, 5);
        LoraAdapter second = AdapterMath.scale(RandomAdapters.of(backbone, OTHER, 6), -0.3);
        LoraAdapter sum = AdapterMath.add(first, second);
        assertThat(sum.layer(QUERY).rank()).isEqualTo(5);
        assertThat(sum.layer("encoder.layer.0.attention.value"))
                .isEqualTo(first.layer("encoder.layer.0.attention.value"));
        assertThat(LoraInjectorTest.distance(features(sum), features(first, second)))
                .isLessThan(1e-6);
        assertThat(LoraInjectorTest.distance(features(sum), features(first))).isGreaterThan(1e-3);
        assertThat(sum.layers().keySet()).allMatch(sum.config()::matches);
    }

    @Test
    void oneAdapterIsItsOwnSum() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        assertThat(AdapterMath.add(List.of(adapter))).isSameAs(adapter);
        assertThatThrownBy(() -> AdapterMath.add(List.of())).hasMessageContaining("at least one");
    }

    @Test
    void savedModulesAreKeptUnlessTheyDiffer() {
        LoraAdapter plain = RandomAdapters.of(backbone, CONFIG, 5);
        HostTensor head = HostTensor.of(new float[] {1, 2}, 2);
        LoraAdapter with = plain.withSavedModules(Map.of("classifier.bias", head));
        assertThat(AdapterMath.add(plain, with).savedModules())
                .containsExactly(Map.entry("classifier.bias", head));
        assertThat(AdapterMath.add(with, with).savedModules()).hasSize(1);
        LoraAdapter different =
                plain.withSavedModules(
                        Map.of("classifier.bias", HostTensor.of(new float[] {1, 3}, 2)));
        assertThatThrownBy(() -> AdapterMath.add(with, different))
                .hasMessageContaining("classifier.bias");
    }

    @Property(tries = 100)
    void theNormIsThatOfTheExplicitProduct(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 9) int out,
            @ForAll @IntRange(min = 1, max = 9) int in,
            @ForAll @IntRange(min = 1, max = 12) int rank) {
        Factors factors = random(out, in, rank, -1.7, seed);
        double[] delta = explicit(factors);
        assertThat(oneLayer(factors).norm())
                .isCloseTo(distance(delta, new double[delta.length]), within(1e-6));
    }

    /** Eckart and Young: the error is the norm of the singular values left out, here by power. */
    @Property(tries = 100)
    void refactoringToTheFullRankChangesNothing(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 9) int out,
            @ForAll @IntRange(min = 1, max = 9) int in,
            @ForAll @IntRange(min = 1, max = 12) int rank) {
        Factors factors = random(out, in, rank, -1.7, seed);
        int full = Math.min(Math.min(out, in), rank);
        Factors same = AdapterMath.refactor(oneLayer(factors), full).layer(QUERY);
        assertThat(same.rank()).isEqualTo(full);
        assertThat(distance(explicit(same), explicit(factors))).isLessThan(1e-5);
    }

    @Property(tries = 100)
    void refactoringFindsALowRankInNoise(@ForAll long seed) {
        Factors low = random(8, 7, 2, 1, seed);
        Factors noise = random(8, 7, 4, 1e-4, ~seed);
        LoraAdapter sum = AdapterMath.add(oneLayer(low), oneLayer(noise));
        LoraAdapter found = AdapterMath.refactor(sum, 2);
        double left = distance(explicit(found.layer(QUERY)), explicit(sum.layer(QUERY)));
        // The best approximation is at least as near as the one that was planted.
        double[] zero = new double[56];
        assertThat(left).isLessThanOrEqualTo(distance(explicit(noise), zero) + 1e-6);
        assertThat(found.config().scaling()).isCloseTo(found.layer(QUERY).scale(), within(1e-12));
    }

    @Test
    void refactoringOfDiagonalProductKeepsTheGreatest() {
        HostTensor a = HostTensor.of(new float[] {3, 0, 0, 0, 1, 0, 0, 0, 2}, 3, 3);
        HostTensor b = HostTensor.of(new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3);
        Factors best = AdapterMath.refactor(oneLayer(new Factors(a, b, 1)), 2).layer(QUERY);
        assertThat(distance(explicit(best), new double[] {3, 0, 0, 0, 0, 0, 0, 0, 2}))
                .isLessThan(1e-6);
        // The factors share the singular values evenly.
        assertThat(best.a().norm()).isCloseTo(Math.sqrt(5), within(1e-6));
        assertThat(best.b().norm()).isCloseTo(Math.sqrt(5), within(1e-6));
        assertThatThrownBy(() -> AdapterMath.refactor(oneLayer(best), 0))
                .hasMessageContaining("at least 1");
    }

    @Test
    void mergingComputesWhatTheAdapterDoesAndUnmergingRestores() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        Map<String, HostTensor> weights = weights();
        HostTensor before = features();
        HostTensor adapted = features(adapter);
        int arrays = backbone.manager().getManagedArrays().size();

        AdapterMath.merge(backbone, adapter);
        assertThat(LoraInjectorTest.distance(features(), adapted)).isLessThan(1e-5);
        assertThat(LoraInjectorTest.distance(features(), before)).isGreaterThan(0.01);
        AdapterMath.unmerge(backbone, adapter);
        assertThat(LoraInjectorTest.distance(features(), before)).isLessThan(1e-5);
        weights.forEach(
                (path, weight) ->
                        assertThat(LoraInjectorTest.distance(weights().get(path), weight))
                                .isLessThan(1e-6));
        assertThat(backbone.manager().getManagedArrays()).hasSize(arrays);
    }

    private Map<String, HostTensor> weights() {
        Map<String, HostTensor> weights = new LinkedHashMap<>();
        backbone.loraLayers()
                .forEach((path, l) -> weights.put(path, HostTensor.copyOf(l.weight().getArray())));
        return weights;
    }

    @Test
    void mergingRefusesWhatOverflowsAndChangesNothing() {
        Map<String, HostTensor> weights = weights();
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        Map<String, Factors> layers = new LinkedHashMap<>(adapter.layers());
        String last = "encoder.layer.1.attention.value";
        layers.put(last, layers.get(last).withScale(1e300));
        assertThatThrownBy(() -> AdapterMath.merge(backbone, adapter.withLayers(layers)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("weights of " + last);
        assertThat(weights()).isEqualTo(weights);
    }

    @Test
    void adaptersAreValues() {
        LoraAdapter adapter = RandomAdapters.of(backbone, CONFIG, 5);
        Map<String, Factors> reversed = new LinkedHashMap<>();
        adapter.layers().entrySet().stream()
                .sorted(Map.Entry.<String, Factors>comparingByKey().reversed())
                .forEach(e -> reversed.put(e.getKey(), e.getValue()));
        LoraAdapter same = adapter.withLayers(reversed);
        assertThat(same).isEqualTo(adapter).hasSameHashCodeAs(adapter);
        assertThat(same.digest()).isEqualTo(adapter.digest()).matches("[0-9a-f]{64}");
        assertThat(adapter.byteSize()).isEqualTo(4 * (2 * 3 * (48 + 12) + 2 * 3 * (12 + 12)));
        assertThat(adapter.isFinite()).isTrue();
        assertThat(adapter.withProvenance(Map.of("seed", "7")).digest())
                .isEqualTo(adapter.digest());
        HostTensor head = HostTensor.of(new float[] {Float.NaN}, 1);
        assertThat(adapter.withSavedModules(Map.of("c.bias", head)).isFinite()).isFalse();
        assertThatThrownBy(() -> adapter.layer("x")).hasMessageContaining("no layer x");
        assertThatThrownBy(() -> adapter.withLayers(Map.of())).hasMessageContaining("at least one");
        HostTensor square = HostTensor.of(new float[4], 2, 2);
        HostTensor wide = HostTensor.of(new float[6], 2, 3);
        assertThatThrownBy(() -> new Factors(square, wide, 1))
                .hasMessageContaining("expected (r, in) and (out, r)");
        assertThatThrownBy(() -> new Factors(square, square, Double.NaN))
                .hasMessageContaining("finite");
    }
}
