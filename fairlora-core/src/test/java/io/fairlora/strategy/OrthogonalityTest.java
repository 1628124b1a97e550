package io.fairlora.strategy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.strategy.Orthogonality.Space;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.AdapterPenalty;
import io.fairlora.training.Gradients;
import io.fairlora.training.Losses;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OrthogonalityTest {

    private static final LoraConfig OWN =
            LoraConfig.builder().rank(3).alpha(6).targetModules("value").build();
    private static final LoraConfig OTHER =
            LoraConfig.builder().rank(2).alpha(2).targetModules("value").build();
    private static final int[] LABELS = {2, 0, 1};

    private TinyBackbone backbone;
    private NDManager scope;
    private LoraAdapter own;
    private LoraAdapter sensitive;
    private AdaptedModel model;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT64, 1);
        scope = NDManager.newBaseManager("PyTorch");
        own = TinyAdapters.random(backbone, OWN, 5);
        sensitive = TinyAdapters.random(backbone, OTHER, 8);
        model = model(own);
    }

    private AdaptedModel model(LoraAdapter adapter) {
        AdaptedModel made =
                new AdaptedModel(backbone, adapter, Gradients.head(3, backbone.featureSize(), 6));
        made.setTrainable(true);
        return made;
    }

    @AfterEach
    void tearDown() {
        model.close();
        scope.close();
        backbone.close();
    }

    private static Orthogonality strategy(Space space, boolean normalized) {
        return Orthogonality.builder()
                .space(space)
                .normalized(normalized)
                .lambda(0.7)
                .auditorEpochs(1)
                .build();
    }

    private static double[][] matrix(HostTensor tensor) {
        int rows = (int) tensor.shape().get(0);
        int columns = (int) tensor.shape().get(1);
        double[][] matrix = new double[rows][columns];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                matrix[i][j] = tensor.get(i * columns + j);
            }
        }
        return matrix;
    }

    private static double[][] transposed(double[][] x) {
        double[][] result = new double[x[0].length][x.length];
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < x[0].length; j++) {
                result[j][i] = x[i][j];
            }
        }
        return result;
    }

    private static double[][] product(double[][] x, double[][] y) {
        double[][] result = new double[x.length][y[0].length];
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < y[0].length; j++) {
                for (int k = 0; k < y.length; k++) {
                    result[i][j] += x[i][k] * y[k][j];
                }
            }
        }
        return result;
    }

    /** The sum of the products of the elements. */
    private static double inner(double[][] x, double[][] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < x[0].length; j++) {
                sum += x[i][j] * y[i][j];
            }
        }
        return sum;
    }

    /** The definition, with every matrix formed. */
    private static double explicit(Factors f, Factors g, Space space, boolean normalized) {
        double[][] a = matrix(f.a());
        double[][] b = matrix(f.b());
        double[][] c = matrix(g.a());
        double[][] d = matrix(g.b());
        double raw;
        double norms;
        switch (space) {
            case INPUT -> {
                double[][] gram = product(a, transposed(c));
                raw = inner(gram, gram);
                norms = inner(a, a) * inner(c, c);
            }
            case OUTPUT -> {
                double[][] gram = product(transposed(b), d);
                raw = inner(gram, gram);
                norms = inner(b, b) * inner(d, d);
            }
            default -> {
                double[][] first = product(b, a);
                double[][] second = product(d, c);
                raw = Math.pow(inner(first, second), 2);
                norms = inner(first, first) * inner(second, second);
            }
        }
        return normalized ? raw / norms : raw;
    }

    @ParameterizedTest
    @CsvSource({
        "INPUT, true",
        "INPUT, false",
        "OUTPUT, true",
        "OUTPUT, false",
        "WEIGHT, true",
        "WEIGHT, false"
    })
    void thePenaltyIsItsDefinition(Space space, boolean normalized) {
        Orthogonality strategy = strategy(space, normalized);
        double sum = 0;
        for (Map.Entry<String, Factors> layer : own.layers().entrySet()) {
            double expected =
                    explicit(layer.getValue(), sensitive.layer(layer.getKey()), space, normalized);
            assertThat(value(strategy.overlap(model.adapter(), layer.getKey(), sensitive)))
                    .isCloseTo(expected, within(1e-9 * (1 + expected)));
            if (normalized) {
                assertThat(expected).isBetween(0.0, 1.0);
            }
            sum += expected;
        }
        assertThat(sum).isGreaterThan(1e-3);
        assertThat(value(strategy.penalty(sensitive).of(model.adapter())))
                .isCloseTo(0.7 * sum, within(1e-9 * (1 + sum)));
    }

    @ParameterizedTest
    @CsvSource({
        "INPUT, true",
        "INPUT, false",
        "OUTPUT, true",
        "OUTPUT, false",
        "WEIGHT, true",
        "WEIGHT, false"
    })
    void theLossHasItsGradient(Space space, boolean normalized) {
        AdapterPenalty penalty = strategy(space, normalized).penalty(sensitive);
        Gradients.assertMatch(model.adapter().parameters(), () -> penalty.of(model.adapter()));
        NDArray pixels = TinyBackbone.pixels(scope, LABELS.length, 2);
        Gradients.assertMatch(
                model.parameters(),
                () ->
                        Losses.crossEntropy(
                                        model.head().logits(model.backbone().features(pixels)),
                                        LABELS,
                                        new float[] {1, 2, 0.5f})
                                .add(penalty.of(model.adapter())));
    }

    @Test
    void anAdapterOverlapsItselfWholly() {
        for (String path : own.layers().keySet()) {
            assertThat(value(strategy(Space.WEIGHT, true).overlap(model.adapter(), path, own)))
                    .isCloseTo(1, within(1e-9));
        }
    }

    @Test
    void anAdapterThatChangesNothingYetHasAFinitePenalty() {
        try (AdaptedModel fresh = new AdaptedModel(backbone, OWN, 3, 4)) {
            for (Space space : Space.values()) {
                double penalty =
                        value(strategy(space, true).penalty(sensitive).of(fresh.adapter()));
                assertThat(penalty).as(space.name()).isFinite();
                if (space != Space.INPUT) {
                    assertThat(penalty).isZero();
                }
            }
        }
    }

    @Test
    void settingsOutsideTheirRangesAreRefused() {
        assertThatThrownBy(() -> Orthogonality.builder().lambda(-1).build())
                .hasMessage("lambda must be at least 0, found -1.0");
        assertThatThrownBy(() -> Orthogonality.builder().auditorEpochs(0).build())
                .hasMessage("auditor epochs must be at least 1, found 0");
        assertThatThrownBy(
                        () -> strategy(Space.INPUT, true).overlap(model.adapter(), "x", sensitive))
                .hasMessage("the adapter has no layer x");
    }

    private static double value(NDArray scalar) {
        return GradientMode.OFF.get(() -> scalar.toDoubleArray()[0]);
    }
}
