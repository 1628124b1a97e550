package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AdamWTest {

    private NDManager manager;

    @BeforeEach
    void setUp() {
        manager = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        manager.close();
    }

    private static JsonNode golden() throws IOException {
        try (InputStream in = AdamWTest.class.getResourceAsStream("/golden/adamw.json")) {
            return new ObjectMapper().readTree(in);
        }
    }

    private static float[] floats(JsonNode numbers) {
        float[] values = new float[numbers.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = numbers.get(i).floatValue();
        }
        return values;
    }

    private Map<String, NDArray> start(JsonNode golden) {
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        parameters.put("matrix", leaf(floats(golden.at("/start/matrix")), 2, 3));
        parameters.put("vector", leaf(floats(golden.at("/start/vector")), 3));
        return parameters;
    }

    private NDArray leaf(float[] values, long... shape) {
        NDArray array = HostTensor.of(values, shape).toNDArray(manager);
        array.setRequiresGradient(true);
        return array;
    }

    /** Accumulates a given gradient: that of the inner product with it. */
    private static void setGradient(NDArray leaf, float... gradient) {
        Scope.run(
                () ->
                        Autograd.backward(
                                GradientMode.ON.get(
                                        () ->
                                                leaf.mul(
                                                                leaf.getManager()
                                                                        .create(
                                                                                gradient,
                                                                                leaf.getShape()))
                                                        .sum())));
    }

    private static void step(AdamW optimizer, Map<String, NDArray> parameters, JsonNode step) {
        parameters.forEach(
                (name, leaf) -> setGradient(leaf, floats(step.at("/gradients/" + name))));
        optimizer.step(step.get("rate").doubleValue());
    }

    private static void assertClose(HostTensor found, JsonNode expected) {
        assertThat(found.toArray()).containsExactly(floats(expected), within(1e-6f));
    }

    @Test
    void stepsAreThoseOfPyTorch() throws IOException {
        JsonNode golden = golden();
        Map<String, NDArray> parameters = start(golden);
        try (AdamW optimizer = new AdamW(manager, parameters, 0.9, 0.999, 0.1)) {
            for (JsonNode step : golden.get("steps")) {
                step(optimizer, parameters, step);
                parameters.forEach(
                        (name, leaf) ->
                                assertClose(HostTensor.copyOf(leaf), step.at("/after/" + name)));
            }
            assertThat(optimizer.steps()).isEqualTo(golden.get("steps").size());
            Map<String, HostTensor> state = optimizer.state();
            assertThat(state.keySet())
                    .containsExactly(
                            "matrix.mean", "matrix.variance", "vector.mean", "vector.variance");
            state.forEach(
                    (name, moment) ->
                            assertClose(moment, golden.at("/moments/" + name.replace('.', '/'))));
        }
    }

    @Test
    void aRestoredStateGoesOnToTheSameBits() throws IOException {
        JsonNode golden = golden();
        Map<String, NDArray> straight = start(golden);
        Map<String, NDArray> resumed = new LinkedHashMap<>();
        try (AdamW first = new AdamW(manager, straight, 0.9, 0.999, 0.1)) {
            for (int i = 0; i < 3; i++) {
                step(first, straight, golden.get("steps").get(i));
            }
            straight.forEach(
                    (name, leaf) ->
                            resumed.put(
                                    name,
                                    leaf(
                                            HostTensor.copyOf(leaf).toArray(),
                                            leaf.getShape().getShape())));
            try (AdamW second = new AdamW(manager, resumed, 0.9, 0.999, 0.1)) {
                second.restore(first.steps(), first.state());
                assertThat(second.state()).isEqualTo(first.state());
                for (int i = 3; i < 6; i++) {
                    step(first, straight, golden.get("steps").get(i));
                    step(second, resumed, golden.get("steps").get(i));
                }
                straight.forEach(
                        (name, leaf) ->
                                assertThat(HostTensor.copyOf(resumed.get(name)))
                                        .isEqualTo(HostTensor.copyOf(leaf)));
                assertThat(second.steps()).isEqualTo(6);
            }
        }
    }

    @Test
    void aStateThatLacksSomethingIsRefused() {
        NDArray leaf = leaf(new float[] {1, 2}, 2);
        try (AdamW optimizer = new AdamW(manager, Map.of("p", leaf), 0.9, 0.999, 0)) {
            assertThatThrownBy(() -> optimizer.restore(1, Map.of()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("optimizer state p.mean must have shape (2), found nothing");
            HostTensor longer = HostTensor.of(new float[3], 3);
            assertThatThrownBy(
                            () ->
                                    optimizer.restore(
                                            1, Map.of("p.mean", longer, "p.variance", longer)))
                    .hasMessage("optimizer state p.mean must have shape (2), found (3)");
            assertThat(optimizer.steps()).isZero();
        }
    }

    @Test
    void aParameterWithoutGradientIsLeftAlone() {
        NDArray reached = leaf(new float[] {1, 2, 3, 4}, 2, 2);
        NDArray other = leaf(new float[] {1, 2, 3, 4}, 2, 2);
        try (AdamW optimizer =
                new AdamW(manager, Map.of("reached", reached, "other", other), 0.9, 0.999, 0.1)) {
            setGradient(reached, 1, 1, 1, 1);
            optimizer.step(0.1);
        }
        assertThat(HostTensor.copyOf(other).toArray()).containsExactly(1, 2, 3, 4);
        assertThat(HostTensor.copyOf(reached).get(0)).isCloseTo(0.89f, within(1e-5f));
    }

    @Test
    void gradientsAreZeroAfterAStep() {
        NDArray leaf = leaf(new float[] {1, 2}, 2);
        try (AdamW optimizer = new AdamW(manager, Map.of("p", leaf), 0.9, 0.999, 0)) {
            setGradient(leaf, 3, 4);
            optimizer.step(0.1);
            try (NDArray gradient = Autograd.gradient(leaf)) {
                assertThat(HostTensor.copyOf(gradient).toArray()).containsExactly(0, 0);
            }
        }
    }

    @Test
    void clippingBoundsTheJointNorm() {
        NDArray p = leaf(new float[] {0, 0}, 2);
        NDArray q = leaf(new float[] {0}, 1);
        try (AdamW optimizer = new AdamW(manager, Map.of("p", p, "q", q), 0.9, 0.999, 0)) {
            assertThat(optimizer.clipGradients(1)).isZero();
            setGradient(p, 3, 4);
            setGradient(q, 12);
            assertThat(optimizer.clipGradients(Double.POSITIVE_INFINITY)).isEqualTo(13);
            assertThat(optimizer.clipGradients(20)).isEqualTo(13);
            assertGradient(p, 3, 4);
            assertThat(optimizer.clipGradients(6.5)).isEqualTo(13);
            assertGradient(p, 1.5f, 2);
            assertGradient(q, 6);
            optimizer.zeroGradients();
            assertGradient(p, 0, 0);
            setGradient(q, Float.POSITIVE_INFINITY);
            assertThat(optimizer.clipGradients(1)).isInfinite();
            assertGradient(q, Float.POSITIVE_INFINITY);
        }
    }

    private static void assertGradient(NDArray leaf, float... expected) {
        try (NDArray gradient = Autograd.gradient(leaf)) {
            assertThat(HostTensor.copyOf(gradient).toArray())
                    .containsExactly(expected, within(1e-6f));
        }
    }

    @Test
    void momentsOutliveTheScopeTheyAreMadeIn() {
        NDArray leaf = leaf(new float[] {1, 2}, 2);
        AdamW[] made = new AdamW[1];
        Scope.run(() -> made[0] = new AdamW(manager, Map.of("p", leaf), 0.9, 0.999, 0));
        try (AdamW optimizer = made[0]) {
            setGradient(leaf, 1, -1);
            optimizer.step(0.5);
            assertThat(HostTensor.copyOf(leaf).toArray())
                    .containsExactly(new float[] {0.5f, 2.5f}, within(1e-5f));
        }
    }

    @Test
    void nothingIsLeftOfAStep() {
        NDArray leaf = leaf(new float[6], 2, 3);
        try (AdamW optimizer = new AdamW(manager, Map.of("p", leaf), 0.9, 0.999, 0.1)) {
            int handles = Handles.of(manager);
            for (int i = 0; i < 50; i++) {
                setGradient(leaf, 1, 2, 3, 4, 5, 6);
                optimizer.clipGradients(1);
                optimizer.step(0.1);
            }
            assertThat(Handles.of(manager)).isEqualTo(handles);
        }
        assertThat(Handles.of(manager)).isEqualTo(1);
        assertThat(leaf.getShape()).isEqualTo(new Shape(2, 3));
    }

    @Test
    void constantsOutsideTheirRangesAreRefused() {
        for (double[] bad :
                List.of(
                        new double[] {1, 0.9, 0},
                        new double[] {0.9, -0.1, 0},
                        new double[] {0.9, 0.999, -1})) {
            assertThatThrownBy(() -> new AdamW(manager, Map.of(), bad[0], bad[1], bad[2]))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(Handles.of(manager)).isZero();
    }
}
