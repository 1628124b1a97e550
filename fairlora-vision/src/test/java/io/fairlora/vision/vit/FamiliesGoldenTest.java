package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.loss.Loss;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraInjector;
import io.fairlora.lora.PeftFormat;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.LinearHead;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Agreement with transformers and PEFT on tiny models of every family ({@code
 * tools/golden/vit_families.py}).
 */
class FamiliesGoldenTest {

    private static final double TOLERANCE = 1e-4;

    @TempDir private Path folder;

    static Stream<Path> models() throws IOException, URISyntaxException {
        Path root = Path.of(FamiliesGoldenTest.class.getResource("/golden/families").toURI());
        try (Stream<Path> found = Files.list(root)) {
            List<Path> models = found.sorted().toList();
            assertThat(models).hasSizeGreaterThanOrEqualTo(10);
            return models.stream();
        }
    }

    /** One model with what its peer computed. */
    private static final class Golden implements AutoCloseable {

        final Path directory;
        final SafetensorsFile expected;
        final VisionTransformer vit;
        final NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        final NDArray pixels;

        Golden(Path directory, Path model) throws IOException {
            this.directory = directory;
            expected = SafetensorsFile.open(directory.resolve("expected.safetensors"));
            HostTensor images = expected.read("pixels");
            pixels = images.toNDArray(scope).toType(DataType.UINT8, false);
            Shape shape = images.shape();
            vit =
                    VisionTransformer.load(
                            model,
                            Device.cpu(),
                            LoadOptions.DEFAULT.withImageSize(
                                    (int) shape.get(2), (int) shape.get(3)));
        }

        Golden(Path directory) throws IOException {
            this(directory, directory);
        }

        HostTensor features() {
            return GradientMode.OFF.get(() -> HostTensor.copyOf(vit.features(pixels)));
        }

        Optional<LinearHead.Weights> head() throws IOException {
            return ClassifierHead.read(directory).map(ClassifierHead::weights);
        }

        void assertClose(HostTensor found, String name) throws IOException {
            assertThat(distance(found, expected.read(name))).as(name).isLessThan(TOLERANCE);
        }

        @Override
        public void close() throws IOException {
            vit.close();
            scope.close();
            expected.close();
        }
    }

    private static double distance(HostTensor x, HostTensor y) {
        assertThat(x.shape()).isEqualTo(y.shape());
        double greatest = 0;
        for (int i = 0; i < x.size(); i++) {
            assertThat(x.get(i)).isFinite();
            greatest = Math.max(greatest, Math.abs(x.get(i) - y.get(i)));
        }
        return greatest;
    }

    @ParameterizedTest
    @MethodSource("models")
    void featuresAndLogitsAreThoseOfThePeer(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            HostTensor features = golden.features();
            golden.assertClose(features, "features");
            assertThat(golden.vit.featureSize()).isEqualTo((int) features.shape().get(1));
            Optional<LinearHead.Weights> head = golden.head();
            if (head.isPresent()) {
                try (LinearHead layer =
                        new LinearHead(golden.scope, head.get(), DataType.FLOAT32)) {
                    HostTensor logits =
                            HostTensor.copyOf(layer.logits(features.toNDArray(golden.scope)));
                    golden.assertClose(logits, "logits");
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void adaptedLogitsAndGradientsAreThoseOfPeft(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            LoraAdapter adapter = PeftFormat.read(directory.resolve("adapter"), golden.vit);
            int classes = (int) golden.expected.info("logits").shape().get(1);
            LinearHead.Weights head = golden.head().orElseGet(() -> identity(classes));
            NDArray labels = golden.expected.read("labels").toNDArray(golden.scope);
            try (InjectedLora lora = LoraInjector.attach(golden.vit, adapter, "peft", 1, true);
                    LinearHead layer = new LinearHead(golden.scope, head, DataType.FLOAT32)) {
                GradientMode.ON.run(
                        () -> {
                            NDArray logits = layer.logits(golden.vit.features(golden.pixels));
                            check(golden, logits, "adapted_logits");
                            NDArray loss =
                                    Loss.softmaxCrossEntropyLoss()
                                            .evaluate(new NDList(labels), new NDList(logits));
                            Autograd.backward(loss);
                        });
                for (Map.Entry<String, NDArray> entry : lora.parameters().entrySet()) {
                    try (NDArray gradient = Autograd.gradient(entry.getValue())) {
                        assertThat(gradient).isNotNull();
                        golden.assertClose(
                                HostTensor.copyOf(gradient),
                                "base_model.model." + entry.getKey() + ".weight");
                    }
                }
            }
        }
    }

    private static void check(Golden golden, NDArray found, String name) {
        try {
            golden.assertClose(HostTensor.copyOf(found), name);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static LinearHead.Weights identity(int size) {
        float[] weight = new float[size * size];
        for (int i = 0; i < size; i++) {
            weight[i * size + i] = 1;
        }
        return new LinearHead.Weights(
                HostTensor.of(weight, size, size), HostTensor.of(new float[size], size));
    }

    @ParameterizedTest
    @MethodSource("models")
    void savedAndLoadedIsTheSameModel(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            golden.vit.save(folder, false);
            try (Golden again = new Golden(directory, folder)) {
                assertThat(again.vit.config()).isEqualTo(golden.vit.config());
                assertThat(again.vit.weights().keySet())
                        .containsExactlyElementsOf(golden.vit.weights().keySet());
                assertThat(again.features()).isEqualTo(golden.features());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void inBfloat16TheFeaturesAreNear(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            golden.vit.setPrecision(Precision.BF16);
            HostTensor expected = golden.expected.read("features");
            double greatest = 0;
            for (int i = 0; i < expected.size(); i++) {
                greatest = Math.max(greatest, Math.abs(expected.get(i)));
            }
            assertThat(distance(golden.features(), expected)).isLessThan(0.06 * greatest);
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void aForkComputesTheSame(Path directory) throws IOException {
        try (Golden golden = new Golden(directory);
                VisionTransformer fork = golden.vit.fork()) {
            HostTensor features =
                    GradientMode.OFF.get(() -> HostTensor.copyOf(fork.features(golden.pixels)));
            assertThat(features).isEqualTo(golden.features());
            assertThat(fork.digest()).isEqualTo(golden.vit.digest());
        }
    }
}
