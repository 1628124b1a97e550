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
import io.fairlora.lora.ModelCard;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Agreement with transformers, timm and PEFT on tiny models of every family ({@code
 * tools/golden/vit_families.py}, {@code tools/golden/timm_vit.py}).
 */
class FamiliesGoldenTest {

    private static final double TOLERANCE = 1e-4;

    /** Where {@code tools/golden/check_saved.py} can be pointed at after this test. */
    private static final Path WRITTEN = Path.of("target", "golden");

    @TempDir private Path folder;

    static Stream<Path> models() throws IOException, URISyntaxException {
        List<Path> models = new ArrayList<>(modelsOf("families"));
        models.addAll(modelsOf("timm"));
        assertThat(models).hasSizeGreaterThanOrEqualTo(20);
        return models.stream();
    }

    static Stream<Path> timmModels() throws IOException, URISyntaxException {
        return modelsOf("timm").stream();
    }

    private static List<Path> modelsOf(String peer) throws IOException, URISyntaxException {
        Path root = Path.of(FamiliesGoldenTest.class.getResource("/golden/" + peer).toURI());
        try (Stream<Path> found = Files.list(root)) {
            return found.sorted().toList();
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

        HostTensor features(LoraAdapter adapter) {
            try (InjectedLora lora = LoraInjector.attach(vit, adapter, "adapter", 1, false)) {
                assertThat(lora.factors()).isNotEmpty();
                return features();
            }
        }

        LoraAdapter adapter() throws IOException {
            LoraAdapter read = PeftFormat.read(directory.resolve("adapter"));
            return FusedQkv.isFused(read) ? FusedQkv.split(read) : read;
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
            LoraAdapter adapter = golden.adapter();
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
                for (Map.Entry<String, HostTensor> gradient : gradients(lora).entrySet()) {
                    golden.assertClose(
                            gradient.getValue(),
                            "base_model.model." + gradient.getKey() + ".weight");
                }
            }
        }
    }

    /** Gradients by the peer's names: those of query, key and value together if they are fused. */
    private static Map<String, HostTensor> gradients(InjectedLora lora) {
        Map<String, HostTensor> found = new LinkedHashMap<>();
        for (Map.Entry<String, NDArray> entry : lora.parameters().entrySet()) {
            try (NDArray gradient = Autograd.gradient(entry.getValue())) {
                assertThat(gradient).isNotNull();
                boolean shared = entry.getKey().endsWith("lora_A");
                found.merge(
                        entry.getKey().replaceAll("\\.attn\\.[qkv]_proj", ".attn.qkv"),
                        HostTensor.copyOf(gradient),
                        (x, y) -> shared ? sum(x, y) : stack(x, y));
            }
        }
        return found;
    }

    private static HostTensor sum(HostTensor x, HostTensor y) {
        float[] sum = x.toArray();
        for (int i = 0; i < sum.length; i++) {
            sum[i] += y.get(i);
        }
        return HostTensor.of(sum, x.shape().getShape());
    }

    private static HostTensor stack(HostTensor x, HostTensor y) {
        float[] all = Arrays.copyOf(x.toArray(), x.size() + y.size());
        y.buffer().get(all, x.size(), y.size());
        return HostTensor.of(all, x.shape().get(0) + y.shape().get(0), x.shape().get(1));
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
    @MethodSource("timmModels")
    void anAdapterOnFusedLayersIsFusedAgain(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            LoraAdapter read = PeftFormat.read(directory.resolve("adapter"));
            assertThat(FusedQkv.isFused(read)).isTrue();
            LoraAdapter fused = FusedQkv.fuse(golden.adapter());
            assertThat(fused.layers().keySet()).isEqualTo(read.layers().keySet());
            assertThat(fused.layers().keySet()).allMatch(fused.config()::matches);
            PeftFormat.write(folder.resolve("fused"), fused, ModelCard.of("model"));
            LoraAdapter again = FusedQkv.split(PeftFormat.read(folder.resolve("fused")));
            HostTensor expected = golden.features(golden.adapter());
            assertThat(distance(golden.features(again), expected)).isLessThan(1e-5);
            assertThat(distance(golden.features(), expected)).isGreaterThan(1e-3);
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void savedAndLoadedIsTheSameModel(Path directory) throws IOException {
        try (Golden golden = new Golden(directory)) {
            Path peer = directory.getParent();
            Path saved = WRITTEN.resolve(peer.getFileName()).resolve(directory.getFileName());
            golden.vit.save(saved, false);
            try (Golden again = new Golden(directory, saved)) {
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
