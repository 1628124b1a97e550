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
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.CounterUpdateRequest.Objective;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Gradients;
import io.fairlora.training.Handles;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.training.Losses;
import io.fairlora.training.PixelReader;
import io.fairlora.training.TinyFaces;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CounterUpdateTest {

    private static final LoraConfig CONFIG =
            LoraConfig.builder().rank(2).alpha(4).targetModules("value").build();
    private static final int IMAGES = 100;
    private static final int GROUPS = 3;

    private final TinyFaces faces = TinyFaces.of(IMAGES, 2, GROUPS, 0.5, 3);

    private static CounterUpdateRequest request(
            LoraAdapter adapter, Objective objective, int steps, double rate, double radius) {
        return new CounterUpdateRequest(adapter, objective, steps, IMAGES, rate, radius, 1, 7);
    }

    /**
     * AdamW's first step is {@code -rate g / (|g| + 1e-8)}: it shows the gradient that the auditor
     * went along, which must be that of the objective as defined.
     */
    @ParameterizedTest
    @EnumSource(Objective.class)
    void theFirstStepGoesAlongTheGradientOfTheObjective(Objective objective) {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT64, 1);
                LocalAuditor auditor =
                        LocalAuditor.builder()
                                .backbone(backbone)
                                .sensitive(faces.sensitive())
                                .build();
                NDManager scope = NDManager.newBaseManager("PyTorch")) {
            LoraAdapter start = TinyAdapters.random(backbone, CONFIG, 5);
            double rate = 1e-3;
            LoraAdapter moved = auditor.counterUpdate(request(start, objective, 1, rate, 10));
            try (AdaptedModel before =
                            new AdaptedModel(
                                    backbone, start, Gradients.head(2, backbone.featureSize(), 1));
                    AdaptedModel after =
                            new AdaptedModel(
                                    backbone,
                                    moved,
                                    Gradients.head(2, backbone.featureSize(), 1))) {
                Supplier<NDArray> loss = loss(before, objective, scope);
                Map<String, NDArray> movedParameters = after.adapter().parameters();
                before.adapter()
                        .parameters()
                        .forEach(
                                (name, parameter) -> {
                                    double[] slopes = Gradients.byDifferences(parameter, loss);
                                    double[] from = parameter.toDoubleArray();
                                    double[] to = movedParameters.get(name).toDoubleArray();
                                    int compared = 0;
                                    for (int i = 0; i < slopes.length; i++) {
                                        if (Math.abs(slopes[i]) > 1e-6) {
                                            double step = -rate * Math.signum(slopes[i]);
                                            assertThat(to[i] - from[i])
                                                    .as(name)
                                                    .isCloseTo(step, within(2e-5));
                                            compared++;
                                        }
                                    }
                                    assertThat(compared).isGreaterThan(slopes.length / 2);
                                });
            }
        }
    }

    /** The objective over all images, with what the auditor fits beforehand fitted here. */
    private Supplier<NDArray> loss(AdaptedModel model, Objective objective, NDManager scope) {
        int[] rows = IntStream.range(0, IMAGES).toArray();
        NDArray pixels =
                new PixelReader(faces, model.backbone().input())
                        .read(List.of(rows))
                        .next()
                        .toNDArray(scope);
        Supplier<NDArray> features = () -> model.backbone().features(pixels);
        NDArray first = GradientMode.OFF.get(features);
        int[] values = faces.values();
        float[] balanced = LogisticRegression.balanced(values, GROUPS);
        if (objective == Objective.ERASED_FEATURES) {
            NDArray erased = LinearEraser.fit(first, values, GROUPS, balanced).apply(first, 1);
            return () -> features.get().sub(erased).square().mean();
        }
        LinearHead head =
                new LinearHead(
                        scope,
                        LogisticRegression.fit(first, values, GROUPS, balanced),
                        DataType.FLOAT64);
        float[] ones = new float[IMAGES];
        Arrays.fill(ones, 1);
        return objective == Objective.ENTROPY
                ? () -> Losses.entropy(head.logits(features.get())).neg()
                : () -> Losses.crossEntropy(head.logits(features.get()), values, ones).neg();
    }

    @ParameterizedTest
    @EnumSource(Objective.class)
    void theAdapterStaysWithinItsRadius(Objective objective) {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                LocalAuditor auditor =
                        LocalAuditor.builder()
                                .backbone(backbone)
                                .sensitive(faces.sensitive())
                                .build()) {
            LoraAdapter start = TinyAdapters.random(backbone, CONFIG, 5);
            LoraAdapter moved = auditor.counterUpdate(request(start, objective, 7, 0.5, 0.05));
            double sum = 0;
            for (String path : start.layers().keySet()) {
                sum += squaredDistance(start.layer(path).a(), moved.layer(path).a());
                sum += squaredDistance(start.layer(path).b(), moved.layer(path).b());
            }
            double bound = 0.05 * start.factorNorm();
            assertThat(Math.sqrt(sum)).isBetween(0.99 * bound, 1.0001 * bound);
        }
    }

    private static double squaredDistance(HostTensor x, HostTensor y) {
        double sum = 0;
        for (int i = 0; i < x.size(); i++) {
            sum += Math.pow(x.get(i) - y.get(i), 2);
        }
        return sum;
    }

    @ParameterizedTest
    @EnumSource(Objective.class)
    void theAnswerFollowsFromTheRequestAndNothingIsLeft(Objective objective) {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                LocalAuditor auditor =
                        LocalAuditor.builder()
                                .backbone(backbone)
                                .sensitive(faces.sensitive())
                                .build()) {
            LoraAdapter start =
                    TinyAdapters.random(backbone, CONFIG, 5)
                            .withProvenance(Map.of("who", "the developer"));
            CounterUpdateRequest request =
                    new CounterUpdateRequest(start, objective, 5, 32, 0.01, 1, 1, 7);
            String weights = backbone.digest();
            int handles = Handles.of(backbone.manager());
            LoraAdapter moved = auditor.counterUpdate(request);
            assertThat(auditor.counterUpdate(request)).isEqualTo(moved).isNotEqualTo(start);
            assertThat(moved.provenance()).isEqualTo(start.provenance());
            assertThat(moved.config()).isEqualTo(start.config());
            assertThat(
                            auditor.counterUpdate(
                                    new CounterUpdateRequest(
                                            start, objective, 5, 32, 0.01, 1, 2, 7)))
                    .isNotEqualTo(moved);
            assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
            assertThat(backbone.digest()).isEqualTo(weights);
        }
    }

    @Test
    void distillationIsRefusedWithTooFewImages() {
        TinyFaces few = TinyFaces.of(95, 2, 2, 0.5, 3);
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
                LocalAuditor auditor =
                        LocalAuditor.builder()
                                .backbone(backbone)
                                .sensitive(few.sensitive())
                                .build()) {
            LoraAdapter start = TinyAdapters.random(backbone, CONFIG, 5);
            int handles = Handles.of(backbone.manager());
            assertThatThrownBy(
                            () ->
                                    auditor.counterUpdate(
                                            request(start, Objective.ERASED_FEATURES, 1, 1, 1)))
                    .isInstanceOf(RefusedException.class)
                    .hasMessage(
                            "an eraser of 12 features needs at least 96 images, this auditor has"
                                    + " 95");
            LoraAdapter poisoned = Hostile.poisoned(start);
            assertThatThrownBy(
                            () ->
                                    auditor.counterUpdate(
                                            request(poisoned, Objective.ENTROPY, 1, 1, 1)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("not finite");
            assertThat(Handles.of(backbone.manager())).isEqualTo(handles);
        }
    }

    @Test
    void requestsOutsideTheirRangesAreRefused() {
        try (TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1)) {
            LoraAdapter start = TinyAdapters.random(backbone, CONFIG, 5);
            assertThatThrownBy(() -> request(start, Objective.ASCENT, 0, 1, 1))
                    .hasMessage("steps must be at least 1, found 0");
            assertThatThrownBy(() -> request(start, Objective.ASCENT, 1, 0, 1))
                    .hasMessage("learning rate must be positive, found 0.0");
            assertThatThrownBy(() -> request(start, Objective.ASCENT, 1, 1, 0))
                    .hasMessage("radius must be positive, found 0.0");
            assertThatThrownBy(
                            () ->
                                    new CounterUpdateRequest(
                                            start, Objective.ASCENT, 1, 1, 1, 1, 0, 1))
                    .hasMessage("round must be at least 1, found 0");
        }
    }
}
