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
import io.fairlora.lora.MergedAdapter;
import io.fairlora.lora.ModelCard;
import io.fairlora.lora.PeftFormat;
import io.fairlora.lora.TrainedBias;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Agreement with PEFT on the parts of a transformer that are no linear layers ({@code
 * tools/golden/peft_layers.py}).
 */
class LayersGoldenTest {

    private static final double TOLERANCE = 1e-5;
    private static final double LEARNING_RATE = 0.2;

    /** Where {@code tools/golden/check_layers.py} can be pointed at after this test. */
    private static final Path WRITTEN = Path.of("target", "golden", "layers");

    private static Path golden(String name) {
        try {
            return Path.of(LayersGoldenTest.class.getResource("/golden/layers").toURI())
                    .resolve(name);
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    static List<String> variants() throws IOException {
        List<String> variants = new ArrayList<>();
        for (String model : List.of("vit", "clip", "siglip")) {
            try (Stream<Path> entries = Files.list(golden(model))) {
                entries.filter(Files::isDirectory)
                        .map(entry -> model + "/" + entry.getFileName())
                        .sorted()
                        .forEach(variants::add);
            }
        }
        assertThat(variants).hasSize(15).contains("vit/convolution_dora", "clip/everything");
        return variants;
    }

    /** A model, an adapter on it, and what PEFT computed. */
    private static final class Golden implements AutoCloseable {

        final String variant;
        final SafetensorsFile expected;
        final VisionTransformer vit;
        final NDManager scope = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        final NDArray pixels;

        Golden(String variant) throws IOException {
            this.variant = variant;
            Path files = golden(variant);
            expected = SafetensorsFile.open(files.resolve("expected.safetensors"));
            pixels = expected.read("pixels").toNDArray(scope).toType(DataType.UINT8, false);
            Path model = variant.contains("/") ? files.getParent() : files;
            vit = VisionTransformer.load(model, Device.cpu());
        }

        LoraAdapter read(String name) throws IOException {
            return PeftFormat.read(golden(variant).resolve(name), vit);
        }

        HostTensor output() {
            return GradientMode.OFF.get(() -> HostTensor.copyOf(vit.features(pixels)));
        }

        Map<String, HostTensor> named(String prefix) throws IOException {
            Map<String, HostTensor> found = new LinkedHashMap<>();
            for (String name : expected.names()) {
                if (name.startsWith(prefix)) {
                    found.put(name.substring(prefix.length()), expected.read(name));
                }
            }
            return found;
        }

        void assertOutput(String name) throws IOException {
            assertClose(output(), expected.read(name), name);
        }

        @Override
        public void close() throws IOException {
            vit.close();
            scope.close();
            expected.close();
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void twoStepsOfTrainingAreThoseOfPeft(String variant) throws IOException {
        try (Golden golden = new Golden(variant)) {
            HostTensor before = golden.output();
            LoraAdapter trained;
            try (InjectedLora lora = attach(golden)) {
                golden.assertOutput("initial_output");
                HostTensor counts = golden.expected.read("counts");
                assertThat(lora.trainableParameters().trainable()).isEqualTo((long) counts.get(0));
                assertThat(lora.trainableParameters().all()).isEqualTo((long) counts.get(1));
                train(golden, lora);
                golden.assertOutput("trained_output");
                trained = lora.toAdapter(Map.of());
            }
            assertTrained(golden, trained);
            assertRoundTrip(golden, trained);
            assertThat(golden.output()).as("output without").isEqualTo(before);
            MergedAdapter merged = AdapterMath.merge(golden.vit, trained);
            golden.assertOutput("merged_output");
            merged.unmerge();
            assertClose(golden.output(), before, "unmerged output");
        }
    }

    private static InjectedLora attach(Golden golden) throws IOException {
        LoraAdapter read = golden.read("initial");
        Map<String, HostTensor> biases = golden.named("initial_bias.");
        if (read.config().bias() == TrainedBias.ALL) {
            assertThat(read.biases()).isEqualTo(biases);
        } else {
            // PEFT does not save what "lora_only" trains.
            assertThat(read.biases()).isEmpty();
        }
        LoraAdapter initial =
                new LoraAdapter(read.config(), read.layers(), biases, Map.of(), Map.of());
        return LoraInjector.attach(golden.vit, initial, "default", 1, true);
    }

    private static void train(Golden golden, InjectedLora lora) throws IOException {
        NDArray target = golden.expected.read("target").toNDArray(golden.scope);
        for (int step = 0; step < 2; step++) {
            GradientMode.ON.run(
                    () ->
                            Autograd.backward(
                                    golden.vit
                                            .features(golden.pixels)
                                            .sub(target)
                                            .square()
                                            .mean()));
            if (step == 0) {
                assertGradients(golden, lora);
            }
            GradientMode.OFF.run(() -> lora.parameters().values().forEach(p -> descend(p)));
        }
    }

    private static void descend(NDArray array) {
        try (NDArray gradient = Autograd.gradient(array);
                NDArray step = gradient.mul(LEARNING_RATE)) {
            array.subi(step);
        }
        Autograd.zeroGradient(array);
    }

    private static void assertGradients(Golden golden, InjectedLora lora) throws IOException {
        Map<String, HostTensor> gradients = golden.named("gradient.");
        assertThat(gradients).isNotEmpty();
        for (Map.Entry<String, HostTensor> entry : gradients.entrySet()) {
            String name = entry.getKey().replace(".weight", "").replace(".base_layer", "");
            NDArray parameter = lora.parameters().get(name);
            assertThat(parameter).as(name).isNotNull();
            // The arrays are matrices; PEFT's files know convolutions.
            HostTensor found =
                    HostTensor.copyOf(Autograd.gradient(parameter))
                            .reshape(entry.getValue().shape());
            assertClose(found, entry.getValue(), "gradient of " + name);
        }
    }

    private static void assertTrained(Golden golden, LoraAdapter trained) throws IOException {
        LoraAdapter peft = golden.read("trained");
        assertThat(trained.layers().keySet()).isEqualTo(peft.layers().keySet());
        peft.layers()
                .forEach(
                        (path, factors) -> {
                            LoraAdapter.Factors own = trained.layer(path);
                            assertThat(own.scale()).isEqualTo(factors.scale());
                            assertClose(own.a(), factors.a(), path + " A");
                            assertClose(own.b(), factors.b(), path + " B");
                            assertClose(own.bias(), factors.bias(), path + " bias of B");
                            assertClose(own.magnitude(), factors.magnitude(), path + " magnitude");
                        });
        Map<String, HostTensor> biases = golden.named("bias.");
        assertThat(trained.biases().keySet()).isEqualTo(biases.keySet());
        biases.forEach((name, bias) -> assertClose(trained.biases().get(name), bias, name));
    }

    /** What is written has the names and shapes of PEFT's own file, and reads as it was. */
    private static void assertRoundTrip(Golden golden, LoraAdapter trained) throws IOException {
        Path written = WRITTEN.resolve(golden.variant);
        PeftFormat.write(written, trained, ModelCard.of("model"));
        LoraAdapter read = PeftFormat.read(written, golden.vit);
        assertThat(read).isEqualTo(trained);
        assertThat(read.digest()).isEqualTo(trained.digest());
        Path peft = golden(golden.variant).resolve("trained");
        try (SafetensorsFile ours = SafetensorsFile.open(written.resolve(PeftFormat.MODEL_FILE));
                SafetensorsFile theirs =
                        SafetensorsFile.open(peft.resolve(PeftFormat.MODEL_FILE))) {
            if (trained.config().bias() == TrainedBias.LORA_ONLY) {
                assertThat(ours.names()).containsAll(theirs.names());
            } else {
                assertThat(ours.names()).hasSameElementsAs(theirs.names());
            }
            for (String name : theirs.names()) {
                assertThat(ours.info(name).shape()).isEqualTo(theirs.info(name).shape());
            }
        }
    }

    /** PEFT also writes the biases of the head that it wraps, trained and original. */
    @Test
    void theBiasesOfTheHeadAreThoseOfTheSavedModule() throws IOException {
        try (Golden golden = new Golden("vit-classifier")) {
            LoraAdapter adapter = golden.read("adapter");
            assertThat(adapter.savedModules())
                    .containsOnlyKeys("classifier.weight", "classifier.bias");
            assertThat(adapter.biases()).doesNotContainKey("classifier.bias").hasSize(18);
            PeftFormat.write(WRITTEN.resolve("vit-classifier"), adapter, ModelCard.of("model"));
            assertThat(PeftFormat.read(WRITTEN.resolve("vit-classifier"), golden.vit))
                    .isEqualTo(adapter);
            try (InjectedLora lora =
                    LoraInjector.attach(golden.vit, adapter, "default", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                HostTensor logits =
                        GradientMode.OFF.get(() -> HostTensor.copyOf(logits(golden, adapter)));
                assertClose(logits, golden.expected.read("adapted_logits"), "logits");
            }
        }
    }

    private static NDArray logits(Golden golden, LoraAdapter adapter) {
        return Linear.linear(
                        golden.vit.features(golden.pixels),
                        adapter.savedModules().get("classifier.weight").toNDArray(golden.scope),
                        adapter.savedModules().get("classifier.bias").toNDArray(golden.scope))
                .singletonOrThrow();
    }

    private static void assertClose(HostTensor found, HostTensor expected, String what) {
        if (expected == null) {
            assertThat(found).as(what).isNull();
            return;
        }
        assertThat(found.shape()).as(what).isEqualTo(expected.shape());
        double greatest = 0;
        for (int i = 0; i < found.size(); i++) {
            greatest = Math.max(greatest, Math.abs(found.get(i) - expected.get(i)));
        }
        assertThat(greatest).as(what).isLessThan(TOLERANCE);
    }
}
