package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.AdapterCombination;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.AdapterSet;
import io.fairlora.lora.CombinationType;
import io.fairlora.lora.Initialization;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LayerKind;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters on the convolution of the patches and the embedding of the positions. */
class LayerKindsTest {

    private static final String POSITIONS = "vision_model.embeddings.position_embedding";
    private static final String PATCHES = "vision_model.embeddings.patch_embedding";
    private static final int BATCH = 3;

    private VisionTransformer clip;
    private NDManager scope;
    private NDArray pixels;

    @BeforeEach
    void setUp() throws IOException, URISyntaxException {
        Path golden = Path.of(LayerKindsTest.class.getResource("/golden/layers").toURI());
        clip = VisionTransformer.load(golden.resolve("clip"), Device.cpu());
        scope = clip.manager().newSubManager();
        byte[] bytes = new byte[BATCH * 3 * 16 * 16];
        new SplittableRandom(2).nextBytes(bytes);
        pixels = scope.create(ByteBuffer.wrap(bytes), new Shape(BATCH, 3, 16, 16), DataType.UINT8);
    }

    @AfterEach
    void tearDown() {
        scope.close();
        clip.close();
    }

    private static LoraConfig.Builder config(String... targets) {
        return LoraConfig.builder().rank(4).alpha(6).targetModules(targets);
    }

    private HostTensor features() {
        return GradientMode.OFF.get(() -> HostTensor.copyOf(clip.features(pixels)));
    }

    private LoraAdapter fresh(LoraConfig config) {
        try (InjectedLora lora = LoraInjector.inject(clip, config, "fresh", 5)) {
            return lora.toAdapter(Map.of());
        }
    }

    /** An adapter that changes something. */
    private LoraAdapter moved(LoraConfig config, long seed) {
        try (InjectedLora lora = LoraInjector.inject(clip, config, "moved", seed)) {
            SplittableRandom random = new SplittableRandom(seed);
            lora.parameters()
                    .values()
                    .forEach(
                            p -> {
                                float[] values = new float[Math.toIntExact(p.size())];
                                for (int i = 0; i < values.length; i++) {
                                    values[i] = (float) (0.3 * random.nextGaussian());
                                }
                                p.set(values);
                            });
            return lora.toAdapter(Map.of());
        }
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
    void layersKnowTheirKind() {
        assertThat(clip.loraLayers().get(PATCHES).kind())
                .isEqualTo(LayerKind.convolution(3, 8, 8))
                .hasToString("convolution 3 8 8");
        assertThat(clip.loraLayers().get(POSITIONS).kind()).isEqualTo(LayerKind.EMBEDDING);
        assertThat(clip.loraLayers().get(POSITIONS).inputSize()).isEqualTo(5);
        assertThat(clip.loraLayers().get(POSITIONS).outputSize()).isEqualTo(16);
        for (LayerKind kind :
                List.of(
                        LayerKind.LINEAR,
                        LayerKind.EMBEDDING,
                        LayerKind.convolution(3, 8, 8),
                        LayerKind.convolution(2, 5))) {
            assertThat(LayerKind.parse(kind.toString())).isEqualTo(kind);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerKind.parse("circle"))
                .withMessage("'circle' names no kind of layer");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerKind.parse("linear 3"))
                .withMessageContaining("cannot have the window (3)");
    }

    /** A of an embedding is zero and B standard normal; without initialisation both are normal. */
    @ParameterizedTest
    @EnumSource(
            value = Initialization.class,
            names = {"KAIMING_UNIFORM", "GAUSSIAN", "PISSA", "OLORA", "ORTHOGONAL", "RANDOM"})
    void aFreshEmbeddingIsThatOfPeft(Initialization initialization) {
        HostTensor before = features();
        LoraConfig config =
                config("position_embedding", "q_proj").initialization(initialization).build();
        LoraAdapter adapter = fresh(config);
        LoraAdapter.Factors factors = adapter.layer(POSITIONS);
        boolean random = initialization == Initialization.RANDOM;
        if (random) {
            assertThat(deviation(factors.a())).isBetween(0.6, 1.4);
        } else {
            assertThat(factors.a().norm()).isZero();
        }
        assertThat(deviation(factors.b())).isBetween(0.75, 1.25);
        try (InjectedLora lora = LoraInjector.attach(clip, adapter, "fresh", 1, false)) {
            assertThat(lora.isEnabled()).isTrue();
            double change = distance(features(), before);
            if (random) {
                assertThat(change).isGreaterThan(0.01);
            } else {
                assertThat(change).isLessThan(2e-5);
            }
        }
        if (adapter.isAdditive() || initialization == Initialization.PISSA) {
            LoraAdapter standalone = AdapterMath.standalone(clip, adapter);
            assertThat(standalone.layer(POSITIONS)).isEqualTo(factors);
        }
    }

    private static double deviation(HostTensor tensor) {
        return tensor.norm() / Math.sqrt(tensor.size());
    }

    @Test
    void aFreshConvolutionIsThatOfPeft() {
        LoraAdapter.Factors uniform = fresh(config("patch_embedding").build()).layer(PATCHES);
        double bound = 1 / Math.sqrt(3 * 8 * 8);
        assertThat(uniform.a().shape()).isEqualTo(new Shape(4, 3 * 8 * 8));
        assertThat(uniform.b().norm()).isZero();
        for (float value : uniform.a().toArray()) {
            assertThat(Math.abs(value)).isLessThanOrEqualTo((float) bound);
        }
        assertThat(deviation(uniform.a())).isCloseTo(bound / Math.sqrt(3), within(0.1 * bound));
        LoraConfig gaussian =
                config("patch_embedding").initialization(Initialization.GAUSSIAN).build();
        assertThat(deviation(fresh(gaussian).layer(PATCHES).a())).isBetween(0.2, 0.3);
    }

    @Test
    void whatPeftHasNotForAKindIsRefused() {
        for (Initialization initialization :
                List.of(Initialization.PISSA, Initialization.OLORA, Initialization.ORTHOGONAL)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () ->
                                    fresh(
                                            config("patch_embedding")
                                                    .initialization(initialization)
                                                    .build()))
                    .withMessage(
                            "layer %s is a convolution, for which the initialisation %s is not"
                                    + " defined, as in PEFT",
                            PATCHES, initialization);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> fresh(config("position_embedding").loraBias(true).build()))
                .withMessageContaining("is an embedding, whose B has no bias, as in PEFT");
        assertThat(clip.loraLayers().values()).allMatch(layer -> layer.names().isEmpty());
    }

    @Test
    void allLinearMeansLinearLayers() {
        LoraConfig all = LoraConfig.builder().rank(2).allLinear().build();
        assertThat(fresh(all).layers())
                .hasSize(2 * 6)
                .doesNotContainKey(PATCHES)
                .doesNotContainKey(POSITIONS);
    }

    /** The positions of a ViT are a parameter without a module, which no name can target. */
    @Test
    void positionsThatAreNoModuleAreNoTarget() throws IOException, URISyntaxException {
        Path golden = Path.of(LayerKindsTest.class.getResource("/golden/layers").toURI());
        try (VisionTransformer vit = VisionTransformer.load(golden.resolve("vit"), Device.cpu())) {
            assertThat(vit.loraLayers()).containsKey("embeddings.patch_embeddings.projection");
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () ->
                                    LoraInjector.inject(
                                            vit, config("position_embeddings").build(), "p", 1))
                    .withMessageStartingWith(
                            "target module 'position_embeddings' matches no adaptable layer");
        }
    }

    @Test
    void anAdapterOfAnotherKindDoesNotFit() {
        LoraAdapter right = moved(config("patch_embedding").build(), 7);
        LoraAdapter.Factors factors = right.layer(PATCHES);
        LoraAdapter wrong =
                right.withLayers(
                        Map.of(
                                PATCHES,
                                new LoraAdapter.Factors(
                                        factors.a(), factors.b(), factors.scale())));
        assertThat(wrong.digest()).isNotEqualTo(right.digest());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LoraInjector.attach(clip, wrong, "wrong", 1, false))
                .withMessage(
                        "layer %s of the adapter is linear, expected convolution 3 8 8", PATCHES);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> AdapterMath.add(right, wrong))
                .withMessageContaining("here convolution 3 8 8, there linear");
    }

    /** What holds of changes to linear layers holds of these: they are sums of products too. */
    @Test
    void changesAddUp() {
        LoraConfig config = config("position_embedding", "patch_embedding", "v_proj").build();
        LoraAdapter one = moved(config, 7);
        LoraAdapter two = moved(config.toBuilder().rank(2).build(), 8);
        HostTensor expected;
        try (InjectedLora first = LoraInjector.attach(clip, one, "one", 1, false);
                InjectedLora second = LoraInjector.attach(clip, two, "two", -0.5, false)) {
            assertThat(first.isEnabled() && second.isEnabled()).isTrue();
            expected = features();
        }
        assertThat(distance(expected, features())).isGreaterThan(0.1);
        LoraAdapter sum = AdapterMath.add(one, AdapterMath.scale(two, -0.5));
        assertThat(sum.layer(PATCHES).kind()).isEqualTo(LayerKind.convolution(3, 8, 8));
        LoraAdapter shorter = AdapterMath.refactor(sum, 6);
        LoraAdapter svd =
                AdapterCombination.builder()
                        .type(CombinationType.SVD)
                        .rank(6)
                        .build()
                        .combine(List.of(one, two), 1, -0.5);
        for (LoraAdapter adapter : List.of(sum, shorter, svd)) {
            assertThat(adapter.layer(POSITIONS).kind()).isEqualTo(LayerKind.EMBEDDING);
            try (InjectedLora lora = LoraInjector.attach(clip, adapter, "sum", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                // Six columns hold both changes but that of five items, which is of rank five.
                assertThat(distance(features(), expected)).isLessThan(1e-4);
            }
        }
    }

    @Test
    void examplesShareThePositionsButNotTheConvolution() {
        try (AdapterSet adapters = AdapterSet.on(clip)) {
            LoraAdapter patches = moved(config("patch_embedding").dora(true).build(), 7);
            adapters.add("patches", patches);
            adapters.add("positions", moved(config("position_embedding").build(), 8));
            HostTensor mixed =
                    HostTensor.copyOf(
                            adapters.features(
                                    pixels, List.of("patches", AdapterSet.BASE, "patches")));
            HostTensor plain = features();
            HostTensor adapted;
            try (InjectedLora lora = LoraInjector.attach(clip, patches, "p", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                adapted = features();
            }
            for (int i = 0; i < mixed.size(); i++) {
                HostTensor expected = i / (mixed.size() / BATCH) == 1 ? plain : adapted;
                assertThat(mixed.get(i)).isCloseTo(expected.get(i), within(1e-4f));
            }
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () ->
                                    adapters.features(
                                            pixels,
                                            List.of("positions", "patches", AdapterSet.BASE)))
                    .withMessage(
                            "layer %s is adapted through its weight, which examples share: they"
                                    + " cannot have adapters of their own",
                            POSITIONS);
        }
    }

    /** As in PEFT, dropout leaves the input of an embedding alone; that of patches it drops. */
    @Test
    void dropoutIsForWhatHasAnInput() {
        LoraAdapter positions = moved(config("position_embedding").dropout(0.5).build(), 7);
        LoraAdapter patches = moved(config("patch_embedding").dropout(0.5).build(), 8);
        try (InjectedLora lora = LoraInjector.attach(clip, positions, "one", 1, false)) {
            HostTensor whole = features();
            lora.startDropout(3);
            assertThat(features()).isEqualTo(whole);
        }
        try (InjectedLora lora = LoraInjector.attach(clip, patches, "one", 1, false)) {
            HostTensor whole = features();
            lora.startDropout(3);
            assertThat(distance(features(), whole)).isGreaterThan(0.01);
            lora.stopDropout();
            assertThat(features()).isEqualTo(whole);
        }
    }

    @Test
    void bfloat16IsNear() {
        LoraConfig config = config("position_embedding", "patch_embedding", "q_proj").build();
        try (InjectedLora lora = LoraInjector.attach(clip, moved(config, 7), "one", 1, false)) {
            assertThat(lora.isEnabled()).isTrue();
            HostTensor single = features();
            clip.setPrecision(Precision.BF16);
            assertThat(distance(features(), single)).isBetween(1e-6, 0.2);
        }
    }

    /** Hidden states under adapted positions or patches are none that could be kept. */
    @Test
    void theStemNoticesThem() {
        Object stem = clip.stem(1);
        for (String target : List.of("position_embedding", "patch_embedding")) {
            LoraAdapter adapter = moved(config(target).build(), 7);
            try (InjectedLora lora = LoraInjector.attach(clip, adapter, "one", 1, false)) {
                assertThat(lora.isEnabled()).isTrue();
                assertThat(clip.stem(1)).isNotEqualTo(stem);
            }
            assertThat(clip.stem(1)).isEqualTo(stem);
            AdapterMath.merge(clip, adapter).unmerge();
            assertThat(clip.stem(1)).isNotEqualTo(stem);
            stem = clip.stem(1);
        }
    }
}
