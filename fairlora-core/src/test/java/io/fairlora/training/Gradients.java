package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/** Compares gradients with central differences, in double precision. */
public final class Gradients {

    private static final double STEP = 1e-5;

    private Gradients() {}

    /** Asserts that back-propagation gives every parameter the loss's gradient. */
    public static void assertMatch(Map<String, NDArray> parameters, Supplier<NDArray> loss) {
        Scope.run(() -> Autograd.backward(GradientMode.ON.get(loss)));
        boolean[] moved = new boolean[1];
        parameters.forEach(
                (name, parameter) -> {
                    double[] expected = byDifferences(parameter, loss);
                    try (NDArray gradient = Autograd.gradient(parameter)) {
                        // A parameter that the loss does not mention has no gradient.
                        double[] found =
                                gradient == null
                                        ? new double[expected.length]
                                        : gradient.toDoubleArray();
                        assertThat(found).as(name).containsExactly(expected, within(1e-7));
                    }
                    for (double slope : expected) {
                        moved[0] |= Math.abs(slope) > 1e-4;
                    }
                    Autograd.zeroGradient(parameter);
                });
        assertThat(moved[0]).as("some gradient is not zero").isTrue();
    }

    /** The gradient by central differences. */
    public static double[] byDifferences(NDArray parameter, Supplier<NDArray> loss) {
        assertThat(parameter.getDataType()).isEqualTo(DataType.FLOAT64);
        double[] slopes = new double[(int) parameter.size()];
        for (int i = 0; i < slopes.length; i++) {
            slopes[i] =
                    (lossAt(parameter, i, STEP, loss) - lossAt(parameter, i, -STEP, loss))
                            / (2 * STEP);
        }
        return slopes;
    }

    private static double lossAt(
            NDArray parameter, int index, double step, Supplier<NDArray> loss) {
        double[] value = new double[1];
        GradientMode.OFF.run(
                () ->
                        Scope.run(
                                () -> {
                                    double[] unit = new double[(int) parameter.size()];
                                    unit[index] = step;
                                    NDArray move =
                                            parameter
                                                    .getManager()
                                                    .create(unit, parameter.getShape());
                                    parameter.addi(move);
                                    value[0] = loss.get().toDoubleArray()[0];
                                    parameter.subi(move);
                                }));
        return value[0];
    }

    /** A head with weights of ordinary size. */
    public static LinearHead.Weights head(int classes, int features, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] weight = new float[classes * features];
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (float) random.nextGaussian();
        }
        float[] bias = new float[classes];
        for (int i = 0; i < classes; i++) {
            bias[i] = (float) random.nextGaussian();
        }
        return new LinearHead.Weights(
                HostTensor.of(weight, classes, features), HostTensor.of(bias, classes));
    }
}
