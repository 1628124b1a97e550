package io.fairlora.examples.study;

import io.fairlora.lora.InputSpec;
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
}
