package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.ModelCard;
import io.fairlora.lora.PeftFormat;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.Candidate;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Gradients;
import io.fairlora.training.Handles;
import io.fairlora.training.LinearHead;
import io.fairlora.training.TinyFaces;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FairClassifierTest {

    @TempDir private Path directory;
    private Runs runs;

    @BeforeEach
    void setUp() {
        runs = new Runs(3, 2);
    }

    @AfterEach
    void tearDown() {
        runs.close();
    }

    static List<DebiasStrategy> strategies() {
        return Runs.strategies();
    }

    private FairClassifier fit(DebiasStrategy strategy) {
        return runs.builder(strategy).build().fit(runs.train.task());
    }

    @ParameterizedTest
    @MethodSource("strategies")
    void whatIsSavedPredictsTheSameOnceLoaded(DebiasStrategy strategy) throws IOException {
        Path saved = directory.resolve(strategy.name());
        int handles = Handles.of(runs.backbone.manager());
        try (FairClassifier classifier = fit(strategy)) {
            classifier.save(saved, runs.auditor.audit(classifier.candidate()));
            try (FairClassifier loaded = FairClassifier.load(saved, runs.backbone)) {
                assertThat(loaded.classes()).isEqualTo(runs.train.classes());
                assertThat(loaded.candidate().name()).isEqualTo(strategy.name());
                assertThat(loaded.probabilities(runs.audited).toArray())
                        .containsExactly(
                                classifier.probabilities(runs.audited).toArray(), within(1e-6f));
                assertThat(loaded.predict(runs.audited))
                        .isEqualTo(classifier.predict(runs.audited));
            }
        }
        assertThat(Files.readString(saved.resolve("README.md")))
                .contains("## Fairness", strategy.name(), "class0");
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
    }

    @ParameterizedTest
    @MethodSource("strategies")
    void mergedItPredictsTheSame(DebiasStrategy strategy) {
        try (FairClassifier classifier = fit(strategy)) {
            float[] before = classifier.probabilities(runs.audited).toArray();
            LinearHead.Weights head = classifier.mergeInto(runs.backbone);
            try (NDManager scope = runs.backbone.manager().newSubManager();
                    LinearHead applied = new LinearHead(scope, head, DataType.FLOAT32)) {
                float[] merged =
                        GradientMode.OFF.get(
                                () ->
                                        HostTensor.copyOf(
                                                        applied.logits(
                                                                        AdaptedModel.features(
                                                                                runs.backbone,
                                                                                runs.audited,
                                                                                scope))
                                                                .softmax(-1))
                                                .toArray());
                // A head refitted on the tiny features of this backbone has weights in the
                // thousands,
                // which magnify the rounding of the features.
                double tolerance = Math.max(1e-5, 1e-6 * head.weight().norm());
                assertThat(merged).containsExactly(before, within((float) tolerance));
            }
            // Merged once more it would be another model.
            assertThatThrownBy(() -> classifier.mergeInto(runs.backbone))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("the classifier was trained on the backbone ");
        }
    }

    @Test
    void unlearningCarriesTheAuditorsAdapterNegated() {
        try (FairClassifier classifier = fit(Runs.strategies().get(1))) {
            LoraAdapter whole = classifier.candidate().adapter();
            assertThat(whole.layers().values()).allMatch(factors -> factors.rank() == 4);
            Candidate bare =
                    new Candidate(
                            "bare",
                            AdapterMath.refactor(whole, 1),
                            classifier.candidate().head(),
                            classifier.classes(),
                            null,
                            0);
            try (FairClassifier other = new FairClassifier(runs.backbone, bare)) {
                assertThat(other.probabilities(runs.audited))
                        .isNotEqualTo(classifier.probabilities(runs.audited));
            }
        }
    }

    @Test
    void anErasersStrengthIsServed() {
        try (FairClassifier classifier = fit(Strategies.ERASE)) {
            Candidate candidate = classifier.candidate();
            assertThat(candidate.eraser()).isNotNull();
            assertThat(candidate.servedHead()).isNotEqualTo(candidate.head());
            Candidate none =
                    new Candidate(
                            "none",
                            candidate.adapter(),
                            candidate.head(),
                            candidate.classes(),
                            candidate.eraser(),
                            0);
            assertThat(none.servedHead()).isEqualTo(candidate.head());
        }
    }

    @Test
    void probabilitiesSumToOneAndNoImagesGiveNone() {
        try (FairClassifier classifier = fit(Strategies.ERM)) {
            HostTensor probabilities = classifier.probabilities(runs.audited);
            assertThat(probabilities.shape().getShape()).containsExactly(150, 3);
            for (int i = 0; i < 150; i++) {
                assertThat(
                                probabilities.get(3 * i)
                                        + probabilities.get(3 * i + 1)
                                        + probabilities.get(3 * i + 2))
                        .isCloseTo(1, within(1e-5f));
            }
            TinyFaces none = TinyFaces.of(0, 3, 2, 0, 1);
            assertThat(classifier.predict(none)).isEmpty();
            assertThatThrownBy(() -> classifier.balancedAccuracy(none.task()))
                    .hasMessage("there is no image to measure on");
            assertThatThrownBy(
                            () -> classifier.balancedAccuracy(TinyFaces.of(3, 2, 2, 0, 1).task()))
                    .hasMessage(
                            "the data has the classes [class0, class1], the classifier has"
                                    + " [class0, class1, class2]");
        }
    }

    @Test
    void validationIsNotedOnTheCard() throws IOException {
        Path saved = directory.resolve("it");
        try (FairClassifier classifier =
                runs.builder(Strategies.ERM).build().fit(runs.train.task(), runs.audited.task())) {
            classifier.save(saved);
            assertThat(Files.readString(saved.resolve("README.md")))
                    .contains(
                            "validation_balanced_accuracy",
                            Double.toString(classifier.balancedAccuracy(runs.audited.task())));
        }
    }

    @Test
    void anotherBackboneIsRefused() throws IOException {
        Path saved = directory.resolve("it");
        try (FairClassifier classifier = fit(Strategies.ERM);
                TinyBackbone other = TinyBackbone.random(DataType.FLOAT32, 2)) {
            classifier.save(saved);
            String digest = other.digest();
            assertThatThrownBy(() -> FairClassifier.load(saved, other))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            saved
                                    + " was trained on the backbone "
                                    + runs.backbone.digest()
                                    + ", found "
                                    + digest);
            assertThatThrownBy(() -> classifier.mergeInto(other))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "the classifier was trained on the backbone "
                                    + runs.backbone.digest()
                                    + ", found "
                                    + digest);
            assertThat(other.digest()).isEqualTo(digest);
        }
    }

    @Test
    void directoriesWithoutAFittingClassifierAreRefused() throws IOException {
        LoraAdapter adapter = TinyAdapters.random(runs.backbone, Runs.CONFIG, 5);
        Path bare = directory.resolve("bare");
        PeftFormat.write(bare, adapter, ModelCard.of("tiny"));
        assertThatThrownBy(() -> FairClassifier.load(bare, runs.backbone))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(bare + " has no classifier, found the modules []");
        LinearHead.Weights head = Gradients.head(2, 13, 4);
        Path wide = directory.resolve("wide");
        PeftFormat.write(
                wide,
                adapter.withSavedModules(
                        Map.of("classifier.weight", head.weight(), "classifier.bias", head.bias())),
                ModelCard.of("tiny"));
        int handles = Handles.of(runs.backbone.manager());
        assertThatThrownBy(() -> FairClassifier.load(wide, runs.backbone))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the head reads 13 features, the backbone has 12");
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
        Path absent = directory.resolve("absent");
        assertThatThrownBy(() -> FairClassifier.load(absent, runs.backbone))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(absent.toString());
    }

    /** What PEFT saved knows no names of classes. */
    @Test
    void classesOfAForeignDirectoryAreNumbered() throws IOException {
        LinearHead.Weights head = Gradients.head(2, 12, 4);
        Path foreign = directory.resolve("foreign");
        PeftFormat.write(
                foreign,
                TinyAdapters.random(runs.backbone, Runs.CONFIG, 5)
                        .withSavedModules(
                                Map.of(
                                        "classifier.weight",
                                        head.weight(),
                                        "classifier.bias",
                                        head.bias())),
                ModelCard.of("tiny"));
        try (FairClassifier classifier = FairClassifier.load(foreign, runs.backbone)) {
            assertThat(classifier.classes()).containsExactly("LABEL_0", "LABEL_1");
            assertThat(classifier.candidate().name()).isEqualTo("foreign");
        }
    }
}
