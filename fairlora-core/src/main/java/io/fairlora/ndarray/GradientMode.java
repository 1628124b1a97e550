package io.fairlora.ndarray;

import ai.djl.pytorch.jni.JniUtils;

/**
 * Switches the recording of gradients on or off on the calling thread until closed.
 *
 * <p>PyTorch keeps the mode per thread: it is off on the thread that started the engine and on in
 * every new one, so code that relies on either says so with this class.
 *
 * <pre>{@code
 * try (GradientMode mode = GradientMode.off()) {
 *     features = backbone.features(images);
 * }
 * }</pre>
 */
public final class GradientMode implements AutoCloseable {

    private final boolean before;

    private GradientMode(boolean on) {
        before = JniUtils.isGradMode();
        JniUtils.setGradMode(on);
    }

    /**
     * Records gradients until the result is closed.
     *
     * @return the switch; closing it restores the mode found
     */
    public static GradientMode on() {
        return new GradientMode(true);
    }

    /**
     * Records no gradients until the result is closed.
     *
     * @return the switch; closing it restores the mode found
     */
    public static GradientMode off() {
        return new GradientMode(false);
    }

    @Override
    public void close() {
        JniUtils.setGradMode(before);
    }
}
