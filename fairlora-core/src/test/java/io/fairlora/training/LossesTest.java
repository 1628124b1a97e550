package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Values by hand, and gradients of everything trainable by central differences in doubles. */
class LossesTest {

    private static final LoraConfig CONFIG =
            LoraConfig.builder().rank(3).alpha(6).targetModules("value").build();
    private static final int[] LABELS = {2, 0, 1, 2, 0};
    private static final float[] WEIGHTS = {1, 0.5f, 0, 2, 0.25f};

    private TinyBackbone backbone;
    private AdaptedModel model;
    private NDManager scope;
    private NDArray pixels;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT64, 1);
        scope = NDManager.newBaseManager("PyTorch");
        pixels = TinyBackbone.pixels(scope, LABELS.length, 2);
        model =
                new AdaptedModel(
                        backbone,
                        TinyAdapters.random(backbone, CONFIG, 5),
                        Gradients.head(3, backbone.featureSize(), 6));
        model.setTrainable(true);
    }

    @AfterEach
    void tearDown() {
        model.close();
        scope.close();
        backbone.close();
    }

    private NDArray logits() {
        return model.head().logits(model.backbone().features(pixels));
    }

    private void assertGradients(Supplier<NDArray> loss) {
        Gradients.assertMatch(model.parameters(), loss);
    }

    @Test
    void weightedCrossEntropyHasItsGradient() {
        assertGradients(() -> Losses.crossEntropy(logits(), LABELS, WEIGHTS));
    }

    @Test
    void ascentOnCrossEntropyHasItsGradient() {
        assertGradients(() -> Losses.crossEntropy(logits(), LABELS, WEIGHTS).neg());
    }

    @Test
    void entropyHasItsGradient() {
        assertGradients(() -> Losses.entropy(logits()).neg());
    }

    @Test
    void crossEntropyByHand() {
        NDArray logits = scope.create(new double[][] {{0, Math.log(3)}, {0, 0}, {5, -5}});
        // -log(3/4), -log(1/2), and one that does not count.
        double expected = (2 * Math.log(4 / 3.0) + Math.log(2)) / 3;
        assertThat(value(Losses.crossEntropy(logits, new int[] {1, 0, 1}, new float[] {2, 1, 0})))
                .isCloseTo(expected, within(1e-12));
    }

    @Test
    void withoutWeightThereIsNoLoss() {
        NDArray logits = scope.create(new double[][] {{0, 1}, {2, 0}});
        assertThat(value(Losses.crossEntropy(logits, new int[] {1, 0}, new float[2]))).isZero();
    }

    @Test
    void entropyIsBetweenZeroAndTheLogarithmOfTheClasses() {
        assertThat(value(Losses.entropy(scope.create(new double[][] {{1, 1, 1}}))))
                .isCloseTo(Math.log(3), within(1e-12));
        assertThat(value(Losses.entropy(scope.create(new double[][] {{900, 0, -900}}))))
                .isCloseTo(0, within(1e-12));
        double even = Math.log(2) / 2;
        assertThat(value(Losses.entropy(scope.create(new double[][] {{0, 0, -900}, {900, 0, 0}}))))
                .isCloseTo(even, within(1e-12));
    }

    private static double value(NDArray scalar) {
        return scalar.toDoubleArray()[0];
    }
}
