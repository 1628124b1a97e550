package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.AuditorDescription;
import io.fairlora.party.Candidate;
import io.fairlora.party.CounterUpdateRequest;
import io.fairlora.party.CounterUpdateRequest.Objective;
import io.fairlora.party.EraserRequest;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.Hostile;
import io.fairlora.party.LinearEraser;
import io.fairlora.party.LocalAuditor;
import io.fairlora.party.SensitiveAdapterRequest;
import io.fairlora.strategy.CounterUpdates;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Strategies;
import io.fairlora.strategy.Unlearning;
import io.fairlora.training.ForwardingImages;
import io.fairlora.training.Handles;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TinyFaces;
import io.fairlora.training.TrainingStoppedException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class FairLoraTest {

    @TempDir private Path directory;
    private Path file;
    private Runs runs;

    @BeforeEach
    void setUp() {
        file = directory.resolve("run.safetensors");
        runs = new Runs(2, 2);
    }

    @AfterEach
    void tearDown() {
        runs.close();
    }

    static List<DebiasStrategy> strategies() {
        return Runs.strategies();
    }

    /** What uninterrupted runs came to, and how often they asked their auditor. */
    private static final Map<DebiasStrategy, Candidate> STRAIGHT = new ConcurrentHashMap<>();

    private static final Map<DebiasStrategy, Integer> CALLS = new ConcurrentHashMap<>();

    private Candidate straight(DebiasStrategy strategy) {
        return STRAIGHT.computeIfAbsent(
                strategy,
                key -> {
                    Failing counting = new Failing(runs.auditor, -1);
                    Candidate result = runs.result(runs.builder(key, counting));
                    CALLS.put(key, counting.calls);
                    return result;
                });
    }

    @ParameterizedTest
    @MethodSource("strategies")
    void theSameSeedGivesTheSameBitsAndNothingIsLeft(DebiasStrategy strategy) {
        String digest = runs.backbone.digest();
        int handles = Handles.of(runs.backbone.manager());
        Candidate first = straight(strategy);
        assertThat(runs.result(runs.builder(strategy))).isEqualTo(first);
        assertThat(runs.result(runs.builder(strategy).seed(8))).isNotEqualTo(first);
        assertThat(first.name()).isEqualTo(strategy.name());
        assertThat(first.adapter().norm()).isPositive();
        assertThat(runs.backbone.digest()).isEqualTo(digest);
        assertThat(runs.backbone.loraLayers().values()).allMatch(l -> l.names().isEmpty());
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
    }

    /** Stopped by an interrupt within a round and at the end of one. */
    @ParameterizedTest
    @MethodSource("strategies")
    void anInterruptedRunGoesOnToTheSameBits(DebiasStrategy strategy) throws IOException {
        Candidate straight = straight(strategy);
        for (int stop : new int[] {6, 8}) {
            FairLora stopped =
                    runs.builder(strategy)
                            .checkpoint(file, 50)
                            .listener(
                                    progress -> {
                                        if (progress.step() == stop) {
                                            Thread.currentThread().interrupt();
                                        }
                                    })
                            .build();
            assertThatThrownBy(() -> stopped.fit(runs.train.task()))
                    .isInstanceOf(TrainingStoppedException.class)
                    .hasMessage("training stopped after step " + stop + " of " + Runs.STEPS);
            List<Long> steps = new ArrayList<>();
            assertThat(
                            runs.result(
                                    runs.builder(strategy)
                                            .checkpoint(file, 50)
                                            .listener(progress -> steps.add(progress.step()))))
                    .as("stopped after step %s", stop)
                    .isEqualTo(straight);
            assertThat(steps).hasSize(Runs.STEPS - stop);
            Files.delete(file);
        }
    }

    /** An auditor that fails at one of its calls, as a lost connection would. */
    private static final class Failing implements FairnessAuditor {

        private final FairnessAuditor auditor;
        private final int failAt;
        private final List<Integer> batchSizes = new ArrayList<>();
        private int calls;

        Failing(FairnessAuditor auditor, int failAt) {
            this.auditor = auditor;
            this.failAt = failAt;
        }

        private void count() {
            calls++;
            if (calls == failAt) {
                throw new UncheckedIOException(new IOException("connection lost"));
            }
        }

        @Override
        public AuditorDescription describe() {
            return auditor.describe();
        }

        @Override
        public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
            count();
            return auditor.sensitiveAdapter(request);
        }

        @Override
        public LoraAdapter counterUpdate(CounterUpdateRequest request) {
            count();
            batchSizes.add(request.batchSize());
            return auditor.counterUpdate(request);
        }

        @Override
        public LinearEraser eraser(EraserRequest request) {
            count();
            return auditor.eraser(request);
        }

        @Override
        public FairnessReport audit(Candidate candidate) {
            return auditor.audit(candidate);
        }

        @Override
        public void close() {
            auditor.close();
        }
    }

    /** Twelve features are fewer than the 16 that one image of DISTILL's batches stands for. */
    @Test
    void theAuditorsBatchIsTheStrategysOrFollowsFromTheFeatures() {
        CounterUpdates.Builder distill =
                CounterUpdates.builder(Objective.ERASED_FEATURES).rounds(1).steps(1);
        Failing auditor = new Failing(runs.auditor, -1);
        runs.result(runs.builder(distill.build(), auditor));
        runs.result(runs.builder(distill.batchSize(5).build(), auditor));
        assertThat(auditor.batchSizes).containsExactly(1, 5);
    }

    /** Killed between two saves, and between the rounds. */
    @ParameterizedTest
    @MethodSource("strategies")
    void aKilledRunGoesOnToTheSameBits(DebiasStrategy strategy) throws IOException {
        Candidate straight = straight(strategy);
        FairLora killed =
                runs.builder(strategy)
                        .checkpoint(file, 3)
                        .listener(
                                progress -> {
                                    if (progress.step() == 8) {
                                        throw new IllegalStateException("killed");
                                    }
                                })
                        .build();
        assertThatThrownBy(() -> killed.fit(runs.train.task())).hasMessage("killed");
        assertThat(runs.result(runs.builder(strategy).checkpoint(file, 3))).isEqualTo(straight);
        Files.delete(file);

        int calls = CALLS.get(strategy);
        if (calls > 0) {
            FairLora cut =
                    runs.builder(strategy, new Failing(runs.auditor, calls))
                            .checkpoint(file, 50)
                            .build();
            assertThatThrownBy(() -> cut.fit(runs.train.task()))
                    .hasMessageContaining("connection lost");
            Failing again = new Failing(runs.auditor, -1);
            assertThat(runs.result(runs.builder(strategy, again).checkpoint(file, 50)))
                    .isEqualTo(straight);
            // What was answered is not asked for again.
            assertThat(again.calls).isEqualTo(1);
        }
    }

    @Test
    void aFinishedRunIsNotTrainedAgain() {
        FairLora.Builder builder = runs.builder(strategies().get(1)).checkpoint(file, 4);
        Candidate first = runs.result(builder);
        Failing counting = new Failing(runs.auditor, -1);
        assertThat(
                        runs.result(
                                runs.builder(strategies().get(1), counting)
                                        .checkpoint(file, 4)
                                        .listener(
                                                progress -> {
                                                    throw new AssertionError(progress);
                                                })))
                .isEqualTo(first);
        assertThat(counting.calls).isZero();
    }

    @Test
    void aCheckpointOfAnotherRunIsRefused() throws IOException {
        runs.result(runs.builder(Strategies.ERM).checkpoint(file, 4));
        byte[] before = Files.readAllBytes(file);
        refused(runs.builder(Unlearning.builder().build()), runs.train.task(), "strategy");
        refused(runs.builder(Strategies.ERM).seed(8), runs.train.task(), "settings");
        refused(
                runs.builder(Strategies.ERM).lora(Runs.CONFIG.toBuilder().dropout(0).build()),
                runs.train.task(),
                "lora");
        refused(
                runs.builder(Strategies.ERM),
                runs.train.task().select(new int[] {1, 2, 3}),
                "examples");
        int[] labels = runs.train.labels();
        labels[0] = 1 - labels[0];
        refused(
                runs.builder(Strategies.ERM),
                TaskImages.of(runs.train, labels, runs.train.classes()),
                "labels");
        refused(
                runs.builder(Strategies.ERM),
                TaskImages.of(runs.train, runs.train.labels(), List.of("no", "yes")),
                "classes");
        float[] weights = new float[60];
        Arrays.fill(weights, 2);
        refused(runs.builder(Strategies.ERM), runs.train.task().withWeights(weights), "labels");
        int[] reversed = IntStream.range(0, 60).map(i -> 59 - i).toArray();
        refused(
                runs.builder(Strategies.ERM),
                TaskImages.of(
                        runs.train.select(reversed), runs.train.labels(), runs.train.classes()),
                "list of images");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
    }

    /** Images of which every epoch sees another strength of the same change. */
    private static final class Dimmed extends ForwardingImages {

        private final int strength;

        Dimmed(Images images, int strength) {
            super(images);
            this.strength = strength;
        }

        @Override
        public Images forEpoch(long seed, int epoch) {
            return new ForwardingImages(images()) {
                @Override
                public void read(int index, InputSpec spec, byte[] target, int offset) {
                    super.read(index, spec, target, offset);
                    for (int i = offset; i < offset + spec.bytes(); i++) {
                        target[i] = (byte) ((target[i] & 0xFF) / (strength + epoch));
                    }
                }
            };
        }

        @Override
        public String describe() {
            return super.describe() + ", dimmed by " + strength;
        }
    }

    private TaskImages dimmed(int strength) {
        return TaskImages.of(
                new Dimmed(runs.train, strength), runs.train.labels(), runs.train.classes());
    }

    @Test
    void aRunGoesOnWithItsOwnAugmentationOnly() {
        Candidate straight;
        try (FairClassifier whole = runs.unaudited().build().fit(dimmed(2))) {
            straight = whole.candidate();
        }
        FairLora killed =
                runs.unaudited()
                        .checkpoint(file, 3)
                        .listener(
                                progress -> {
                                    if (progress.step() == 8) {
                                        throw new IllegalStateException("killed");
                                    }
                                })
                        .build();
        assertThatThrownBy(() -> killed.fit(dimmed(2))).hasMessage("killed");
        FairLora again = runs.unaudited().checkpoint(file, 3).build();
        assertThatThrownBy(() -> again.fit(dimmed(3)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "checkpoint "
                                + file
                                + " is of another run: its image processing is as they are, dimmed"
                                + " by 2, this run's is as they are, dimmed by 3");
        assertThatThrownBy(() -> again.fit(runs.train.task()))
                .hasMessageEndingWith(
                        "its image processing is as they are, dimmed by 2, this run's is as they"
                                + " are");
        try (FairClassifier rest = again.fit(dimmed(2))) {
            assertThat(rest.candidate()).isEqualTo(straight);
        }
    }

    private void refused(FairLora.Builder builder, TaskImages data, String what) {
        FairLora other = builder.checkpoint(file, 4).build();
        assertThatThrownBy(() -> other.fit(data))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "checkpoint " + file + " is of another run: its " + what + " is ")
                .hasMessageContaining(", this run's is ");
    }

    @Test
    void aBrokenCheckpointIsRefusedByName() throws IOException {
        runs.result(runs.builder(Strategies.ERM).checkpoint(file, 4));
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(whole, whole.length - 5));
        int handles = Handles.of(runs.backbone.manager());
        FairLora again = runs.builder(Strategies.ERM).checkpoint(file, 4).build();
        assertThatThrownBy(() -> again.fit(runs.train.task()))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessage("checkpoint " + file + " cannot be read")
                .hasCauseInstanceOf(IOException.class);
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
        FairLora nowhere =
                runs.builder(Strategies.ERM)
                        .checkpoint(directory.resolve("absent").resolve("run"), 4)
                        .build();
        assertThatThrownBy(() -> nowhere.fit(runs.train.task()))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("cannot be written");
    }

    @Test
    void aRunOverAnotherBackboneIsRefused() {
        try (TinyBackbone other = TinyBackbone.random(DataType.FLOAT32, 2);
                LocalAuditor stranger =
                        LocalAuditor.of(other, runs.known.sensitive(), runs.audited.audit())) {
            FairLora fairLora = runs.builder(Strategies.ORTH, stranger).build();
            assertThatThrownBy(() -> fairLora.fit(runs.train.task()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "the auditor holds the backbone "
                                    + other.digest()
                                    + ", the developer holds "
                                    + runs.backbone.digest());
        }
    }

    @Test
    void anAuditorWhoIsNotAskedChangesNothing() {
        Candidate alone = runs.result(runs.unaudited());
        Candidate audited = straight(Strategies.ERM);
        assertThat(alone.adapter().layers()).isEqualTo(audited.adapter().layers());
        assertThat(alone.head()).isEqualTo(audited.head());
        assertThat(alone.adapter().provenance()).doesNotContainKey("sensitive_attribute");
    }

    @Test
    void aCheckpointOfAnAuditedRunIsNotThatOfARunWithoutAnAuditor() {
        FairLora stopped =
                runs.builder(Strategies.ERM)
                        .checkpoint(file, 50)
                        .listener(progress -> Thread.currentThread().interrupt())
                        .build();
        assertThatThrownBy(() -> stopped.fit(runs.train.task()))
                .isInstanceOf(TrainingStoppedException.class);
        FairLora alone = runs.unaudited().checkpoint(file, 50).build();
        assertThatThrownBy(() -> alone.fit(runs.train.task()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageEndingWith(
                        "is of another run: its sensitive attribute is group, this run's is ");
    }

    @Test
    void badInputIsRefusedWithASentence() {
        assertThatThrownBy(() -> FairLora.builder().build())
                .hasMessage("a FairLora needs a backbone");
        FairLora.Builder alone = FairLora.builder().backbone(runs.backbone);
        assertThatThrownBy(() -> alone.strategy(Strategies.ORTH).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("strategy ORTH needs an auditor");
        FairLora.Builder builder = runs.builder(Strategies.ERM);
        assertThatThrownBy(() -> builder.checkpoint(file, 0))
                .hasMessage("every must be at least 1 step, found 0");
        int handles = Handles.of(runs.backbone.manager());
        FairLora empty = builder.build();
        assertThatThrownBy(() -> empty.fit(TinyFaces.of(0, 2, 2, 0, 1).task()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("there is no training example");
        FairLora nothing =
                builder.lora(Runs.CONFIG.toBuilder().targetModules("qkv").build()).build();
        assertThatThrownBy(() -> nothing.fit(runs.train.task()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "target module 'qkv' matches no adaptable layer of the backbone, nearest are"
                                + " [encoder.layer.");
        FairLora other = runs.builder(Strategies.ERM).build();
        TaskImages validation = TinyFaces.of(4, 3, 2, 0, 1).task();
        assertThatThrownBy(() -> other.fit(runs.train.task(), validation))
                .hasMessage(
                        "the training data has the classes [class0, class1], the validation data"
                                + " [class0, class1, class2]");
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
    }

    /** An auditor that answers with something hostile. */
    private static FairnessAuditor hostile(FairnessAuditor honest) {
        return new FairnessAuditor() {
            @Override
            public AuditorDescription describe() {
                return honest.describe();
            }

            @Override
            public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
                return Hostile.poisoned(honest.sensitiveAdapter(request));
            }

            @Override
            public LoraAdapter counterUpdate(CounterUpdateRequest request) {
                return Hostile.huge(honest.counterUpdate(request));
            }

            @Override
            public LinearEraser eraser(EraserRequest request) {
                LinearEraser eraser = honest.eraser(request);
                float[] shift = eraser.shift().toArray();
                shift[0] = Float.NaN;
                return new LinearEraser(eraser.u(), eraser.v(), HostTensor.of(shift, shift.length));
            }

            @Override
            public FairnessReport audit(Candidate candidate) {
                return honest.audit(candidate);
            }

            @Override
            public void close() {}
        };
    }

    @ParameterizedTest
    @MethodSource("strategies")
    void whatAHostileAuditorSendsEndsTheRun(DebiasStrategy strategy) {
        if (strategy.name().equals("ERM")) {
            assertThat(runs.result(runs.builder(strategy, hostile(runs.auditor))))
                    .isEqualTo(runs.result(runs.builder(strategy)));
            return;
        }
        int handles = Handles.of(runs.backbone.manager());
        FairLora fairLora = runs.builder(strategy, hostile(runs.auditor)).build();
        assertThatThrownBy(() -> fairLora.fit(runs.train.task()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("the auditor's ");
        assertThat(Handles.of(runs.backbone.manager())).isEqualTo(handles);
    }

    @Test
    void severalClassesAndGroupsWorkWithEveryStrategy() {
        try (Runs many = new Runs(3, 3)) {
            int handles = Handles.of(many.backbone.manager());
            for (DebiasStrategy strategy : Runs.strategies()) {
                try (FairClassifier classifier =
                        many.builder(strategy).epochs(12).build().fit(many.train.task())) {
                    FairnessReport report = many.auditor.audit(classifier.candidate());
                    assertThat(report.count()).isEqualTo(150);
                    assertThat(report.byGroup()).hasSize(3);
                    assertThat(classifier.balancedAccuracy(many.train.task()))
                            .as(strategy.name())
                            .isGreaterThan(0.4);
                }
            }
            assertThat(Handles.of(many.backbone.manager())).isEqualTo(handles);
        }
    }
}
