package io.fairlora.ndarray;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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

    private AdaptedLinear adapted(NDArray w, NDArray b, NDArray a, NDArray c) {
        return new AdaptedLinear(FrozenLinear.of(w, b), a, c);
    }

    private static NDArray reference(NDArray x, NDArray w, NDArray b, NDArray a, NDArray c) {
        return Kernels.linear(x, w, b, Precision.SINGLE)
                .add(x.matMul(a.transpose()).matMul(c.transpose()));
    }

    /** Values and gradients of two computations of the same thing, all within 2 %. */
    private void assertAgree(
            List<NDArray> leaves, Supplier<NDArray> actual, Supplier<NDArray> expected) {
        leaves.forEach(leaf -> leaf.setRequiresGradient(true));
        NDArray weights = normal(expected.get().getShape().getShape());
        List<NDArray> values = new ArrayList<>();
        List<List<NDArray>> gradients = new ArrayList<>();
        for (Supplier<NDArray> computation : List.of(actual, expected)) {
            leaves.forEach(Autograd::zeroGradient);
            GradientMode.ON.run(
                    () -> {
                        NDArray y = computation.get();
                        values.add(y);
                        Autograd.backward(y.mul(weights).sum());
                    });
            gradients.add(
                    leaves.stream().map(leaf -> Autograd.gradient(leaf).duplicate()).toList());
        }
        assertThat(values.get(0).getDataType()).isEqualTo(DataType.FLOAT32);
        assertThat(values.get(0).getManager()).isSameAs(manager);
        assertThat(error(values.get(0), values.get(1))).isBetween(1e-5, 1e-2);
        for (int i = 0; i < leaves.size(); i++) {
            assertThat(error(gradients.get(0).get(i), gradients.get(1).get(i)))
                    .as("gradient of leaf %s", i)
                    .isBetween(1e-5, 2e-2);
        }
    }

    @Test
    void frozenLinearWithLowRankTermAgrees() {
        NDArray x = normal(3, 5, 48);
        NDArray w = normal(20, 48);
        NDArray b = normal(20);
        NDArray a = normal(4, 48);
        NDArray c = normal(20, 4).mul(0.1);
        AdaptedLinear layer = adapted(w, b, a, c);
        assertAgree(
                List.of(x, a, c), () -> Kernels.linear(x, layer), () -> reference(x, w, b, a, c));
    }

    @Test
    void frozenLinearWithoutBiasOrLowRankTermAgrees() {
        NDArray x = normal(7, 48);
        NDArray w = normal(20, 48);
        AdaptedLinear layer = AdaptedLinear.plain(FrozenLinear.of(w, null));
        assertAgree(
                List.of(x),
                () -> Kernels.linear(x, layer),
                () -> Kernels.linear(x, w, null, Precision.SINGLE));
    }

    @Test
    void frozenWeightReceivesNoGradient() {
        NDArray x = normal(7, 48);
        NDArray w = normal(20, 48);
        x.setRequiresGradient(true);
        w.setRequiresGradient(true);
        AdaptedLinear layer = AdaptedLinear.plain(FrozenLinear.of(w, null));
        GradientMode.ON.run(() -> Autograd.backward(Kernels.linear(x, layer).sum()));
        assertThat(Autograd.gradient(w)).isNull();
        assertThat(Autograd.gradient(x)).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void mlpAgrees(boolean tanh) {
        NDArray x = normal(3, 5, 16);
        NDArray w1 = normal(64, 16).mul(0.25);
        NDArray b1 = normal(64);
        NDArray a1 = normal(2, 16);
        NDArray c1 = normal(64, 2).mul(0.1);
        NDArray w2 = normal(16, 64).mul(0.125);
        NDArray b2 = normal(16);
        AdaptedLinear first = adapted(w1, b1, a1, c1);
        AdaptedLinear second = AdaptedLinear.plain(FrozenLinear.of(w2, b2));
        assertAgree(
                List.of(x, a1, c1),
                () -> Kernels.mlp(x, first, second, tanh),
                () -> {
                    NDArray h = reference(x, w1, b1, a1, c1);
                    NDArray inner = h.add(h.mul(h).mul(h).mul(0.044715));
                    NDArray g =
                            tanh
                                    ? h.mul(0.5)
                                            .mul(inner.mul(Math.sqrt(2 / Math.PI)).tanh().add(1))
                                    : Activation.gelu(h);
                    return Kernels.linear(g, w2, b2, Precision.SINGLE);
                });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void attentionAgrees(boolean firstOnly) {
        int d = 16;
        int heads = 4;
        NDArray x = normal(3, 5, d);
        List<NDArray> w = Stream.generate(() -> normal(d, d).mul(0.25)).limit(4).toList();
        List<NDArray> b = Stream.generate(() -> normal(d).mul(0.25)).limit(4).toList();
        List<NDArray> a = Stream.generate(() -> normal(2, d)).limit(4).toList();
        List<NDArray> c = Stream.generate(() -> normal(d, 2).mul(0.1)).limit(4).toList();
        List<AdaptedLinear> l =
                IntStream.range(0, 4)
                        .mapToObj(i -> adapted(w.get(i), b.get(i), a.get(i), c.get(i)))
                        .toList();
        Shape split = new Shape(3, 5, heads, d / heads);
        List<NDArray> leaves = new ArrayList<>(List.of(x));
        leaves.addAll(a);
        leaves.addAll(c);
        assertAgree(
                leaves,
                () ->
                        Kernels.attention(
                                x, heads, l.get(0), l.get(1), l.get(2), l.get(3), firstOnly),
                () -> {
                    List<NDArray> qkv =
                            IntStream.range(0, 3)
                                    .mapToObj(
                                            i ->
                                                    reference(
                                                                    x, w.get(i), b.get(i), a.get(i),
                                                                    c.get(i))
                                                            .reshape(split)
                                                            .transpose(0, 2, 1, 3))
                                    .toList();
                    NDArray scores = qkv.get(0).matMul(qkv.get(1).transpose(0, 1, 3, 2));
                    NDArray mixed =
                            scores.mul(1 / Math.sqrt((double) d / heads))
                                    .softmax(-1)
                                    .matMul(qkv.get(2))
                                    .transpose(0, 2, 1, 3)
                                    .reshape(3, 5, d);
                    NDArray all = reference(mixed, w.get(3), b.get(3), a.get(3), c.get(3));
                    return firstOnly ? all.get(":, :1") : all;
                });
    }

    @Test
    void nothingIsRecordedWithGradientsOff() {
        NDArray x = normal(4, 8);
        x.setRequiresGradient(true);
        NDArray y =
                GradientMode.OFF.get(() -> Kernels.linear(x, normal(6, 8), null, Precision.BF16));
        assertThatThrownBy(() -> Autograd.backward(y.sum())).hasMessageContaining("grad");
        assertThat(Autograd.gradient(x)).isNull();
    }

    @Test
    void gradientModeMayChangeFromCallToCall() {
        NDArray x = normal(4, 8);
        NDArray w = normal(6, 8);
        NDArray first = Kernels.linear(x, w, null, Precision.BF16);
        for (int i = 0; i < 6; i++) {
            boolean on = i % 2 == 0;
            x.setRequiresGradient(on);
            NDArray y =
                    (on ? GradientMode.ON : GradientMode.OFF)
                            .get(() -> Kernels.linear(x, w, null, Precision.BF16));
            assertThat(Autograd.detach(y)).isEqualTo(first);
            if (on) {
                GradientMode.ON.run(() -> Autograd.backward(y.sum()));
                assertThat(HostTensor.copyOf(Autograd.gradient(x)).norm()).isPositive();
            }
        }
    }

    @Test
    void handlesStayLevel() {
        NDArray x = normal(4, 8);
        x.setRequiresGradient(true);
        AdaptedLinear layer = adapted(normal(6, 8), null, normal(2, 8), normal(6, 2));
        Runnable step =
                () ->
                        GradientMode.ON.run(
                                () -> {
                                    try (NDArray y = Kernels.linear(x, layer);
                                            NDArray sum = y.sum()) {
                                        Autograd.backward(sum);
                                    }
                                });
        step.run();
        int before = manager.getManagedArrays().size();
        for (int i = 0; i < 50; i++) {
            step.run();
        }
        assertThat(manager.getManagedArrays().size()).isEqualTo(before);
    }

    @Test
    void closingAFrozenLinearFreesWhatItHolds() {
        NDArray w = normal(6, 8);
        int before = manager.getManagedArrays().size();
        try (FrozenLinear frozen = FrozenLinear.of(w, null)) {
            assertThat(frozen.inputSize()).isEqualTo(8);
            assertThat(frozen.outputSize()).isEqualTo(6);
        }
        assertThat(manager.getManagedArrays().size()).isEqualTo(before);
    }

    @Test
    void aFrozenLinearOutlivesTheScopeItIsMadeIn() {
        NDArray x = normal(4, 8);
        NDArray w = normal(6, 8);
        List<FrozenLinear> made = new ArrayList<>();
        Scope.run(() -> made.add(FrozenLinear.of(w, null)));
        assertThat(Kernels.linear(x, AdaptedLinear.plain(made.get(0))).getShape())
                .isEqualTo(new Shape(4, 6));
    }

    @Test
    void severalThreadsGetTheBitsOfOne() throws Exception {
        NDArray x = normal(16, 33, 64);
        AdaptedLinear layer = adapted(normal(64, 64), normal(64), normal(4, 64), normal(64, 4));
        HostTensor expected =
                HostTensor.copyOf(Kernels.attention(x, 4, layer, layer, layer, layer, false));
        Callable<Boolean> work =
                () -> {
                    for (int i = 0; i < 10; i++) {
                        try (NDManager own = manager.newSubManager()) {
                            NDArray mine = x.duplicate();
                            mine.attach(own);
                            NDArray y =
                                    GradientMode.OFF.get(
                                            () ->
                                                    Kernels.attention(
                                                            mine, 4, layer, layer, layer, layer,
                                                            false));
                            if (!HostTensor.copyOf(y).equals(expected)) {
                                return false;
                            }
                        }
                    }
                    return true;
                };
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            for (Future<Boolean> same : threads.invokeAll(List.of(work, work))) {
                assertThat(same.get()).isTrue();
            }
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        FrozenLinear frozen = FrozenLinear.of(normal(6, 8), null);
        AdaptedLinear layer = AdaptedLinear.plain(frozen);
        NDArray x = normal(1, 4, 8);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AdaptedLinear(frozen, normal(2, 7), normal(6, 2)))
                .withMessage("expected A (r, 8) and C (6, r), found (2, 7) and (6, 2)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> FrozenLinear.of(normal(6, 8), normal(5)))
                .withMessage("expected a bias of shape (6), found (5)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Kernels.attention(x, 4, layer, layer, layer, layer, false))
                .withMessage("4 heads do not divide 6 features");
    }
}
