package io.fairlora.ndarray;

import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Whether operations are recorded for back-propagation while a piece of code runs.
 *
 * <p>PyTorch keeps the mode per thread: it is off on the thread that started the engine and on in
 * every new one, so code that relies on either says so with this class.
 *
 * <pre>{@code
 * NDArray features = GradientMode.OFF.get(() -> backbone.features(pixels));
 * }</pre>
 */
public enum GradientMode {
    /** Operations on arrays that require gradients are recorded. */
    ON,
    /** Nothing is recorded. */
    OFF;

    /**
     * Runs code in this mode on the calling thread and restores the mode found.
     *
     * @param <T> the type of the result
     * @param code the code
     * @return what the code returns
     */
    public <T extends @Nullable Object> T get(Supplier<T> code) {
        boolean before = JniUtils.isGradMode();
        JniUtils.setGradMode(this == ON);
        try {
            return code.get();
        } finally {
            JniUtils.setGradMode(before);
        }
    }

    /**
     * Runs code in this mode on the calling thread and restores the mode found.
     *
     * @param code the code
     */
    public void run(Runnable code) {
        get(
                () -> {
                    code.run();
                    return null;
                });
    }
}
