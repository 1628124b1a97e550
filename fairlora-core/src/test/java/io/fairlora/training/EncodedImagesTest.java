package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EncodedImagesTest {

    private static final LoraConfig UPPER =
            LoraConfig.builder().rank(2).alpha(4).layersToTransform(1).build();
    private static final LoraConfig LOWER =
            LoraConfig.builder().rank(2).alpha(4).layersToTransform(0).build();
    private static final long ENOUGH = 1 << 20;

    private final TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
    private final TinyFaces faces = TinyFaces.of(150, 3, 2, 0.5, 3);
    private final Counted counted = new Counted(faces);

    @AfterEach
    void close() {
        backbone.close();
    }

    /** Images that count how often one is read. */
    private static final class Counted extends ForwardingImages {

        private final AtomicInteger reads = new AtomicInteger();

        Counted(Images images) {
            super(images);
        }

        AtomicInteger reads() {
            return reads;
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            reads.incrementAndGet();
            super.read(index, spec, target, offset);
        }
    }

    private EncodedImages encoded() {
        return EncodedImages.of(counted, backbone, 1, ENOUGH, done -> {});
    }

    private static HostTensor features(Backbone backbone, Images images) {
        try (NDManager scope = backbone.manager().newSubManager()) {
            return HostTensor.copyOf(AdaptedModel.features(backbone, images, scope));
        }
    }

    private static void assertClose(HostTensor actual, HostTensor expected) {
        assertThat(actual.shape()).isEqualTo(expected.shape());
        assertThat(actual.toArray()).containsExactly(expected.toArray(), within(1e-5f));
    }

    @Test
    void featuresAreThoseOfTheImagesWithoutReadingThemAgain() {
        List<Integer> done = new ArrayList<>();
        EncodedImages encoded = EncodedImages.of(counted, backbone, 1, ENOUGH, done::add);
        assertThat(done).hasSizeGreaterThan(1).isSorted().endsWith(150);
        assertThat(counted.reads()).hasValue(150);
        assertClose(features(backbone, encoded), features(backbone, faces));
        int[] some = {149, 3, 3, 70};
        assertClose(
                features(backbone, encoded.select(some)), features(backbone, faces.select(some)));
        assertThat(encoded.select(some).name(0)).isEqualTo("face-149.png");
        assertThat(counted.reads()).hasValue(150);
    }

    @Test
    void trainingOnThemIsTrainingOnTheImages() {
        TrainingSettings settings = TrainingSettings.DEFAULT.withEpochs(2).withSeed(9);
        Map<String, HostTensor> plain = train(faces, settings);
        Map<String, HostTensor> kept = train(encoded(), settings);
        assertThat(counted.reads()).hasValue(150);
        assertThat(kept.keySet()).isEqualTo(plain.keySet());
        plain.forEach((name, values) -> assertClose(kept.get(name), values));
    }

    private Map<String, HostTensor> train(Images images, TrainingSettings settings) {
        TaskImages data = TaskImages.of(images, faces.labels(), faces.classes());
        try (AdaptedModel model = new AdaptedModel(backbone, UPPER, 3, 5);
                TrainingLoop loop = new TrainingLoop(model, data, settings)) {
            loop.run(loop.totalSteps(), null, TrainingListener.NONE);
            return loop.state();
        }
    }

    @Test
    void anAdapterBelowSendsTheReaderBackToTheImages() {
        EncodedImages encoded = encoded();
        LoraAdapter below = TinyAdapters.random(backbone, LOWER, 5);
        LinearHead.Weights head = LinearHead.Weights.random(3, 12, 1);
        try (AdaptedModel model = new AdaptedModel(backbone, below, head)) {
            HostTensor expected = features(model.backbone(), faces);
            assertThat(features(model.backbone(), encoded)).isEqualTo(expected);
            assertThat(expected).isNotEqualTo(features(backbone, faces));
        }
        assertThat(counted.reads()).hasValue(300);
    }

    @Test
    void weightsOverwrittenBelowSendTheReaderBackToTheImages() {
        EncodedImages encoded = encoded();
        AdapterMath.merge(backbone, TinyAdapters.random(backbone, LOWER, 5));
        assertThat(features(backbone, encoded)).isEqualTo(features(backbone, faces));
        assertThat(counted.reads()).hasValue(300);
    }

    @Test
    void anotherBackboneReadsTheImages() {
        EncodedImages encoded = encoded();
        try (TinyBackbone other = TinyBackbone.random(DataType.FLOAT32, 2)) {
            assertThat(features(other, encoded)).isEqualTo(features(other, faces));
        }
    }

    @Test
    void noImagesAreNoHiddenStates() {
        EncodedImages none =
                EncodedImages.of(faces.select(new int[0]), backbone, 1, ENOUGH, done -> {});
        assertThat(none.size()).isZero();
        assertThat(features(backbone, none).size()).isZero();
    }

    @Test
    void whatCannotBeKeptIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> EncodedImages.of(faces, backbone, 3, ENOUGH, done -> {}))
                .withMessage("layer must be in 1..2, found 3");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> EncodedImages.of(faces, backbone, 1, 1000, done -> {}))
                .withMessage("the hidden states of 150 images take 7200 bytes, allowed are 1000");
        LoraAdapter below = TinyAdapters.random(backbone, LOWER, 5);
        try (AdaptedModel model =
                new AdaptedModel(backbone, below, LinearHead.Weights.random(3, 12, 1))) {
            TinyBackbone adapted = (TinyBackbone) model.backbone();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> EncodedImages.of(faces, adapted, 1, ENOUGH, done -> {}))
                    .withMessage("a layer below 1 carries an adapter");
        }
        try (TinyBackbone precise = TinyBackbone.random(DataType.FLOAT64, 1)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> EncodedImages.of(faces, precise, 1, ENOUGH, done -> {}))
                    .withMessage(
                            "hidden states are kept in type float32, the backbone's are of type"
                                    + " float64");
        }
    }

    /** Images that are augmented in training. */
    private static final class Augmented extends ForwardingImages {

        private final Images drawn;

        Augmented(Images images, Images drawn) {
            super(images);
            this.drawn = drawn;
        }

        @Override
        public Images forEpoch(long seed, int epoch) {
            return drawn;
        }
    }

    @Test
    void anEpochOfAugmentedImagesIsNotReadFromHiddenStates() {
        TinyFaces drawn = TinyFaces.of(150, 3, 2, 0.5, 4);
        EncodedImages augmented =
                EncodedImages.of(new Augmented(faces, drawn), backbone, 1, ENOUGH, done -> {});

        assertThat(augmented.forEpoch(1, 2)).isSameAs(drawn);
        assertThat(augmented.select(new int[] {3}).forEpoch(1, 2).name(0)).isEqualTo("face-3.png");
        EncodedImages plain = encoded();
        assertThat(plain.forEpoch(1, 2)).isSameAs(plain);
    }
}
