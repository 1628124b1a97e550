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
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The laws of random initialisations; those from the base are in {@link LoraVariantsGoldenTest}.
 */
class InitializationTest {

    private static final String QUERY = "encoder.layer.0.attention.query";
    private static final int IN = 48;
    private static final int OUT = 12;

    private TinyBackbone backbone;
    private NDManager scope;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT32, 1);
        scope = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        scope.close();
        backbone.close();
    }

    private static LoraConfig config(Initialization initialization, int rank) {
        return LoraConfig.builder().rank(rank).alpha(6).initialization(initialization).build();
    }

    private Factors fresh(LoraConfig config, long seed) {
        try (InjectedLora lora = LoraInjector.inject(backbone, config, "fresh", seed)) {
            return lora.toAdapter(Map.of()).layer(QUERY);
        }
    }

    private static double rootMeanSquare(HostTensor tensor) {
        return tensor.norm() / Math.sqrt(tensor.size());
    }

    private static double greatest(HostTensor tensor) {
        double greatest = 0;
        for (float value : tensor.toArray()) {
            greatest = Math.max(greatest, Math.abs(value));
        }
        return greatest;
    }

    @Test
    void gaussianHasTheStandardDeviationOfOneOverTheRank() {
        Factors factors = fresh(config(Initialization.GAUSSIAN, 100), 3);
        assertThat(rootMeanSquare(factors.a())).isCloseTo(0.01, within(0.0004));
        assertThat(greatest(factors.a())).isGreaterThan(0.03);
        assertThat(factors.b().norm()).isZero();
    }

    @Test
    void randomFillsBothFactorsWithinTheirBounds() {
        Factors factors =
                fresh(config(Initialization.RANDOM, 100).toBuilder().loraBias(true).build(), 3);
        double boundA = 1 / Math.sqrt(IN);
        double boundB = 1 / Math.sqrt(100);
        assertThat(greatest(factors.a())).isBetween(0.98 * boundA, boundA);
        assertThat(greatest(factors.b())).isBetween(0.98 * boundB, boundB);
        assertThat(rootMeanSquare(factors.b())).isCloseTo(boundB / Math.sqrt(3), within(0.003));
        assertThat(greatest(factors.bias())).isBetween(0.5 * boundB, boundB);
    }

    @Test
    void orthogonalFactorsAreDenseAndTheirProductVanishes() {
        Factors factors = fresh(config(Initialization.ORTHOGONAL, 40), 3);
        NDArray product = factors.b().toNDArray(scope).matMul(factors.a().toNDArray(scope));
        assertThat(greatest(HostTensor.copyOf(product))).isLessThan(1e-6);
        // A row of A is the sum of r / 2 normals of deviation 1/10 times an orthonormal column's
        // half: each element has the variance 1/2 * 1/100.
        assertThat(rootMeanSquare(factors.a())).isCloseTo(0.1 / Math.sqrt(2), within(0.005));
        assertThat(rootMeanSquare(factors.b())).isCloseTo(0.1 / Math.sqrt(2), within(0.01));
    }

    @ParameterizedTest
    @EnumSource(names = "EVA", mode = EnumSource.Mode.EXCLUDE)
    void everyInitialisationFollowsTheSeedAndStartsWhereItShould(Initialization initialization) {
        LoraConfig config = config(initialization, 4);
        NDArray pixels = TinyBackbone.pixels(scope, 5, 2);
        HostTensor before = features(pixels);
        Factors first = fresh(config, 3);
        assertThat(fresh(config, 3)).isEqualTo(first);
        boolean fromBase = initialization.changesBase();
        assertThat(fresh(config, 4).equals(first)).isEqualTo(fromBase);
        assertThat(first.scale()).isEqualTo(1.5);
        try (InjectedLora lora = LoraInjector.inject(backbone, config, "fresh", 3)) {
            assertThat(lora.isTrainable()).isTrue();
            double moved = LoraInjectorTest.distance(features(pixels), before);
            if (initialization == Initialization.RANDOM) {
                assertThat(moved).isGreaterThan(1e-3);
            } else {
                assertThat(moved).isLessThan(1e-5);
            }
        }
        assertThat(features(pixels)).isEqualTo(before);
    }

    private HostTensor features(NDArray pixels) {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(pixels)));
    }

    /** PiSSA's product is the best of its rank: what is left has the other singular values. */
    @Test
    void pissaTakesTheGreatestSingularValues() {
        Factors factors = fresh(config(Initialization.PISSA, OUT), 1);
        NDArray product =
                factors.b()
                        .toNDArray(scope)
                        .matMul(factors.a().toNDArray(scope))
                        .mul(factors.scale());
        NDArray weight = backbone.loraLayers().get(QUERY).weight().getArray();
        assertThat(LoraInjectorTest.distance(HostTensor.copyOf(product), HostTensor.copyOf(weight)))
                .isLessThan(1e-5);
        double before = Double.POSITIVE_INFINITY;
        for (int k = 0; k < OUT; k++) {
            double square = 0;
            for (int i = 0; i < IN; i++) {
                square += Math.pow(factors.a().get(k * IN + i), 2);
            }
            assertThat(square).isLessThanOrEqualTo(before);
            before = square;
        }
    }

    @Test
    void aBaseTooSmallForTheRankIsNamed() {
        assertThatThrownBy(() -> fresh(config(Initialization.PISSA, OUT + 1), 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "layer encoder.layer.0.attention.query is (12, 48), of which PISSA takes a"
                                + " rank of at most 12, found 13");
        assertThatThrownBy(() -> fresh(config(Initialization.EVA, 2), 1))
                .hasMessageContaining("EVA comes from a data set");
        assertThat(backbone.loraLayers().get(QUERY).names()).isEmpty();
    }

    /** What is no sum of products says so instead of computing something else. */
    @Test
    void relativeAdaptersRefuseArithmeticUntilTheyStandAlone() {
        LoraAdapter adapter;
        NDArray pixels = TinyBackbone.pixels(scope, 5, 2);
        HostTensor adapted;
        try (InjectedLora lora =
                LoraInjector.inject(backbone, config(Initialization.PISSA, 4), "fresh", 3)) {
            lora.parameters()
                    .values()
                    .forEach(array -> GradientMode.OFF.run(() -> array.addi(0.1)));
            adapter = lora.toAdapter(Map.of());
            adapted = features(pixels);
            lora.setScale(2);
            assertThatThrownBy(() -> lora.toAdapter(Map.of()))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("set it to 1");
        }
        LoraAdapter fixed = adapter;
        assertThat(adapter.isAdditive()).isFalse();
        assertThatThrownBy(() -> AdapterMath.scale(fixed, 2))
                .hasMessage(
                        "an adapter with the initialisation PISSA cannot be scaled; make it"
                                + " standalone first");
        assertThatThrownBy(() -> AdapterMath.add(fixed, fixed)).hasMessageContaining("added");
        assertThatThrownBy(fixed::norm).hasMessageContaining("without its backbone");
        assertThatThrownBy(() -> AdapterMath.refactor(fixed, 2)).hasMessageContaining("rank");
        assertThatThrownBy(() -> AdapterMath.unmerge(backbone, fixed))
                .hasMessageContaining("unmerged by its values alone");
        LoraAdapter standalone = AdapterMath.standalone(backbone, adapter);
        assertThat(standalone.norm()).isPositive();
        // Negated, it takes the change away.
        try (InjectedLora plus = LoraInjector.attach(backbone, standalone, "plus", 1, false)) {
            assertThat(plus.factors().get(QUERY).a().getShape().get(0)).isEqualTo(8);
            assertThat(LoraInjectorTest.distance(features(pixels), adapted)).isLessThan(1e-5);
        }
        assertThat(AdapterMath.standalone(backbone, standalone)).isSameAs(standalone);
    }
}
