package io.fairlora.party;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Gradients;
import io.fairlora.training.Handles;
import io.fairlora.training.LinearHead;
import io.fairlora.training.TinyFaces;
import io.fairlora.training.TrainingSettings;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocalAuditorTest {

    private static final LoraConfig CONFIG = LoraConfig.builder().rank(2).alpha(4).build();

    private final TinyFaces faces = TinyFaces.of(150, 2, 2, 0.6, 3);
    private final TinyFaces audited = TinyFaces.of(200, 2, 2, 0, 4);
    private TinyBackbone backbone;
    private LocalAuditor auditor;
    private LoraAdapter adapter;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT32, 1);
        auditor = LocalAuditor.of(backbone, faces.sensitiveWithTask(), audited.audit());
        adapter = TinyAdapters.random(backbone, CONFIG, 5);
    }

    @AfterEach
    void tearDown() {
        auditor.close();
        backbone.close();
    }

    private Candidate candidate(LinearEraser eraser, double strength) {
        return candidate(Gradients.head(2, 12, 3), List.of("class0", "class1"), eraser, strength);
    }

    private Candidate candidate(
            LinearHead.Weights head, List<String> classes, LinearEraser eraser, double strength) {
        return new Candidate("it", adapter, head, classes, eraser, strength);
    }

    @Test
    void describesItselfWithoutData() {
        assertThat(auditor.describe())
                .isEqualTo(
                        new AuditorDescription(
                                "group", List.of("group0", "group1"), backbone.digest(), true));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void itsEraserEqualisesTheMeansOfItsOwnFeatures(boolean givenTask) {
        LinearEraser eraser = auditor.eraser(new EraserRequest(adapter, givenTask));
        float[] weights =
                givenTask
                        ? Reweighing.weights(faces.labels(), 2, faces.values(), 2)
                        : Reweighing.weights(new int[150], 1, faces.values(), 2);
        try (AdaptedModel model = new AdaptedModel(backbone, adapter, Gradients.head(2, 12, 3));
                NDManager scope = backbone.manager().newSubManager()) {
            NDArray features = model.features(faces, scope);
            assertThat(meanDistance(features, weights)).isGreaterThan(1e-2);
            assertThat(meanDistance(eraser.apply(features, 1), weights)).isLessThan(1e-6);
            if (givenTask) {
                float[] plain = Reweighing.weights(new int[150], 1, faces.values(), 2);
                assertThat(meanDistance(eraser.apply(features, 1), plain)).isGreaterThan(1e-4);
            }
        }
        assertThat(Received.fits(eraser, 12)).isSameAs(eraser);
    }

    private double meanDistance(NDArray features, float[] weights) {
        HostTensor x = HostTensor.copyOf(features);
        double[][] means = new double[2][12];
        double[] total = new double[2];
        int[] values = faces.values();
        for (int i = 0; i < values.length; i++) {
            total[values[i]] += weights[i];
            for (int j = 0; j < 12; j++) {
                means[values[i]][j] += weights[i] * x.get(i * 12 + j);
            }
        }
        double greatest = 0;
        for (int j = 0; j < 12; j++) {
            greatest =
                    Math.max(greatest, Math.abs(means[0][j] / total[0] - means[1][j] / total[1]));
        }
        return greatest;
    }

    @Test
    void erasersAreRefusedWithASentence() {
        LocalAuditor.Builder builder =
                LocalAuditor.builder()
                        .backbone(backbone)
                        .sensitive(TinyFaces.of(95, 2, 2, 0.5, 3).sensitive());
        try (LocalAuditor small = builder.build();
                LocalAuditor unwilling = builder.offersEraser(false).build();
                LocalAuditor unknowing =
                        builder.offersEraser(true)
                                .sensitive(TinyFaces.of(96, 2, 2, 0.5, 3).sensitive())
                                .build()) {
            EraserRequest request = new EraserRequest(adapter, false);
            EraserRequest given = new EraserRequest(adapter, true);
            assertThatThrownBy(() -> small.eraser(request))
                    .isInstanceOf(RefusedException.class)
                    .hasMessage(
                            "an eraser of 12 features needs at least 96 images, this auditor has"
                                    + " 95");
            assertThat(unwilling.describe().offersEraser()).isFalse();
            assertThatThrownBy(() -> unwilling.eraser(request))
                    .isInstanceOf(RefusedException.class)
                    .hasMessage(
                            "an eraser of group was asked for, this auditor does not offer one");
            assertThat(unknowing.eraser(request).featureSize()).isEqualTo(12);
            assertThatThrownBy(() -> unknowing.eraser(given))
                    .isInstanceOf(RefusedException.class)
                    .hasMessage(
                            "an eraser given the task's label was asked for, this auditor does"
                                    + " not know the label");
        }
    }

    @Test
    void theSensitiveAdapterReadsTheAttribute() {
        TrainingSettings settings = TrainingSettings.DEFAULT.withEpochs(12).withSeed(5);
        SensitiveAdapterRequest request = new SensitiveAdapterRequest(CONFIG, settings);
        int handles = Handles.of(backbone.manager());
        LoraAdapter trained = auditor.sensitiveAdapter(request);
        assertThat(auditor.sensitiveAdapter(request)).isEqualTo(trained);
        assertThat(trained.savedModules()).isEmpty();
        assertThat(trained.norm()).isPositive();
        assertThat(trained.provenance()).containsOnlyKeys("backbone");
        assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
    }

    @Test
    void aReportCarriesProbesBeforeAndAfter() {
        LinearEraser eraser = auditor.eraser(new EraserRequest(adapter, false));
        List<String> classes = List.of("class0", "class1");
        FairnessReport plain = auditor.audit(candidate(along(eraser), classes, null, 0));
        FairnessReport erased = auditor.audit(candidate(along(eraser), classes, eraser, 1));
        assertThat(plain.count()).isEqualTo(200);
        assertThat(probe(plain, "linear_probe_accuracy")).isGreaterThan(0.7);
        assertThat(probe(plain, "linear_probe_accuracy_frozen")).isGreaterThan(0.7);
        assertThat(probe(erased, "linear_probe_accuracy")).isCloseTo(0.5, within(0.12));
        assertThat(probe(erased, "linear_probe_accuracy_frozen"))
                .isEqualTo(probe(plain, "linear_probe_accuracy_frozen"));
        assertThat(plain.metrics()).isNotEqualTo(erased.metrics());
        assertThat(plain.provenance().subject()).contains("it");
    }

    /** A head that goes by what the eraser takes away. */
    private static LinearHead.Weights along(LinearEraser eraser) {
        float[] weight = new float[24];
        for (int i = 0; i < 12; i++) {
            weight[i] = eraser.v().get(i);
            weight[12 + i] = -eraser.v().get(i);
        }
        return new LinearHead.Weights(
                HostTensor.of(weight, 2, 12), HostTensor.of(new float[] {0, 0.1f}, 2));
    }

    private static double probe(FairnessReport report, String name) {
        return report.extras().get(name).figure().value();
    }

    /** A candidate measures the same with its eraser apart and folded in. */
    @Test
    void aServedHeadPredictsAsTheCandidateIsAudited() {
        LinearEraser eraser = auditor.eraser(new EraserRequest(adapter, false));
        Candidate apart = candidate(eraser, 0.7);
        Candidate folded = candidate(apart.servedHead(), apart.classes(), null, 0);
        FairnessReport first = auditor.audit(apart);
        FairnessReport second = auditor.audit(folded);
        assertThat(second.metrics()).isEqualTo(first.metrics());
        assertThat(second.overall()).isEqualTo(first.overall());
    }

    @Test
    void auditsLeaveNothingBehind() {
        LinearEraser eraser = auditor.eraser(new EraserRequest(adapter, true));
        auditor.audit(candidate(eraser, 1));
        int handles = Handles.of(backbone.manager());
        String weights = backbone.digest();
        for (int i = 0; i < 3; i++) {
            auditor.eraser(new EraserRequest(adapter, true));
            auditor.audit(candidate(eraser, 1));
        }
        assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
        assertThat(backbone.digest()).isEqualTo(weights);
    }

    @Test
    void aCandidateThatDoesNotFitIsRefused() {
        int handles = Handles.of(backbone.manager());
        List<String> classes = List.of("class0", "class1");
        refuses(
                candidate(Gradients.head(2, 12, 3), List.of("no", "yes"), null, 0),
                "the candidate's classes are [no, yes], the audit images' are [class0, class1]");
        refuses(
                candidate(Gradients.head(2, 13, 3), classes, null, 0),
                "the head reads 13 features, the backbone has 12");
        HostTensor infinite = HostTensor.of(new float[] {0, Float.NEGATIVE_INFINITY}, 2);
        refuses(
                candidate(
                        new LinearHead.Weights(Gradients.head(2, 12, 3).weight(), infinite),
                        classes,
                        null,
                        0),
                "the head has elements that are not finite");
        HostTensor nothing = HostTensor.of(new float[13], 13);
        refuses(
                candidate(
                        new LinearEraser(
                                HostTensor.of(new float[13], 13, 1),
                                HostTensor.of(new float[13], 1, 13),
                                nothing),
                        1),
                "the candidate's eraser maps 13 features, the backbone has 12");
        float[] nan = new float[12];
        nan[3] = Float.NaN;
        refuses(
                candidate(
                        new LinearEraser(
                                HostTensor.of(new float[12], 12, 1),
                                HostTensor.of(nan, 1, 12),
                                HostTensor.of(new float[12], 12)),
                        1),
                "the candidate's eraser has numbers that are not finite");
        refuses(
                new Candidate(
                        "it",
                        Hostile.poisoned(adapter),
                        Gradients.head(2, 12, 3),
                        classes,
                        null,
                        0),
                "layer encoder.layer.0.attention.query of the adapter has elements that are not"
                        + " finite");
        assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
    }

    private void refuses(Candidate candidate, String message) {
        assertThatThrownBy(() -> auditor.audit(candidate))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }

    @Test
    void candidatesCheckTheirParts() {
        LinearHead.Weights head = Gradients.head(3, 12, 3);
        assertThatThrownBy(() -> candidate(head, List.of("a", "b"), null, 0))
                .hasMessage("the head has 3 outputs, the classes are [a, b]");
        assertThatThrownBy(() -> candidate(null, 1.1))
                .hasMessage("eraser strength must be in [0, 1], found 1.1");
    }

    @Test
    void auditorsThatCannotWorkAreRefusedAtOnce() {
        LocalAuditor.Builder builder = LocalAuditor.builder();
        assertThatThrownBy(builder::build).hasMessage("an auditor needs a backbone");
        builder.backbone(backbone);
        assertThatThrownBy(builder::build)
                .hasMessage("an auditor needs images with the sensitive attribute");
        builder.sensitive(TinyFaces.of(0, 2, 2, 0, 1).sensitive());
        assertThatThrownBy(builder::build).hasMessage("the auditor has no image");
        builder.sensitive(faces.sensitive()).audit(TinyFaces.of(9, 2, 3, 0, 1).audit());
        assertThatThrownBy(builder::build)
                .hasMessage(
                        "the auditor's images have the values [group0, group1], its audit images"
                                + " [group0, group1, group2]");
        builder.audit(
                AuditImages.of(
                        faces,
                        faces.labels(),
                        faces.classes(),
                        "age",
                        faces.values(),
                        List.of("group0", "group1")));
        assertThatThrownBy(builder::build)
                .hasMessage("the auditor's images have the attribute group, its audit images age");
        builder.audit(TinyFaces.of(0, 2, 2, 0, 1).audit());
        assertThatThrownBy(builder::build).hasMessage("there is no audit image");
        assertThatThrownBy(() -> builder.minimumGroupSize(0))
                .hasMessage("minimum group size must be at least 1, found 0");
        assertThatThrownBy(() -> builder.replicates(-1))
                .hasMessage("replicates must be at least 0, found -1");
        assertThatThrownBy(() -> builder.probeExamples(0))
                .hasMessage("probe examples must be at least 1, found 0");
    }

    @Test
    void withoutAuditImagesThereIsNoAudit() {
        try (LocalAuditor blind =
                LocalAuditor.builder().backbone(backbone).sensitive(faces.sensitive()).build()) {
            assertThatThrownBy(() -> blind.audit(candidate(null, 0)))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("this auditor was given no audit images");
        }
    }

    @Test
    void severalClassesAndGroupsAreMeasuredToo() {
        TinyFaces many = TinyFaces.of(160, 3, 3, 0.5, 3);
        try (LocalAuditor plural =
                LocalAuditor.of(backbone, many.sensitiveWithTask(), many.audit())) {
            LinearEraser eraser = plural.eraser(new EraserRequest(adapter, true));
            assertThat(eraser.u().shape().get(1)).isEqualTo(2);
            FairnessReport report =
                    plural.audit(candidate(Gradients.head(3, 12, 3), many.classes(), eraser, 1));
            assertThat(report.byGroup()).hasSize(3);
            assertThat(probe(report, "linear_probe_accuracy")).isBetween(0.0, 1.0);
        }
    }

    @Test
    void labelsOutOfRangeAreRefusedByName() {
        assertThatThrownBy(
                        () ->
                                SensitiveImages.of(
                                        "group",
                                        TinyFaces.of(2, 2, 2, 0, 1),
                                        new int[] {0, 2},
                                        List.of("a", "b")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("label of face-1.png is 2, expected 0 to 1");
        assertThatThrownBy(
                        () ->
                                AuditImages.of(
                                        TinyFaces.of(2, 2, 2, 0, 1),
                                        new int[] {0, 1},
                                        List.of("a", "b"),
                                        "group",
                                        new int[] {0},
                                        List.of("a", "b")))
                .hasMessage("2 images but 1 labels");
    }
}
