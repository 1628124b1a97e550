package io.fairlora.party;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyAdapters;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.Handles;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TinyFaces;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingSettings;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the developer accepts from the auditor, and what becomes of it. */
class SolutionDeveloperTest {

    private static final LoraConfig CONFIG = LoraConfig.builder().rank(2).alpha(4).build();
    private static final TrainingSettings SETTINGS =
            TrainingSettings.DEFAULT.withEpochs(2).withBatchSize(16);

    private final TinyFaces faces = TinyFaces.of(40, 2, 2, 0.5, 3);
    private TinyBackbone backbone;
    private SolutionDeveloper developer;

    @BeforeEach
    void setUp() {
        backbone = TinyBackbone.random(DataType.FLOAT32, 1);
        developer = new SolutionDeveloper(backbone, faces.task(), CONFIG, SETTINGS, Map.of());
        developer.trainUntil(2, null, TrainingListener.NONE);
    }

    @AfterEach
    void tearDown() {
        developer.close();
        backbone.close();
    }

    private static Map<String, LoraAdapter.Factors> without(LoraAdapter adapter, int index) {
        Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>(adapter.layers());
        layers.remove(List.copyOf(layers.keySet()).get(index));
        return layers;
    }

    private LoraAdapter hostile(String kind) {
        LoraAdapter own = developer.handOver();
        Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>(own.layers());
        String first = layers.keySet().iterator().next();
        return switch (kind) {
            case "a layer is missing" -> own.withLayers(without(own, 1));
            case "a layer is named otherwise" -> {
                Map<String, LoraAdapter.Factors> others = without(own, 0);
                others.put("encoder.layer.9.attention.query", own.layer(first));
                yield own.withLayers(others);
            }
            case "a layer too many" -> {
                layers.put("encoder.layer.0.output.dense", own.layer(first));
                yield own.withLayers(layers);
            }
            case "another rank" ->
                    TinyAdapters.random(backbone, CONFIG.toBuilder().rank(3).alpha(6).build(), 4);
            case "another scale" -> AdapterMath.scale(own, 1.5);
            case "not a number" -> Hostile.poisoned(own);
            case "a huge number" -> Hostile.huge(own);
            case "a module of its own" ->
                    own.withSavedModules(
                            Map.of("classifier.weight", HostTensor.of(new float[2], 2)));
            default -> throw new IllegalArgumentException(kind);
        };
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a layer is missing",
                "a layer is named otherwise",
                "a layer too many",
                "another rank",
                "another scale",
                "not a number",
                "a huge number",
                "a module of its own"
            })
    void anAdapterThatIsNotOfItsFormIsRefusedAndNothingChanges(String kind) {
        Map<String, HostTensor> before = developer.state();
        LoraAdapter hostile = hostile(kind);
        assertThatThrownBy(() -> developer.takeBack(hostile))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("the auditor's adapter")
                .hasMessageNotContaining("\n");
        assertThatThrownBy(() -> developer.checkSensitive(hostile))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(developer.state()).isEqualTo(before);
    }

    @Test
    void refusalsSayWhatWasFoundAndExpected() {
        assertThatThrownBy(() -> developer.takeBack(hostile("another scale")))
                .hasMessage(
                        "layer encoder.layer.0.attention.query of the auditor's adapter has A (2,"
                                + " 48), B (12, 2) and scale 3.0, expected (2, 48), (12, 2) and"
                                + " 2.0");
        assertThatThrownBy(() -> developer.takeBack(hostile("not a number")))
                .hasMessage("the auditor's adapter has numbers that are not finite");
        assertThatThrownBy(() -> developer.takeBack(hostile("a huge number")))
                .hasMessageStartingWith("the auditor's adapter has the norm 1.0")
                .hasMessageContaining("at most 100.0 times");
        assertThatThrownBy(() -> developer.takeBack(hostile("a module of its own")))
                .hasMessage("the auditor's adapter brings modules of its own: [classifier.weight]");
    }

    @Test
    void anHonestAdapterIsTakenBackToTheBit() {
        LoraAdapter moved = TinyAdapters.random(backbone, CONFIG, 6);
        developer.takeBack(moved);
        assertThat(developer.handOver()).isEqualTo(moved);
        assertThat(developer.checkSensitive(moved)).isSameAs(moved);
    }

    private static LinearEraser eraser(int d, float u, float v) {
        float[] column = new float[d];
        column[1] = u;
        float[] row = new float[d];
        row[1] = v;
        return new LinearEraser(
                HostTensor.of(column, d, 1),
                HostTensor.of(row, 1, d),
                HostTensor.of(new float[d], d));
    }

    @Test
    void anEraserThatCannotBeOneIsRefusedAndNothingChanges() {
        Candidate before = developer.candidate("it");
        assertThatThrownBy(() -> developer.setEraser(eraser(13, 1, 1), 1))
                .hasMessage("the auditor's eraser maps 13 features, the backbone has 12");
        assertThatThrownBy(() -> developer.setEraser(eraser(12, Float.NaN, 1), 1))
                .hasMessage("the auditor's eraser has numbers that are not finite");
        assertThatThrownBy(() -> developer.setEraser(eraser(12, 1, Float.POSITIVE_INFINITY), 1))
                .hasMessage("the auditor's eraser has numbers that are not finite");
        assertThatThrownBy(() -> developer.setEraser(eraser(12, 1e6f, 1e3f), 1))
                .hasMessage("the auditor's eraser has the norm 1.0E9, at most 10000.0 is accepted");
        assertThatThrownBy(() -> developer.setEraser(eraser(12, 3, 1), 1))
                .hasMessage(
                        "the auditor's eraser is no projection: V U differs from the identity by"
                                + " 2.0");
        assertThatThrownBy(() -> developer.setEraser(eraser(12, 1, 1), 1.5))
                .hasMessage("strength must be in [0, 1], found 1.5");
        assertThat(developer.candidate("it")).isEqualTo(before);
        developer.setEraser(eraser(12, 4, 0.25f), 0.5);
        assertThat(developer.candidate("it")).isNotEqualTo(before);
        assertThat(developer.candidate("it").eraserStrength()).isEqualTo(0.5);
    }

    @Test
    void thereIsOneAdapterUnderTheTrainedOne() {
        LoraAdapter base = TinyAdapters.random(backbone, CONFIG, 6);
        LoraAdapter trained = developer.handOver();
        developer.setBase(base);
        assertThat(developer.handOver()).isEqualTo(trained);
        assertThat(developer.adapter()).isEqualTo(AdapterMath.add(base, trained));
        assertThatThrownBy(() -> developer.setBase(base))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("there is an adapter under the trained one already");
    }

    @Test
    void aRefittedHeadIsNoWorseOnItsOwnData() {
        double before = developer.balancedAccuracy(faces.task());
        developer.refitHead();
        assertThat(developer.balancedAccuracy(faces.task())).isGreaterThanOrEqualTo(before);
        TaskImages other = TinyFaces.of(4, 3, 2, 0, 1).task();
        assertThatThrownBy(() -> developer.balancedAccuracy(other))
                .hasMessage(
                        "the data has the classes [class0, class1, class2], the task has [class0,"
                                + " class1]");
    }

    @Test
    void aDeveloperThatCannotStartLeavesNothingBehind() {
        int handles = Handles.of(backbone.manager());
        TaskImages empty = TinyFaces.of(0, 2, 2, 0, 1).task();
        assertThatThrownBy(() -> new SolutionDeveloper(backbone, empty, CONFIG, SETTINGS, Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("there is no training example");
        TaskImages weightless = faces.task().withWeights(new float[40]);
        assertThatThrownBy(
                        () ->
                                new SolutionDeveloper(
                                        backbone, weightless, CONFIG, SETTINGS, Map.of()))
                .hasMessage("all training examples have the weight 0");
        LoraConfig nowhere = CONFIG.toBuilder().targetModules("qurey").build();
        assertThatThrownBy(
                        () ->
                                new SolutionDeveloper(
                                        backbone, faces.task(), nowhere, SETTINGS, Map.of()))
                .hasMessageStartingWith("target module 'qurey' matches no adaptable layer");
        assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
    }
}
