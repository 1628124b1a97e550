package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.core.Linear;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraInjector;
import io.fairlora.lora.ModelCard;
import io.fairlora.lora.PeftFormat;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Agreement with transformers and PEFT on a tiny model ({@code tools/golden/peft_vit.py}). */
class PeftGoldenTest {

    private static final double TOLERANCE = 1e-4;

    /** Where {@code tools/golden/check_peft.py} can be pointed at after this test. */
    private static final Path WRITTEN = Path.of("target", "golden");

    private Path golden;
    private SafetensorsFile expected;
    private NDManager scope;
    private NDArray pixels;
    private VisionTransformer vit;
    private LoraAdapter adapter;

    @BeforeEach
    void setUp() throws IOException, URISyntaxException {
        golden = Path.of(PeftGoldenTest.class.getResource("/golden/vit").toURI());
        expected = SafetensorsFile.open(golden.resolve("expected.safetensors"));
        scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        pixels = expected.read("pixels_uint8").toNDArray(scope).toType(DataType.UINT8, false);
        vit = VisionTransformer.load(golden.resolve("model"), Device.cpu());
        adapter = PeftFormat.read(golden.resolve("adapter"), vit);
    }

    @AfterEach
    void tearDown() throws IOException {
        vit.close();
        scope.close();
        expected.close();
    }

    private void assertFeatures(String name) throws IOException {
        assertThat(distance(features(), expected.read(name))).as(name).isLessThan(TOLERANCE);
    }

    private HostTensor features() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(vit.features(pixels)));
    }

    private HostTensor logits(Map<String, HostTensor> head) {
        return GradientMode.OFF.get(
                () ->
                        HostTensor.copyOf(
                                Linear.linear(
                                                vit.features(pixels),
                                                head.get("classifier.weight").toNDArray(scope),
                                                head.get("classifier.bias").toNDArray(scope))
                                        .singletonOrThrow()));
    }

    private static double distance(HostTensor x, HostTensor y) {
        assertThat(x.shape()).isEqualTo(y.shape());
        double greatest = 0;
        for (int i = 0; i < x.size(); i++) {
            greatest = Math.max(greatest, Math.abs(x.get(i) - y.get(i)));
        }
        return greatest;
    }

    @Test
    void featuresAreThoseOfTransformers() throws IOException {
        assertFeatures("features");
    }

    @Test
    void adaptedFeaturesAndLogitsAreThoseOfPeft() throws IOException {
        try (InjectedLora lora = LoraInjector.attach(vit, adapter, "peft", 1, false)) {
            assertThat(lora.factors()).hasSize(4);
            assertFeatures("adapted_features");
            assertThat(distance(logits(adapter.savedModules()), expected.read("adapted_logits")))
                    .isLessThan(TOLERANCE);
        }
        assertFeatures("features");
    }

    @Test
    void mergedWeightsComputeTheSame() throws IOException {
        AdapterMath.merge(vit, adapter);
        assertFeatures("adapted_features");
        AdapterMath.unmerge(vit, adapter);
        assertFeatures("features");
    }

    /**
     * Writes an adapter that uses everything the format has to carry: a layer with another rank and
     * scales that are not alpha / r. PEFT's answer is checked by the script.
     */
    @Test
    void anAdapterOfOursIsWrittenForPeft() throws IOException {
        LoraAdapter half = AdapterMath.scale(AdapterMath.refactor(adapter, 2), -0.5);
        Map<String, LoraAdapter.Factors> queries = new LinkedHashMap<>(half.layers());
        queries.keySet().removeIf(path -> path.endsWith("value"));
        LoraAdapter ours = AdapterMath.add(adapter, half.withLayers(queries));
        Files.createDirectories(WRITTEN);
        PeftFormat.write(WRITTEN.resolve("adapter"), ours, ModelCard.of("model"));
        LoraAdapter read = PeftFormat.read(WRITTEN.resolve("adapter"), vit);
        try (InjectedLora lora = LoraInjector.attach(vit, ours, "ours", 1, false)) {
            assertThat(lora.factors()).hasSize(4);
            HostTensor logits = logits(ours.savedModules());
            assertThat(distance(logits, expected.read("adapted_logits"))).isGreaterThan(0.01);
            SafetensorsWriter.write(
                    WRITTEN.resolve("expected.safetensors"),
                    Map.of("pixel_values", expected.read("pixel_values"), "adapted_logits", logits),
                    Map.of(),
                    Dtype.F32);
            try (VisionTransformer fork = vit.fork();
                    InjectedLora again = LoraInjector.attach(fork, read, "read", 1, false)) {
                assertThat(again.factors()).hasSize(4);
                HostTensor features =
                        GradientMode.OFF.get(() -> HostTensor.copyOf(fork.features(pixels)));
                assertThat(distance(features, features())).isLessThan(1e-5);
            }
        }
    }
}
