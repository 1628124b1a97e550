package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.LoraLayer;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scope;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class VisionTransformerPrecisionTest {

    private static final VitConfig CONFIG = VitConfig.of(64, 3, 4, 32, 8);

    private final SplittableRandom random = new SplittableRandom(1);
    private VisionTransformer vit;

    @BeforeEach
    void open() {
        vit = VisionTransformer.random(CONFIG, DataType.FLOAT32, Device.cpu(), 1);
        // Weights as small as those of a fresh model would hide what the layers compute.
        vit.loraLayers().values().forEach(linear -> linear.weight().getArray().muli(5));
    }

    @AfterEach
    void close() {
        vit.close();
    }

    private NDArray normal(long... shape) {
        float[] values = new float[Math.toIntExact(new Shape(shape).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return HostTensor.of(values, shape).toNDArray(vit.manager());
    }

    private static NDArray pixels(NDManager manager) {
        byte[] bytes = new byte[4 * 3 * 32 * 32];
        SplittableRandom noise = new SplittableRandom(2);
        noise.nextBytes(bytes);
        return manager.create(ByteBuffer.wrap(bytes), new Shape(4, 3, 32, 32), DataType.UINT8);
    }

    private static HostTensor features(VisionTransformer model) {
        try (NDManager own = model.manager().newSubManager()) {
            return HostTensor.copyOf(GradientMode.OFF.get(() -> model.features(pixels(own))));
        }
    }

    private static double error(HostTensor actual, HostTensor expected) {
        double sum = 0;
        for (int i = 0; i < actual.size(); i++) {
            sum += Math.pow((double) actual.get(i) - expected.get(i), 2);
        }
        return Math.sqrt(sum) / expected.norm();
    }

    /** Adds an adapter to every other linear layer, so that each kind of call is met. */
    private List<NDArray> adapt(String name, double scale, int every) {
        List<NDArray> arrays = new ArrayList<>();
        int i = 0;
        for (LoraLayer linear : vit.loraLayers().values()) {
            if (i++ % every == 0) {
                NDArray a = normal(4, linear.inputSize()).mul(0.1);
                NDArray b = normal(linear.outputSize(), 4).mul(0.1);
                a.setRequiresGradient(true);
                b.setRequiresGradient(true);
                linear.addAdapter(name, new LoraLayer.Adapter(a, b, scale));
                arrays.add(a);
                arrays.add(b);
            }
        }
        return arrays;
    }

    @Test
    void featuresAgreeAndReturnToTheirBits() {
        HostTensor single = features(vit);
        vit.setPrecision(Precision.BF16);
        HostTensor half = features(vit);
        assertThat(half.isFinite()).isTrue();
        assertThat(error(half, single)).isBetween(1e-4, 1e-2);
        vit.setPrecision(Precision.SINGLE);
        assertThat(features(vit)).isEqualTo(single);
    }

    @Test
    void adaptersAreApplied() {
        HostTensor plain = features(vit);
        adapt("one", 2, 1);
        adapt("two", -0.5, 2);
        HostTensor single = features(vit);
        assertThat(error(single, plain)).isGreaterThan(0.1);
        vit.setPrecision(Precision.BF16);
        assertThat(error(features(vit), single)).isBetween(1e-4, 1e-2);
    }

    @Test
    void gradientsOfAdaptersAgree() {
        List<NDArray> leaves = adapt("one", 2, 1);
        leaves.addAll(adapt("two", -0.5, 2));
        NDArray target = normal(4, 64);
        List<HostTensor> single = gradients(leaves, target);
        vit.setPrecision(Precision.BF16);
        for (int i = 0; i < 3; i++) {
            // The engine optimises scripts for the calls it sees first: these record nothing.
            features(vit);
        }
        List<HostTensor> half = gradients(leaves, target);
        double squaredError = 0;
        double squaredNorm = 0;
        for (int i = 0; i < leaves.size(); i++) {
            assertThat(half.get(i).isFinite()).isTrue();
            double relative = error(half.get(i), single.get(i));
            assertThat(relative).as("gradient %s", i).isLessThan(4e-2);
            squaredError += Math.pow(relative * single.get(i).norm(), 2);
            squaredNorm += Math.pow(single.get(i).norm(), 2);
        }
        assertThat(Math.sqrt(squaredError / squaredNorm)).isBetween(1e-4, 2e-2);
    }

    private List<HostTensor> gradients(List<NDArray> leaves, NDArray target) {
        leaves.forEach(Autograd::zeroGradient);
        step(target);
        return leaves.stream().map(leaf -> HostTensor.copyOf(Autograd.gradient(leaf))).toList();
    }

    private void step(NDArray target) {
        Scope.run(
                () ->
                        GradientMode.ON.run(
                                () ->
                                        Autograd.backward(
                                                vit.features(pixels(vit.manager()))
                                                        .mul(target)
                                                        .sum())));
    }

    @Test
    void handlesStayLevel() {
        adapt("one", 2, 1);
        adapt("two", -0.5, 2);
        vit.setPrecision(Precision.BF16);
        NDArray target = normal(4, 64);
        step(target);
        int before = vit.manager().getManagedArrays().size();
        for (int i = 0; i < 50; i++) {
            step(target);
        }
        assertThat(vit.manager().getManagedArrays().size()).isEqualTo(before);
    }

    @Test
    void aForkTakesThePrecisionAndSharesNoAdapters() {
        vit.setPrecision(Precision.BF16);
        HostTensor plain = features(vit);
        try (VisionTransformer fork = vit.fork()) {
            assertThat(fork.precision()).isEqualTo(Precision.BF16);
            adapt("one", 2, 1);
            assertThat(features(fork)).isEqualTo(plain);
            fork.setPrecision(Precision.SINGLE);
            assertThat(vit.precision()).isEqualTo(Precision.BF16);
            vit.loraLayers().values().forEach(linear -> linear.removeAdapter("one"));
            assertThat(features(vit)).isEqualTo(plain);
        }
        assertThat(features(vit)).isEqualTo(plain);
    }

    @Test
    void twoThreadsGetTheBitsOfOne() throws Exception {
        HostTensor expected;
        vit.setPrecision(Precision.BF16);
        try (VisionTransformer once = vit.fork()) {
            expected = features(once);
        }
        // Changed in name only: both threads find no copies and race to make them.
        vit.loraLayers().values().forEach(LoraLayer::weightChanged);
        Callable<Boolean> work =
                () -> {
                    try (VisionTransformer own = vit.fork()) {
                        for (int i = 0; i < 10; i++) {
                            if (!features(own).equals(expected)) {
                                return false;
                            }
                        }
                        return true;
                    }
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
    void aTrainedWeightReceivesGradientsInTheMiddleOfFrozenOnes() {
        LoraLayer trained = vit.loraLayers().values().iterator().next();
        NDArray weight = trained.weight().getArray();
        weight.setRequiresGradient(true);
        NDArray target = normal(4, 64);
        HostTensor single = gradients(List.of(weight), target).get(0);
        vit.setPrecision(Precision.BF16);
        HostTensor half = gradients(List.of(weight), target).get(0);
        assertThat(error(half, single)).isBetween(1e-4, 4e-2);
    }

    @Test
    void doublePrecisionWeightsAreRefused() {
        try (VisionTransformer exact =
                VisionTransformer.random(CONFIG, DataType.FLOAT64, Device.cpu(), 1)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> exact.setPrecision(Precision.BF16))
                    .withMessageContaining("float32")
                    .withMessageContaining("float64");
            assertThat(exact.precision()).isEqualTo(Precision.SINGLE);
        }
    }
}
