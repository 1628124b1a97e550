package io.fairlora.examples.study;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LayeredBackbone;
import io.fairlora.training.EncodedImages;
import io.fairlora.training.Images;
import io.fairlora.vision.dataset.CachedImages;
import java.util.function.UnaryOperator;

/** How a study keeps its images in memory, so that nothing is decoded or computed twice. */
public final class Kept {

    private static final int THREADS = 2;
    private static final long MAX_PIXELS = 1L << 30;

    private Kept() {}

    /**
     * Keeps the pixels.
     *
     * @param input their size
     * @return reads images into memory
     */
    public static UnaryOperator<Images> pixels(InputSpec input) {
        return images -> CachedImages.read(images, input, THREADS, MAX_PIXELS, count -> {});
    }

    /**
     * Keeps what the layers below the lowest adapted one make of the images, in at most half of the
     * memory that Java may take.
     *
     * @param backbone computes it; it stays the caller's
     * @param layer the lowest layer with an adapter, counted from 1
     * @return reads images into memory
     */
    public static UnaryOperator<Images> hiddenStates(LayeredBackbone backbone, int layer) {
        return images -> {
            try (LayeredBackbone fork = backbone.fork()) {
                long allowed = Runtime.getRuntime().maxMemory() / 2;
                return EncodedImages.of(images, fork, layer, allowed, count -> {});
            }
        };
    }
}
