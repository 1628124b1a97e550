package io.fairlora.ndarray;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelsTest {

    private NDManager manager;
    private SplittableRandom random;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager("PyTorch");
        random = new SplittableRandom(1);
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private NDArray normal(long... shape) {
        float[] values = new float[Math.toIntExact(new Shape(shape).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return HostTensor.of(values, shape).toNDArray(manager);
    }

    private static double error(NDArray actual, NDArray expected) {
        try (NDArray difference = actual.sub(expected)) {
            return HostTensor.copyOf(difference).norm() / HostTensor.copyOf(expected).norm();
        }
    }

    private NDArray gradient(Precision precision, NDArray of, NDArray x, NDArray w, NDArray b) {
        List.of(x, w).forEach(Autograd::zeroGradient);
        if (b != null) {
            Autograd.zeroGradient(b);
        }
        GradientMode.ON.run(
                () ->
                        Autograd.backward(
                                Kernels.linear(x, w, b, precision).square().mul(0.5).sum()));
        return Autograd.gradient(of).duplicate();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void bfloat16LinearAgreesWithSinglePrecision(boolean biased) {
        NDArray x = normal(3, 5, 48);
        NDArray w = normal(20, 48);
        NDArray b = biased ? normal(20) : null;

        NDArray y = Kernels.linear(x, w, b, Precision.BF16);

        NDArray expected = Kernels.linear(x, w, b, Precision.SINGLE);
        assertThat(y.getDataType()).isEqualTo(DataType.FLOAT32);
        assertThat(y.getShape()).isEqualTo(new Shape(3, 5, 20));
        assertThat(y.getManager()).isSameAs(manager);
        // Equal would mean that nothing was rounded.
        assertThat(error(y, expected)).isBetween(1e-5, 1e-2);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void bfloat16GradientsReachInputWeightAndBias(boolean biased) {
        NDArray x = normal(3, 5, 48);
        NDArray w = normal(20, 48);
        NDArray b = biased ? normal(20) : null;
        for (NDArray leaf : biased ? List.of(x, w, b) : List.of(x, w)) {
            leaf.setRequiresGradient(true);
        }
        for (NDArray leaf : biased ? List.of(x, w, b) : List.of(x, w)) {
            NDArray expected = gradient(Precision.SINGLE, leaf, x, w, b);
            NDArray actual = gradient(Precision.BF16, leaf, x, w, b);
            assertThat(error(actual, expected)).isBetween(1e-5, 2e-2);
        }
    }

    @Test
    void namesOfArraysAreNotMistakenForStructure() {
        NDArray x = normal(4, 8);
        NDArray w = normal(6, 8);
        NDArray expected = Kernels.linear(x, w, null, Precision.BF16);
        x.setName("layer.0");
        w.setName("w[]");
        assertThat(Kernels.linear(x, w, null, Precision.BF16)).isEqualTo(expected);
    }

    @Test
    void doublePrecisionIsRefused() {
        NDArray x = normal(4, 8).toType(DataType.FLOAT64, true);
        NDArray w = normal(6, 8);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Kernels.linear(x, w, null, Precision.BF16))
                .withMessageContaining("float32")
                .withMessageContaining("x of type float64")
                .withMessageContaining("SINGLE");
    }
}
