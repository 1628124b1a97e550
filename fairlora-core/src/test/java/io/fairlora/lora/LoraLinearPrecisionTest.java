package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scope;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LoraLinearPrecisionTest {

    private final SplittableRandom random = new SplittableRandom(1);
    private NDManager manager;
    private ParameterStore store;
    private LoraLinear layer;
    private NDArray weight;
    private NDArray x;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager("PyTorch");
        store = new ParameterStore(manager, false);
        layer = new LoraLinear(32, 24, true);
        weight = normal(24, 32);
        set(layer.weight(), weight);
        set(layer.bias(), normal(24));
        x = normal(5, 7, 32);
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

    private static void set(Parameter parameter, NDArray array) {
        parameter.setShape(null);
        parameter.setArray(array);
        parameter.freeze(true);
    }

    private NDArray apply(Precision precision) {
        layer.setPrecision(precision);
        return layer.apply(store, x, false);
    }

    private static double error(NDArray actual, NDArray expected) {
        return HostTensor.copyOf(actual.sub(expected)).norm() / HostTensor.copyOf(expected).norm();
    }

    @Test
    void adaptersOfAnyScaleAreSummed() {
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isBetween(1e-5, 1e-2);
        layer.addAdapter("one", new LoraLayer.Adapter(normal(4, 32), normal(24, 4), 1));
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isBetween(1e-5, 1e-2);
        layer.addAdapter("two", new LoraLayer.Adapter(normal(2, 32), normal(24, 2), -0.5));
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isBetween(1e-5, 1e-2);
        layer.removeAdapter("one");
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isBetween(1e-5, 1e-2);
    }

    @Test
    void dropoutDropsTheSameInputs() {
        layer.addAdapter("one", new LoraLayer.Adapter(normal(4, 32), normal(24, 4), 1));
        NDArray whole = apply(Precision.SINGLE);
        layer.setDropout("one", 0.5, 7);
        NDArray single = apply(Precision.SINGLE);
        layer.setDropout("one", 0.5, 7);
        NDArray half = apply(Precision.BF16);
        assertThat(error(single, whole)).isGreaterThan(0.1);
        assertThat(error(half, single)).isBetween(1e-5, 1e-2);
    }

    @Test
    void adaptersReceiveGradientsUnderTheirScales() {
        List<NDArray> leaves =
                List.of(x, normal(4, 32), normal(24, 4), normal(2, 32), normal(24, 2));
        leaves.forEach(leaf -> leaf.setRequiresGradient(true));
        layer.addAdapter("one", new LoraLayer.Adapter(leaves.get(1), leaves.get(2), 2));
        layer.addAdapter("two", new LoraLayer.Adapter(leaves.get(3), leaves.get(4), -0.5));
        List<NDArray> expected = gradients(leaves, Precision.SINGLE);
        List<NDArray> actual = gradients(leaves, Precision.BF16);
        for (int i = 0; i < leaves.size(); i++) {
            assertThat(error(actual.get(i), expected.get(i))).isBetween(1e-5, 2e-2);
        }
    }

    @Test
    void aWeightThatRequiresGradientsReceivesThem() {
        weight.setRequiresGradient(true);
        NDArray expected = gradients(List.of(weight), Precision.SINGLE).get(0);
        NDArray actual = gradients(List.of(weight), Precision.BF16).get(0);
        assertThat(error(actual, expected)).isBetween(1e-5, 2e-2);
    }

    private List<NDArray> gradients(List<NDArray> leaves, Precision precision) {
        leaves.forEach(Autograd::zeroGradient);
        GradientMode.ON.run(() -> Autograd.backward(apply(precision).square().mean()));
        return leaves.stream().map(leaf -> Autograd.gradient(leaf).duplicate()).toList();
    }

    @Test
    void aChangedWeightIsSeenByTheLayerAndItsForksOnceAnnounced() {
        NDArray before = apply(Precision.BF16);
        LoraLinear fork = layer.fork();
        weight.muli(2);
        NDArray stale = layer.apply(store, x, false);
        assertThat(stale).isEqualTo(before);

        layer.weightChanged();

        NDArray expected = apply(Precision.SINGLE);
        assertThat(error(apply(Precision.BF16), expected)).isLessThan(1e-2);
        assertThat(error(fork.apply(store, x, false), expected)).isLessThan(1e-2);
    }

    @Test
    void aWeightTrainedForAWhileAndFrozenAgainIsSeen() {
        apply(Precision.BF16);
        weight.setRequiresGradient(true);
        GradientMode.ON.run(() -> apply(Precision.BF16));
        weight.setRequiresGradient(false);
        weight.muli(2);
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isLessThan(1e-2);
    }

    @Test
    void anotherWeightFromTheStoreIsNoticed() {
        apply(Precision.BF16);
        NDArray other = normal(24, 32);
        store =
                new ParameterStore(manager, false) {
                    @Override
                    public NDArray getValue(Parameter parameter, Device device, boolean training) {
                        return parameter == layer.weight()
                                ? other
                                : super.getValue(parameter, device, training);
                    }
                };
        assertThat(error(apply(Precision.BF16), apply(Precision.SINGLE))).isLessThan(1e-2);
    }

    @Test
    void aForkTakesThePrecisionAndThenGoesItsOwnWay() {
        layer.setPrecision(Precision.BF16);
        LoraLinear fork = layer.fork();
        assertThat(fork.precision()).isEqualTo(Precision.BF16);
        NDArray plain = layer.apply(store, x, false);
        fork.addAdapter("own", new LoraLayer.Adapter(normal(4, 32), normal(24, 4), 1));
        fork.setPrecision(Precision.SINGLE);
        assertThat(layer.precision()).isEqualTo(Precision.BF16);
        assertThat(layer.names()).isEmpty();
        assertThat(layer.apply(store, x, false)).isEqualTo(plain);
    }

    @Test
    void handlesStayLevel() {
        NDArray a = normal(4, 32);
        NDArray b = normal(24, 4);
        a.setRequiresGradient(true);
        b.setRequiresGradient(true);
        layer.addAdapter("one", new LoraLayer.Adapter(a, b, 2));
        layer.addAdapter("two", new LoraLayer.Adapter(normal(2, 32), normal(24, 2), -0.5));
        Runnable step =
                () ->
                        Scope.run(
                                () ->
                                        GradientMode.ON.run(
                                                () ->
                                                        Autograd.backward(
                                                                apply(Precision.BF16).sum())));
        step.run();
        int before = manager.getManagedArrays().size();
        for (int i = 0; i < 50; i++) {
            step.run();
        }
        assertThat(manager.getManagedArrays().size()).isEqualTo(before);
    }

    @Test
    void withoutAScopeWhatIsMadeBelongsToTheInput() {
        layer.addAdapter("one", new LoraLayer.Adapter(normal(4, 32), normal(24, 4), 2));
        layer.addAdapter("two", new LoraLayer.Adapter(normal(2, 32), normal(24, 2), -0.5));
        apply(Precision.BF16);
        int before = manager.getManagedArrays().size();
        try (NDManager own = manager.newSubManager()) {
            NDArray mine = own.ones(x.getShape());
            assertThat(layer.apply(store, mine, false).getManager()).isSameAs(own);
        }
        assertThat(manager.getManagedArrays().size()).isEqualTo(before);
    }
}
