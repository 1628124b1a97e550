package io.fairlora.benchmarks;

import io.fairlora.lora.LoraConfig;
import io.fairlora.training.EncodedImages;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * An adapter on the upper half of the layers only: from pixels, and from what the lower half made
 * of the images once.
 */
public class HiddenStatesBenchmark extends AdapterBenchmark {

    private static final int FIRST = TinyVit.LAYERS / 2;

    /** Whether the hidden states are kept. */
    @Param({"false", "true"})
    public boolean kept;

    /** Makes backbone, adapter and head. */
    public HiddenStatesBenchmark() {
        super(
                LoraConfig.builder()
                        .layersToTransform(IntStream.range(FIRST, TinyVit.LAYERS).toArray())
                        .build());
    }

    /** Computes the hidden states, if they are to be kept. */
    @Setup(Level.Trial)
    public void encode() {
        if (kept) {
            keep(images -> EncodedImages.of(images, transformer(), FIRST, 1L << 30, done -> {}));
        }
    }
}
