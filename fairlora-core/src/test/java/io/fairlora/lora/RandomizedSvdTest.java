package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.Decompositions;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RandomizedSvdTest {

    private static final String QUERY = "encoder.layer.0.attention.query";

    private NDManager scope;

    @TempDir private Path folder;

    @BeforeEach
    void setUp() {
        scope = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        scope.close();
    }

    /** The golden file is that of {@code tools/golden/svd_lowrank.py}. */
    @ParameterizedTest
    @CsvSource({"tall, 0", "tall, 1", "tall, 3", "wide, 0", "wide, 1", "wide, 3"})
    void theDecompositionIsThatOfTorch(String name, int iterations)
            throws IOException, URISyntaxException {
        Path file =
                Path.of(
                        RandomizedSvdTest.class
                                .getResource("/golden/svd_lowrank.safetensors")
                                .toURI());
        try (SafetensorsFile golden = SafetensorsFile.open(file)) {
            NDArray matrix = golden.read(name + ".matrix").toNDArray(scope);
            NDArray random = golden.read(name + ".random").toNDArray(scope);
            NDList svd = new RandomizedSvd(iterations, 0).of(matrix, random);
            String key = name + "." + iterations;
            assertClose(svd.get(1), golden.read(key + ".s"), 1e-5);
            assertClose(product(svd), golden.read(key + ".product"), 1e-5);
        }
    }

    private static NDArray product(NDList svd) {
        return svd.get(0).mul(svd.get(1)).matMul(svd.get(2));
    }

    private static void assertClose(NDArray found, HostTensor expected, double tolerance) {
        HostTensor values = HostTensor.copyOf(found);
        assertThat(values.shape()).isEqualTo(expected.shape());
        assertThat(LoraInjectorTest.distance(values, expected)).isLessThan(tolerance);
    }

    /** A matrix with the singular values 1, 1/2, 1/4, ... */
    private NDArray decaying(int rows, int columns) {
        int size = Math.min(rows, columns);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) Math.pow(0.5, i);
        }
        NDArray left = Decompositions.qr(normal(rows, size, 1)).get(0);
        NDArray right = Decompositions.qr(normal(columns, size, 2)).get(0);
        return left.mul(scope.create(values)).matMul(right.transpose());
    }

    private NDArray normal(int rows, int columns, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return scope.create(values, new Shape(rows, columns));
    }

    @ParameterizedTest
    @CsvSource({"30, 20", "20, 30", "25, 25"})
    void theLeadingPartOfADecayingSpectrumIsFound(int rows, int columns) {
        NDArray matrix = decaying(rows, columns);
        NDList exact = Decompositions.svd(matrix);
        HostTensor leading =
                HostTensor.copyOf(
                        product(
                                new NDList(
                                        exact.get(0).get(":, :4"),
                                        exact.get(1).get(":4"),
                                        exact.get(2).get(":4"))));
        double before = Double.POSITIVE_INFINITY;
        for (int iterations : new int[] {0, 2, 8}) {
            NDArray found = product(new RandomizedSvd(iterations, 7).of(matrix, 4, QUERY));
            double error = LoraInjectorTest.distance(HostTensor.copyOf(found), leading);
            assertThat(error).isLessThan(before);
            before = error;
        }
        assertThat(before).isLessThan(1e-5);
    }

    @Test
    void theEstimatedPissaNearsTheExactOne() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            NDArray weight = backbone.linear(QUERY).weight().getArray();
            Shape shape = weight.getShape();
            GradientMode.OFF.run(
                    () -> decaying((int) shape.get(0), (int) shape.get(1)).copyTo(weight));
            LoraConfig.Builder config = LoraConfig.builder().rank(3).targetModules(QUERY);
            LoraAdapter exact =
                    fresh(backbone, config.initialization(Initialization.PISSA).build());
            LoraAdapter near = fresh(backbone, config.pissa(new RandomizedSvd(8, 5)).build());
            LoraAdapter far = fresh(backbone, config.pissa(new RandomizedSvd(0, 5)).build());
            assertThat(distance(near, exact)).isLessThan(1e-4);
            assertThat(distance(far, exact)).isGreaterThan(distance(near, exact));
            // The values share the singular values evenly, whatever the estimate.
            assertThat(near.layer(QUERY).a().norm() / near.layer(QUERY).b().norm())
                    .isCloseTo(1, within(1e-5));
        }
    }

    private static LoraAdapter fresh(Backbone backbone, LoraConfig config) {
        try (InjectedLora lora = LoraInjector.inject(backbone, config, "fresh", 1)) {
            return lora.toAdapter(Map.of());
        }
    }

    private static double distance(LoraAdapter one, LoraAdapter other) {
        return Math.max(
                LoraInjectorTest.distance(one.layer(QUERY).a(), other.layer(QUERY).a()),
                LoraInjectorTest.distance(one.layer(QUERY).b(), other.layer(QUERY).b()));
    }

    /** However rough the estimate, what is left of the base and B A are the base together. */
    @ParameterizedTest
    @CsvSource({"0", "1", "4"})
    void theFreshAdapterChangesNothing(int iterations) {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(4)
                        .alpha(6)
                        .pissa(new RandomizedSvd(iterations, 5))
                        .build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            NDArray pixels = TinyBackbone.pixels(scope, 5, 2);
            HostTensor before = features(backbone, pixels);
            HostTensor weight = HostTensor.copyOf(backbone.linear(QUERY).weight().getArray());
            LoraAdapter adapter = fresh(backbone, config);
            try (InjectedLora lora = LoraInjector.attach(backbone, adapter, "fresh", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                assertThat(LoraInjectorTest.distance(features(backbone, pixels), before))
                        .isLessThan(1e-6);
            }
            MergedAdapter merged = AdapterMath.merge(backbone, adapter);
            HostTensor together = HostTensor.copyOf(backbone.linear(QUERY).weight().getArray());
            assertThat(LoraInjectorTest.distance(together, weight)).isLessThan(1e-6);
            merged.unmerge();
            LoraAdapter standalone = AdapterMath.standalone(backbone, adapter);
            assertThat(standalone.isAdditive()).isTrue();
            assertThat(standalone.config().pissaSvd()).isEmpty();
            try (InjectedLora lora = LoraInjector.attach(backbone, standalone, "s", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                assertThat(LoraInjectorTest.distance(features(backbone, pixels), before))
                        .isLessThan(1e-6);
            }
        }
    }

    private static HostTensor features(Backbone backbone, NDArray pixels) {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(backbone.features(pixels)));
    }

    @Test
    void theSeedDecides() {
        LoraConfig one = LoraConfig.builder().pissa(new RandomizedSvd(0, 5)).build();
        LoraConfig other = one.toBuilder().pissa(new RandomizedSvd(0, 6)).build();
        assertThat(one).isNotEqualTo(other);
        assertThat(one.toString()).contains("pissaSvd=RandomizedSvd[iterations=0, seed=5]");
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraAdapter adapter = fresh(backbone, one);
            assertThat(fresh(backbone, one)).isEqualTo(adapter);
            assertThat(fresh(backbone, other).digest()).isNotEqualTo(adapter.digest());
            LoraAdapter pretended =
                    new LoraAdapter(other, adapter.layers(), Map.of(), Map.of(), Map.of());
            assertThat(pretended.digest()).isNotEqualTo(adapter.digest());
            try (InjectedLora lora = LoraInjector.attach(backbone, adapter, "one", 1, false)) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> lora.assign(pretended))
                        .withMessage(
                                "the adapter has the initialisation PISSA by"
                                        + " RandomizedSvd[iterations=0, seed=6], expected PISSA by"
                                        + " RandomizedSvd[iterations=0, seed=5]");
            }
        }
    }

    @Test
    void filesTellTheSeed() throws IOException {
        LoraConfig config = LoraConfig.builder().rank(4).pissa(new RandomizedSvd(2, -5)).build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraAdapter adapter = fresh(backbone, config);
            PeftFormat.write(folder.resolve("a"), adapter, ModelCard.of("tiny"));
            assertThat(folder.resolve("a").resolve(PeftFormat.CONFIG_FILE))
                    .content()
                    .contains("\"init_lora_weights\": \"pissa_niter_2\"");
            LoraAdapter read = PeftFormat.read(folder.resolve("a"), backbone);
            assertThat(read.config().pissaSvd()).contains(new RandomizedSvd(2, -5));
            assertThat(read.digest()).isEqualTo(adapter.digest());
            assertThat(read.provenance()).isEmpty();
            Path settings = folder.resolve("a").resolve(PeftFormat.CONFIG_FILE);
            String json = Files.readString(settings);
            Files.writeString(settings, json.replace("niter_2", "niter_two"));
            assertThatThrownBy(() -> PeftFormat.read(folder.resolve("a")))
                    .isInstanceOf(PeftFormatException.class)
                    .hasMessageContaining("init_lora_weights is \"pissa_niter_two\", expected");
        }
    }

    @Test
    void aNegativeNumberOfIterationsIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RandomizedSvd(-1, 0))
                .withMessage("the number of subspace iterations must be at least 0, found -1");
    }
}
