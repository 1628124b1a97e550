package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Agreement with PEFT, which made the files ({@code tools/golden/peft_variants.py}), for every
 * variant of a LoRA configuration.
 */
class LoraVariantsGoldenTest {

    private static final double TOLERANCE = 1e-5;
    private static final double LEARNING_RATE = 0.3;

    private NDManager scope;
    private SafetensorsFile base;
    private PeftNetwork network;
    private NDArray x;

    /** Where {@code tools/golden/check_variants.py} can be pointed at after this test. */
    private static final Path WRITTEN = Path.of("target", "golden", "variants");

    @TempDir private Path temporary;

    private static Path golden() {
        try {
            return Path.of(
                    LoraVariantsGoldenTest.class.getResource("/golden/peft_variants").toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    static List<String> variants() throws IOException {
        try (Stream<Path> entries = Files.list(golden())) {
            return entries.filter(Files::isDirectory)
                    .map(entry -> entry.getFileName().toString())
                    .sorted()
                    .toList();
        }
    }

    @BeforeEach
    void setUp() throws IOException {
        scope = NDManager.newBaseManager("PyTorch");
        base = SafetensorsFile.open(golden().resolve("base.safetensors"));
        network = PeftNetwork.load(base);
        x = base.read("x").toNDArray(scope);
    }

    @AfterEach
    void tearDown() throws IOException {
        network.close();
        base.close();
        scope.close();
    }

    @Test
    void allVariantsAreHere() throws IOException {
        assertThat(variants()).hasSize(24).contains("pissa", "dora_bias_all", "fan_in_fan_out");
    }

    @ParameterizedTest
    @MethodSource("variants")
    void twoStepsOfTrainingAreThoseOfPeft(String variant) throws IOException {
        HostTensor before = output();
        LoraAdapter trained;
        try (SafetensorsFile expected = expected(variant);
                InjectedLora lora = attach(variant, expected)) {
            assertClose(output(), expected.read("initial_output"), "initial output");
            HostTensor counts = expected.read("counts");
            assertThat(lora.trainableParameters().trainable()).isEqualTo((long) counts.get(0));
            assertThat(lora.trainableParameters().all()).isEqualTo((long) counts.get(1));
            NDArray target = base.read("target").toNDArray(scope);
            for (int step = 0; step < 2; step++) {
                GradientMode.ON.run(
                        () -> Autograd.backward(network.features(x).sub(target).square().mean()));
                if (step == 0) {
                    assertGradients(lora, expected);
                }
                descend(lora);
            }
            assertClose(output(), expected.read("trained_output"), "trained output");
            trained = lora.toAdapter(Map.of());
            assertTrained(variant, trained, expected);
        }
        assertRoundTrip(variant, trained);
        assertThat(output()).as("base output").isEqualTo(before);
        assertMerges(variant, trained, before);
    }

    private static SafetensorsFile expected(String variant) throws IOException {
        return SafetensorsFile.open(golden().resolve(variant).resolve("expected.safetensors"));
    }

    private InjectedLora attach(String variant, SafetensorsFile expected) throws IOException {
        LoraAdapter read = PeftFormat.read(golden().resolve(variant).resolve("initial"), network);
        Map<String, HostTensor> biases = named("initial_bias.", expected);
        if (read.config().bias() == TrainedBias.ALL) {
            assertThat(read.biases()).isEqualTo(biases);
        } else {
            // PEFT does not save what "lora_only" trains.
            assertThat(read.biases()).isEmpty();
        }
        LoraAdapter initial =
                new LoraAdapter(read.config(), read.layers(), biases, Map.of(), Map.of());
        return LoraInjector.attach(network, initial, "default", 1, true);
    }

    private static Map<String, HostTensor> named(String prefix, SafetensorsFile file)
            throws IOException {
        Map<String, HostTensor> found = new LinkedHashMap<>();
        for (String name : file.names()) {
            if (name.startsWith(prefix)) {
                found.put(name.substring(prefix.length()), file.read(name));
            }
        }
        return found;
    }

    private HostTensor output() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(network.features(x)));
    }

    private static void assertGradients(InjectedLora lora, SafetensorsFile expected)
            throws IOException {
        Map<String, HostTensor> gradients = named("gradient.", expected);
        assertThat(gradients).isNotEmpty();
        Map<String, NDArray> parameters = lora.parameters();
        for (Map.Entry<String, HostTensor> entry : gradients.entrySet()) {
            String name = entry.getKey().replace(".weight", "").replace(".base_layer", "");
            HostTensor found = HostTensor.copyOf(Autograd.gradient(parameters.get(name)));
            assertClose(found, entry.getValue(), "gradient of " + name);
        }
    }

    private static void descend(InjectedLora lora) {
        GradientMode.OFF.run(
                () ->
                        lora.parameters()
                                .values()
                                .forEach(
                                        array -> {
                                            try (NDArray gradient = Autograd.gradient(array);
                                                    NDArray step = gradient.mul(LEARNING_RATE)) {
                                                array.subi(step);
                                            }
                                            Autograd.zeroGradient(array);
                                        }));
    }

    private void assertTrained(String variant, LoraAdapter trained, SafetensorsFile expected)
            throws IOException {
        LoraAdapter peft = PeftFormat.read(golden().resolve(variant).resolve("trained"), network);
        assertThat(trained.layers().keySet()).isEqualTo(peft.layers().keySet());
        peft.layers()
                .forEach(
                        (path, factors) ->
                                factors.tensors()
                                        .forEach(
                                                (end, tensor) ->
                                                        assertClose(
                                                                trained.layer(path)
                                                                        .tensors()
                                                                        .get(end),
                                                                tensor,
                                                                path + "." + end)));
        Map<String, HostTensor> biases = named("bias.", expected);
        assertThat(trained.biases().keySet()).isEqualTo(biases.keySet());
        biases.forEach((name, bias) -> assertClose(trained.biases().get(name), bias, name));
    }

    /** What is written has the names and shapes of PEFT's own file, and reads as it was. */
    private void assertRoundTrip(String variant, LoraAdapter trained) throws IOException {
        Path written = WRITTEN.resolve(variant);
        PeftFormat.write(written, trained, ModelCard.of("base"));
        LoraAdapter read = PeftFormat.read(written, network);
        assertThat(read).isEqualTo(trained);
        assertThat(read.digest()).isEqualTo(trained.digest());
        Path peft = golden().resolve(variant).resolve("trained");
        try (SafetensorsFile ours = SafetensorsFile.open(written.resolve(PeftFormat.MODEL_FILE));
                SafetensorsFile theirs =
                        SafetensorsFile.open(peft.resolve(PeftFormat.MODEL_FILE))) {
            Set<String> names = ours.names();
            if (trained.config().bias() == TrainedBias.LORA_ONLY) {
                assertThat(names).containsAll(theirs.names());
                assertThat(names).anyMatch(name -> name.endsWith("query.base_layer.bias"));
            } else {
                assertThat(names).hasSameElementsAs(theirs.names());
            }
            for (String name : theirs.names()) {
                assertThat(ours.info(name).shape()).isEqualTo(theirs.info(name).shape());
            }
        }
    }

    private void assertMerges(String variant, LoraAdapter trained, HostTensor before)
            throws IOException {
        if (variant.equals("lora_bias")) {
            // Its value layers have no bias; the queries alone have.
            Map<String, LoraAdapter.Factors> queries = new LinkedHashMap<>(trained.layers());
            queries.keySet().removeIf(path -> path.endsWith("value"));
            LoraAdapter adapter = trained.withLayers(queries);
            HostTensor adapted;
            try (InjectedLora lora = LoraInjector.attach(network, adapter, "queries", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                adapted = output();
            }
            MergedAdapter handle = AdapterMath.merge(network, adapter);
            assertClose(output(), adapted, "merged");
            handle.unmerge();
        } else {
            MergedAdapter handle = AdapterMath.merge(network, trained);
            try (SafetensorsFile expected = expected(variant)) {
                assertClose(output(), expected.read("merged_output"), "merged output");
            }
            handle.unmerge();
        }
        assertClose(output(), before, "unmerged output");
    }

    /**
     * The factors and the weight that PEFT leaves beside them, up to the signs of singular vectors.
     */
    @ParameterizedTest
    @ValueSource(strings = {"pissa", "olora", "dora_pissa"})
    void initialisationsFromTheBaseAreThoseOfPeft(String variant) throws IOException {
        LoraAdapter peft = PeftFormat.read(golden().resolve(variant).resolve("initial"), network);
        HostTensor before = output();
        try (SafetensorsFile expected = expected(variant);
                InjectedLora lora = LoraInjector.inject(network, peft.config(), "default", 1)) {
            LoraAdapter own = lora.toAdapter(Map.of());
            for (String path : peft.layers().keySet()) {
                LoraAdapter.Factors factors = own.layer(path);
                LoraAdapter.Factors golden = peft.layer(path);
                if (peft.config().initialization() == Initialization.PISSA) {
                    golden = withPositivePeaks(golden);
                }
                for (String end : golden.tensors().keySet()) {
                    assertClose(factors.tensors().get(end), golden.tensors().get(end), path + end);
                }
                HostTensor left = expected.read("base." + path + ".weight");
                HostTensor whole = base.read(path + ".weight");
                for (int i = 0; i < left.size(); i++) {
                    double product = 0;
                    for (int k = 0; k < factors.rank(); k++) {
                        product +=
                                factors.b().get(i / factors.inputSize() * factors.rank() + k)
                                        * factors.a()
                                                .get(
                                                        k * factors.inputSize()
                                                                + i % factors.inputSize());
                    }
                    assertThat(whole.get(i) - factors.scale() * product)
                            .isCloseTo(left.get(i), within(TOLERANCE));
                }
            }
            assertClose(output(), before, "output under the fresh adapter");
            assertClose(output(), expected.read("initial_output"), "PEFT's output");
        }
        assertThat(output()).isEqualTo(before);
    }

    private static LoraAdapter.Factors withPositivePeaks(LoraAdapter.Factors factors) {
        float[] a = factors.a().toArray();
        float[] b = factors.b().toArray();
        for (int k = 0; k < factors.rank(); k++) {
            float peak = 0;
            for (int i = 0; i < factors.inputSize(); i++) {
                float value = a[k * factors.inputSize() + i];
                peak = Math.abs(value) > Math.abs(peak) ? value : peak;
            }
            for (int i = 0; i < factors.inputSize(); i++) {
                a[k * factors.inputSize() + i] *= Math.signum(peak);
            }
            for (int o = 0; o < factors.outputSize(); o++) {
                b[o * factors.rank() + k] *= Math.signum(peak);
            }
        }
        return new LoraAdapter.Factors(
                HostTensor.of(a, factors.rank(), factors.inputSize()),
                HostTensor.of(b, factors.outputSize(), factors.rank()),
                factors.scale(),
                null,
                factors.magnitude(),
                factors.kind());
    }

    /** Both an initialisation from the base and its ordinary form compute the same. */
    @ParameterizedTest
    @ValueSource(strings = {"pissa", "olora"})
    void standaloneAdaptersComputeTheSame(String variant) throws IOException {
        LoraAdapter trained =
                PeftFormat.read(golden().resolve(variant).resolve("trained"), network);
        LoraAdapter standalone = AdapterMath.standalone(network, trained);
        assertThat(standalone.isAdditive()).isTrue();
        assertThat(standalone.config().rank()).isEqualTo(8);
        assertThat(standalone.config().scaling()).isEqualTo(trained.config().scaling());
        Path written = temporary.resolve(variant);
        PeftFormat.write(written, standalone, ModelCard.of("base"));
        try (SafetensorsFile expected = expected(variant);
                InjectedLora lora =
                        LoraInjector.attach(
                                network, PeftFormat.read(written, network), "one", 1, false)) {
            assertThat(lora.config().initialization()).isEqualTo(Initialization.KAIMING_UNIFORM);
            assertClose(output(), expected.read("trained_output"), "standalone output");
        }
    }

    private static void assertClose(HostTensor found, HostTensor expected, String what) {
        assertThat(found.shape()).as(what).isEqualTo(expected.shape());
        assertThat(LoraInjectorTest.distance(found, expected)).as(what).isLessThan(TOLERANCE);
    }
}
