package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TrainingLoopTest {

    private static final LoraConfig CONFIG =
            LoraConfig.builder().rank(2).alpha(4).dropout(0.1).build();
    private static final TrainingSettings SETTINGS =
            TrainingSettings.DEFAULT.withEpochs(4).withBatchSize(16).withSeed(9);

    private final TinyFaces faces = TinyFaces.of(60, 3, 2, 0.5, 3);

    /** Any term that depends on the adapter. */
    private static NDArray penalty(InjectedLora adapter) {
        return adapter.parameters().values().iterator().next().square().sum().mul(0.1);
    }

    private AdaptedModel fresh(TinyBackbone backbone) {
        return new AdaptedModel(backbone, CONFIG, 3, 5);
    }

    @Test
    void theFirstStepGoesAlongTheGradientOfTheWeightedLossAndThePenalty() {
        TaskImages data = faces.task().withWeights(weights());
        TrainingSettings plain =
                new TrainingSettings(1, 60, 1e-3, 0, 0, Double.POSITIVE_INFINITY, true, 9);
        LoraConfig config = LoraConfig.builder().rank(2).alpha(4).targetModules("value").build();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT64, 1);
                NDManager scope = NDManager.newBaseManager("PyTorch")) {
            LoraAdapter start = TinyAdapters.random(backbone, config, 5);
            LinearHead.Weights head = Gradients.head(3, 12, 6);
            try (AdaptedModel model = new AdaptedModel(backbone, start, head);
                    AdaptedModel before = new AdaptedModel(backbone, start, head);
                    TrainingLoop loop = new TrainingLoop(model, data, plain)) {
                assertThat(loop.totalSteps()).isEqualTo(1);
                loop.run(1, TrainingLoopTest::penalty, TrainingListener.NONE);
                int[] rows = IntStream.range(0, 60).toArray();
                NDArray pixels =
                        new PixelReader(faces, backbone.input())
                                .read(List.of(rows))
                                .next()
                                .toNDArray(scope);
                float[] balanced = LogisticRegression.balanced(data.labels(), 3);
                float[] product = weights();
                for (int i = 0; i < 60; i++) {
                    product[i] *= balanced[i];
                }
                assertThat(loop.exampleWeights()).isEqualTo(product);
                Supplier<NDArray> loss =
                        () ->
                                Losses.crossEntropy(
                                                before.head()
                                                        .logits(before.backbone().features(pixels)),
                                                data.labels(),
                                                product)
                                        .add(penalty(before.adapter()));
                Map<String, NDArray> moved = model.parameters();
                before.parameters()
                        .forEach(
                                (name, parameter) -> {
                                    double[] slopes = Gradients.byDifferences(parameter, loss);
                                    double[] from = parameter.toDoubleArray();
                                    double[] to = moved.get(name).toDoubleArray();
                                    for (int i = 0; i < slopes.length; i++) {
                                        if (Math.abs(slopes[i]) > 1e-6) {
                                            assertThat(to[i] - from[i])
                                                    .as(name)
                                                    .isCloseTo(
                                                            -1e-3 * Math.signum(slopes[i]),
                                                            within(2e-5));
                                        }
                                    }
                                });
            }
        }
    }

    private static float[] weights() {
        float[] weights = new float[60];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = i % 4;
        }
        return weights;
    }

    @Test
    void onlyAdapterAndHeadChangeAndHandlesStayLevel() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            String digest = backbone.digest();
            int outside = Handles.of(backbone.manager());
            TrainingSettings longer = SETTINGS.withEpochs(14);
            try (AdaptedModel model = fresh(backbone);
                    TrainingLoop loop = new TrainingLoop(model, faces.task(), longer)) {
                Map<String, HostTensor> before = loop.state();
                loop.run(2, TrainingLoopTest::penalty, TrainingListener.NONE);
                int inside = Handles.of(backbone.manager());
                List<Integer> counts = new ArrayList<>();
                loop.run(
                        56,
                        TrainingLoopTest::penalty,
                        progress -> counts.add(Handles.of(backbone.manager())));
                assertThat(counts).hasSize(54).containsOnly(inside);
                Map<String, HostTensor> after = loop.state();
                assertThat(after.keySet()).isEqualTo(before.keySet());
                model.parameters()
                        .keySet()
                        .forEach(
                                name ->
                                        assertThat(after.get(name))
                                                .as(name)
                                                .isNotEqualTo(before.get(name)));
                assertThat(model.parameters()).hasSize(2 * 4 + 2);
                model.backbone()
                        .loraLayers()
                        .forEach(
                                (path, linear) ->
                                        assertThat(linear.weight().getArray().hasGradient())
                                                .as(path)
                                                .isFalse());
            }
            assertThat(backbone.digest()).isEqualTo(digest);
            assertThat(Handles.of(backbone.manager())).isEqualTo(outside);
        }
    }

    @Test
    void trainingLearnsTheTask() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone);
                TrainingLoop loop =
                        new TrainingLoop(
                                model,
                                faces.task(),
                                SETTINGS.withEpochs(40).withLearningRate(0.02))) {
            loop.run(loop.totalSteps(), null, TrainingListener.NONE);
            int[] predictions = LogisticRegression.argMax(model.probabilities(faces));
            assertThat(LogisticRegression.balancedAccuracy(faces.labels(), predictions, 3))
                    .isGreaterThan(0.8);
        }
    }

    @Test
    void aRestoredLoopGoesOnToTheSameBits() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel straight = fresh(backbone);
                TrainingLoop whole = new TrainingLoop(straight, faces.task(), SETTINGS);
                AdaptedModel other = new AdaptedModel(backbone, CONFIG, 3, 77);
                TrainingLoop rest = new TrainingLoop(other, faces.task(), SETTINGS)) {
            whole.run(7, null, TrainingListener.NONE);
            rest.restore(7, whole.state());
            assertThat(rest.state()).isEqualTo(whole.state());
            whole.run(16, null, TrainingListener.NONE);
            rest.run(10, null, TrainingListener.NONE);
            rest.run(16, null, TrainingListener.NONE);
            assertThat(rest.state()).isEqualTo(whole.state());
            assertThatThrownBy(() -> rest.restore(17, whole.state()))
                    .hasMessage("step 17 is not in 0..16");
            assertThatThrownBy(() -> rest.restore(7, Map.of()))
                    .hasMessage(
                            "saved state of encoder.layer.0.attention.query.lora_A must have"
                                    + " shape (2, 48), found nothing");
            assertThatThrownBy(() -> rest.run(17, null, TrainingListener.NONE))
                    .hasMessage("until must be at most 16, found 17");
        }
    }

    /** Images whose every epoch is another, and that remember which epochs were asked for. */
    private static final class Changing extends ForwardingImages {

        private final Set<String> asked = ConcurrentHashMap.newKeySet();

        Changing(Images images) {
            super(images);
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            throw new AssertionError("read without an epoch");
        }

        @Override
        public Images forEpoch(long seed, int epoch) {
            asked.add(seed + "/" + epoch);
            return TinyFaces.of(size(), 3, 2, 0.5, seed * 1000 + epoch);
        }
    }

    @Test
    void everyEpochReadsItsOwnImagesAlsoAfterARestore() {
        Changing changing = new Changing(faces);
        TaskImages data = TaskImages.of(changing, faces.labels(), faces.classes());
        int[] all = IntStream.range(0, data.size()).toArray();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel straight = fresh(backbone);
                TrainingLoop whole = new TrainingLoop(straight, data.select(all), SETTINGS);
                AdaptedModel other = new AdaptedModel(backbone, CONFIG, 3, 77);
                TrainingLoop rest = new TrainingLoop(other, data, SETTINGS);
                AdaptedModel third = fresh(backbone);
                TrainingLoop plain = new TrainingLoop(third, faces.task(), SETTINGS)) {
            whole.run(6, null, TrainingListener.NONE);
            rest.restore(6, whole.state());
            whole.run(16, null, TrainingListener.NONE);
            rest.run(16, null, TrainingListener.NONE);
            plain.run(16, null, TrainingListener.NONE);
            assertThat(rest.state()).isEqualTo(whole.state()).isNotEqualTo(plain.state());
        }
        assertThat(changing.asked).containsExactlyInAnyOrder("9/0", "9/1", "9/2", "9/3");
    }

    @Test
    void listenersHearOfEveryStep() {
        List<TrainingListener.Progress> heard = new ArrayList<>();
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone);
                TrainingLoop loop = new TrainingLoop(model, faces.task(), SETTINGS)) {
            loop.run(16, null, heard::add);
        }
        assertThat(heard).hasSize(16);
        for (int i = 0; i < 16; i++) {
            TrainingListener.Progress progress = heard.get(i);
            assertThat(progress.step()).isEqualTo(i + 1);
            assertThat(progress.total()).isEqualTo(16);
            assertThat(progress.epoch()).isEqualTo(i / 4 + 1);
            assertThat(progress.epochs()).isEqualTo(4);
            assertThat(progress.loss()).isPositive().isFinite();
            assertThat(progress.left().isNegative()).isFalse();
        }
        assertThat(heard.get(15).left()).isZero();
    }

    @Test
    void anInterruptStopsBetweenTwoSteps() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone);
                TrainingLoop loop = new TrainingLoop(model, faces.task(), SETTINGS)) {
            assertThatThrownBy(
                            () ->
                                    loop.run(
                                            16,
                                            null,
                                            progress -> {
                                                if (progress.step() == 5) {
                                                    Thread.currentThread().interrupt();
                                                }
                                            }))
                    .isInstanceOf(TrainingStoppedException.class)
                    .hasMessage("training stopped after step 5 of 16");
            assertThat(loop.step()).isEqualTo(5);
            assertThat(Thread.currentThread().isInterrupted()).isFalse();
            loop.run(16, null, TrainingListener.NONE);
        }
    }

    @Test
    void aLossOrGradientThatIsNotFiniteChangesNothing() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone);
                TrainingLoop loop = new TrainingLoop(model, faces.task(), SETTINGS)) {
            loop.run(2, null, TrainingListener.NONE);
            Map<String, HostTensor> before = loop.state();
            assertThatThrownBy(
                            () ->
                                    loop.run(
                                            3,
                                            adapter -> penalty(adapter).mul(Float.NaN),
                                            TrainingListener.NONE))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessage("the loss of step 3 is NaN, lower the learning rate");
            // A root at zero: its value is finite, its slope is not.
            assertThatThrownBy(
                            () ->
                                    loop.run(
                                            3,
                                            adapter -> penalty(adapter).mul(0).sqrt(),
                                            TrainingListener.NONE))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessage("the gradient norm of step 3 is NaN, lower the learning rate");
            assertThat(loop.state()).isEqualTo(before);
            assertThat(loop.step()).isEqualTo(2);
            loop.run(3, null, TrainingListener.NONE);
            assertThat(loop.state().values()).allMatch(HostTensor::isFinite);
        }
    }

    @Test
    void aBatchWithoutWeightDoesNoHarm() {
        float[] weights = new float[60];
        weights[17] = 1;
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone);
                TrainingLoop loop =
                        new TrainingLoop(model, faces.task().withWeights(weights), SETTINGS)) {
            loop.run(4, null, TrainingListener.NONE);
            assertThat(loop.state().values()).allMatch(HostTensor::isFinite);
        }
    }

    /** Images of which one cannot be read. */
    private final class Broken implements Images {

        @Override
        public int size() {
            return faces.size();
        }

        @Override
        public String name(int index) {
            return faces.name(index);
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            if (index == 11) {
                throw new ImageReadException(name(index) + " is cut short", null);
            }
            faces.read(index, spec, target, offset);
        }
    }

    @Test
    void anImageThatCannotBeReadIsNamed() {
        TaskImages data = TaskImages.of(new Broken(), faces.labels(), faces.classes());
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone)) {
            int handles = Handles.of(backbone.manager());
            try (TrainingLoop loop = new TrainingLoop(model, data, SETTINGS)) {
                assertThatThrownBy(() -> loop.run(4, null, TrainingListener.NONE))
                        .isInstanceOf(ImageReadException.class)
                        .hasMessage("face-11.png is cut short");
                assertThat(loop.step()).isLessThan(4);
            }
            assertThatThrownBy(() -> model.probabilities(data.images()))
                    .isInstanceOf(ImageReadException.class);
            assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
        }
    }

    @Test
    void noImagesGiveNoFeatures() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone)) {
            HostTensor none = model.probabilities(faces.select(new int[0]));
            assertThat(none.shape().getShape()).containsExactly(0, 3);
        }
    }

    /** More images than one pass takes, in their order. */
    @Test
    void manyImagesAreTakenInPortions() {
        TinyFaces many = TinyFaces.of(300, 2, 2, 0.5, 3);
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                AdaptedModel model = fresh(backbone)) {
            float[] all = model.probabilities(many).toArray();
            float[] last = model.probabilities(many.select(new int[] {299, 0})).toArray();
            for (int k = 0; k < 3; k++) {
                assertThat(last[k]).isCloseTo(all[299 * 3 + k], within(1e-6f));
                assertThat(last[3 + k]).isCloseTo(all[k], within(1e-6f));
            }
        }
    }

    @Test
    void settingsOutsideTheirRangesAreRefused() {
        assertThatThrownBy(() -> SETTINGS.withEpochs(0))
                .hasMessage("epochs must be at least 1, found 0");
        assertThatThrownBy(() -> SETTINGS.withBatchSize(0))
                .hasMessage("batch size must be at least 1, found 0");
        assertThatThrownBy(() -> SETTINGS.withLearningRate(Double.NaN))
                .hasMessage("learning rate must be positive, found NaN");
        assertThatThrownBy(() -> new TrainingSettings(1, 1, 1, 1.5, 0, 1, true, 0))
                .hasMessage("warm-up must be in [0, 1], found 1.5");
        assertThatThrownBy(() -> new TrainingSettings(1, 1, 1, 0, -1, 1, true, 0))
                .hasMessage("weight decay must be at least 0, found -1.0");
        assertThatThrownBy(() -> new TrainingSettings(1, 1, 1, 0, 0, 0, true, 0))
                .hasMessage("gradient norm must be positive, found 0.0");
    }

    @Test
    void taskDataThatDoesNotFitTogetherIsRefused() {
        assertThatThrownBy(() -> TaskImages.of(faces, new int[3], List.of("a", "b")))
                .hasMessage("60 images but 3 labels");
        assertThatThrownBy(() -> TaskImages.of(faces, faces.labels(), List.of("a", "b")))
                .hasMessageMatching("label of face-\\d+\\.png is 2, expected 0 to 1");
        assertThatThrownBy(() -> TaskImages.of(faces, faces.labels(), List.of("a")))
                .hasMessage("a task needs at least 2 classes, found [a]");
        assertThatThrownBy(() -> faces.task().withWeights(new float[1]))
                .hasMessage("60 examples but 1 weights");
        float[] negative = new float[60];
        negative[4] = -1;
        assertThatThrownBy(() -> faces.task().withWeights(negative))
                .hasMessage("a weight must be finite and at least 0, found -1.0");
        assertThatThrownBy(() -> faces.task().select(new int[] {60}))
                .isInstanceOf(IndexOutOfBoundsException.class);
        TaskImages some = faces.task().withWeights(weights()).select(new int[] {3, 3, 2});
        assertThat(some.weights()).containsExactly(3, 3, 2);
        assertThat(some.images().name(2)).isEqualTo("face-2.png");
        assertThat(some.label(0)).isEqualTo(faces.labels()[3]);
    }
}
