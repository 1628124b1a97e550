package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several adapters at once; PEFT's answers are from {@code tools/golden/peft_sets.py}. */
class AdapterSetTest {

    private static final double TOLERANCE = 1e-5;

    private Path golden;
    private NDManager scope;
    private SafetensorsFile base;
    private SafetensorsFile expected;
    private PeftNetwork network;
    private NDArray x;
    private AdapterSet adapters;

    @BeforeEach
    void setUp() throws IOException, URISyntaxException {
        golden = Path.of(AdapterSetTest.class.getResource("/golden/peft_variants").toURI());
        scope = NDManager.newBaseManager("PyTorch");
        base = SafetensorsFile.open(golden.resolve("base.safetensors"));
        expected = SafetensorsFile.open(golden.resolveSibling("peft_sets.safetensors"));
        network = PeftNetwork.load(base);
        x = base.read("x").toNDArray(scope);
        adapters = AdapterSet.on(network);
    }

    @AfterEach
    void tearDown() throws IOException {
        adapters.close();
        network.close();
        expected.close();
        base.close();
        scope.close();
    }

    private LoraAdapter read(String variant) throws IOException {
        return PeftFormat.read(golden.resolve(variant).resolve("trained"), network);
    }

    private void addAll() throws IOException {
        adapters.add("first", read("regex"));
        adapters.add("second", read("rank_pattern"));
        adapters.add("third", read("lora_bias"));
    }

    private HostTensor output() {
        return HostTensor.copyOf(adapters.features(x));
    }

    private void assertOutput(String name) throws IOException {
        assertClose(output(), expected.read(name), name);
    }

    private static void assertClose(HostTensor found, HostTensor wanted, String what) {
        assertThat(found.shape()).as(what).isEqualTo(wanted.shape());
        assertThat(LoraInjectorTest.distance(found, wanted)).as(what).isLessThan(TOLERANCE);
    }

    @Test
    void activeAdaptersAndScalesAreThoseOfPeft() throws IOException {
        HostTensor plain = output();
        addAll();
        assertThat(adapters.names()).containsExactly("first", "second", "third");
        assertThat(output()).isEqualTo(plain);
        for (String name : adapters.names()) {
            adapters.activate(name);
            assertThat(adapters.active()).containsExactly(name);
            assertOutput(name);
        }
        adapters.activate("first", "second");
        assertOutput("together");
        adapters.setScale("second", -0.5);
        assertThat(adapters.scale("second")).isEqualTo(-0.5);
        assertOutput("scaled");
        adapters.activate();
        assertThat(output()).isEqualTo(plain);
    }

    @Test
    void everyExampleOfABatchMayHaveAnAdapterOfItsOwn() throws IOException {
        addAll();
        List<String> names =
                List.of("second", AdapterSet.BASE, "first", "third", "second", AdapterSet.BASE);
        adapters.activate("third");
        HostTensor mixed = HostTensor.copyOf(adapters.features(x, names));
        assertClose(mixed, expected.read("mixed"), "mixed");
        assertThat(adapters.active()).containsExactly("third");
        assertOutput("third");
        // Nothing is left behind on the arrays' owners.
        int before = network.manager().getManagedArrays().size();
        HostTensor again = HostTensor.copyOf(adapters.features(x, names));
        assertThat(again).isEqualTo(mixed);
        assertThat(network.manager().getManagedArrays()).hasSize(before);
    }

    /** Kinds that PEFT refuses in a mixed batch: each row is what its adapter alone computes. */
    @Test
    void examplesOfEveryKindAreWhatTheirAdapterComputesAlone() throws IOException {
        List<String> names =
                List.of("dora", "pissa", "bias_lora_only", "dora_pissa", "lora_bias", "olora");
        for (String name : names) {
            adapters.add(name, name.equals("bias_lora_only") ? biased() : read(name));
            adapters.setScale(name, name.startsWith("dora") ? 0.75 : -1.5);
        }
        for (Precision precision : Precision.values()) {
            adapters.backbone()
                    .loraLayers()
                    .values()
                    .forEach(layer -> ((LoraLinear) layer).setPrecision(precision));
            HostTensor mixed = HostTensor.copyOf(adapters.features(x, names));
            for (int i = 0; i < names.size(); i++) {
                adapters.activate(names.get(i));
                HostTensor alone = output();
                double tolerance = precision == Precision.SINGLE ? TOLERANCE : 0.05;
                for (int j = 0; j < PeftNetwork.HIDDEN; j++) {
                    int at = i * PeftNetwork.HIDDEN + j;
                    assertThat((double) Math.abs(mixed.get(at) - alone.get(at)))
                            .as(names.get(i))
                            .isLessThan(tolerance);
                }
            }
        }
    }

    /** An adapter with biases, which PEFT does not save. */
    private LoraAdapter biased() throws IOException {
        LoraConfig config = read("bias_lora_only").config();
        try (InjectedLora lora = LoraInjector.inject(network, config, "biased", 1)) {
            lora.parameters().values().forEach(array -> array.addi(0.3f));
            return lora.toAdapter(Map.of());
        }
    }

    @Test
    void adaptersAreActiveForAWhile() throws IOException {
        HostTensor plain = output();
        addAll();
        adapters.activate("first");
        AdapterSet.Activation outer = adapters.with("third");
        assertOutput("third");
        AdapterSet.Activation inner = adapters.disabled();
        assertThat(output()).isEqualTo(plain);
        assertThatThrownBy(outer::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("reverse order");
        assertThatThrownBy(() -> adapters.remove("first")).hasMessageContaining("is active");
        inner.close();
        inner.close();
        assertOutput("third");
        outer.close();
        assertOutput("first");
    }

    @Test
    void anAdapterIsReplacedInPlace() throws IOException {
        addAll();
        adapters.activate("first", "second");
        NDManager manager = adapters.backbone().manager();
        adapters.replace("first", read("regex"));
        int arrays = manager.getManagedArrays().size();
        for (int i = 0; i < 20; i++) {
            adapters.replace("first", read("dora"));
            assertThat(adapters.active()).containsExactly("first", "second");
            adapters.replace("first", read("regex"));
        }
        assertOutput("together");
        assertThat(manager.getManagedArrays()).hasSize(arrays);
        adapters.setScale("second", -0.5);
        adapters.replace("second", read("plain"));
        adapters.replace("second", read("rank_pattern"));
        assertOutput("scaled");
    }

    @Test
    void setsOverOneBackboneDoNotSeeEachOther() throws IOException {
        addAll();
        adapters.activate("first");
        try (AdapterSet other = AdapterSet.on(network)) {
            other.add("first", read("lora_bias"));
            other.activate("first");
            assertClose(
                    HostTensor.copyOf(other.features(x)), expected.read("third"), "another set");
            assertOutput("first");
        }
        adapters.activate();
        adapters.remove("first");
        assertThat(adapters.names()).containsExactly("second", "third");
        assertThat(network.loraLayers().values()).allMatch(layer -> layer.names().isEmpty());
    }

    @Test
    void whatDoesNotFitIsRefusedAndChangesNothing() throws IOException {
        addAll();
        adapters.activate("first");
        refused("there is an adapter first already", () -> adapters.add("first", read("plain")));
        refused("__base__ stands for no adapter", () -> adapters.add("__base__", read("plain")));
        refused("must not be blank", () -> adapters.add(" ", read("plain")));
        refused("there is no adapter x, found [first,", () -> adapters.activate("first", "x"));
        refused("named twice in [first, first]", () -> adapters.activate("first", "first"));
        refused("there is no adapter x", () -> adapters.setScale("x", 1));
        refused("there is no adapter x", () -> adapters.replace("x", read("plain")));
        refused("factor must be finite", () -> adapters.setScale("first", Double.NaN));
        refused("6 examples need as many names", () -> adapters.features(x, List.of("first")));
        List<String> names = new ArrayList<>(List.of("first", "first", "first", "first", "first"));
        names.add("y");
        refused("there is no adapter y", () -> adapters.features(x, names));
        adapters.add("all", read("bias_all"));
        names.set(5, "all");
        refused("adapter all brings biases outside", () -> adapters.features(x, names));
        adapters.add("other", read("dora_bias_all"));
        refused("already replaced", () -> adapters.activate("all", "other"));
        assertThat(adapters.active()).containsExactly("first");
        assertOutput("first");
        adapters.activate("first", "all");
        refused(
                "already replaced",
                () -> {
                    adapters.activate("all", "first");
                    adapters.replace("first", read("dora_bias_all"));
                });
        assertThat(adapters.active()).containsExactly("all", "first");
        adapters.activate("first");
        assertOutput("first");
    }

    /** Code that may read a file. */
    private interface Code {
        void run() throws IOException;
    }

    private static void refused(String message, Code code) {
        assertThatThrownBy(code::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
