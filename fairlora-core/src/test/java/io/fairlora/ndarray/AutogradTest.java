package io.fairlora.ndarray;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.util.NativeResource;
import io.fairlora.training.Handles;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AutogradTest {

    private NDManager manager;

    @BeforeEach
    void setUp() {
        manager = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        manager.close();
    }

    private static NDArray leaf(NDManager owner, float... values) {
        NDArray leaf = owner.create(values);
        leaf.setRequiresGradient(true);
        return leaf;
    }

    private static float[] gradientOf(NDArray leaf) {
        try (NDArray gradient = Autograd.gradient(leaf)) {
            return gradient == null ? null : HostTensor.copyOf(gradient).toArray();
        }
    }

    @Test
    void gradientsAccumulateUntilTheyAreZeroed() {
        NDArray x = leaf(manager, 1, 2, 3);
        assertThat(gradientOf(x)).isNull();
        Autograd.zeroGradient(x);
        for (int i = 1; i <= 2; i++) {
            Autograd.backward(GradientMode.ON.get(() -> x.square().sum()));
            assertThat(gradientOf(x)).containsExactly(2 * i, 4 * i, 6 * i);
        }
        Autograd.zeroGradient(x);
        assertThat(gradientOf(x)).containsExactly(0, 0, 0);
        assertThatThrownBy(() -> Autograd.backward(GradientMode.ON.get(x::square)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("only a scalar can be differentiated, found shape (3)");
    }

    @Test
    void detachedArraysPassNoGradientOn() {
        NDArray x = leaf(manager, 1, 2);
        Autograd.backward(GradientMode.ON.get(() -> x.mul(Autograd.detach(x)).sum()));
        assertThat(gradientOf(x)).containsExactly(1, 2);
    }

    @Test
    void theModeFoundIsRestoredEvenAfterAFailure() {
        for (GradientMode outer : GradientMode.values()) {
            outer.run(
                    () -> {
                        for (GradientMode inner : GradientMode.values()) {
                            assertThatThrownBy(
                                            () ->
                                                    inner.run(
                                                            () -> {
                                                                throw new IllegalStateException();
                                                            }))
                                    .isInstanceOf(IllegalStateException.class);
                            assertThat(records()).isEqualTo(outer == GradientMode.ON);
                        }
                    });
        }
    }

    /** Whether operations are recorded on the calling thread. */
    private boolean records() {
        NDArray x = leaf(manager, 1);
        NDArray loss = x.mul(3).sum();
        try {
            Autograd.backward(loss);
            return true;
        } catch (RuntimeException e) {
            return false;
        }
    }

    @Test
    void threadsDifferentiateSideBySide() throws InterruptedException, ExecutionException {
        ExecutorService threads = Executors.newFixedThreadPool(3);
        List<Future<float[]>> results = new ArrayList<>();
        for (int t = 1; t <= 3; t++) {
            float factor = t;
            results.add(threads.submit(() -> gradientAfterManySteps(factor)));
        }
        for (int t = 1; t <= 3; t++) {
            assertThat(results.get(t - 1).get()).containsExactly(200 * t, 200 * t);
        }
        threads.shutdown();
    }

    private static float[] gradientAfterManySteps(float factor) {
        try (NDManager own = NDManager.newBaseManager("PyTorch")) {
            NDArray x = leaf(own, 1, 2);
            for (int i = 0; i < 200; i++) {
                Scope.run(() -> Autograd.backward(GradientMode.ON.get(() -> x.mul(factor).sum())));
            }
            return gradientOf(x);
        }
    }

    @Test
    void aScopeFreesWhatIsMadeInItWhoeverOwnsIt() {
        NDArray x = leaf(manager, 1, 2);
        int handles = Handles.of(manager);
        NDArray[] inside = new NDArray[1];
        Scope.run(() -> inside[0] = x.mul(2));
        assertThat(((NativeResource<?>) inside[0]).isReleased()).isTrue();
        assertThat(Handles.of(manager)).isEqualTo(handles);
        try (NDArray kept = Scope.keep(() -> x.mul(2).add(1))) {
            assertThat(Handles.of(manager)).isEqualTo(handles + 1);
            assertThat(HostTensor.copyOf(kept).toArray()).containsExactly(3, 5);
        }
        Scope.run(() -> inside[0] = Scope.keep(() -> x.mul(2)));
        assertThat(((NativeResource<?>) inside[0]).isReleased()).isTrue();
        assertThat(Handles.of(manager)).isEqualTo(handles);
    }
}
