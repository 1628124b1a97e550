package io.fairlora.examples;

import io.fairlora.lora.LayeredBackbone;
import io.fairlora.training.CountDisplay;
import io.fairlora.training.EncodedImages;
import io.fairlora.training.Images;
import java.util.Locale;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of every example that adapts the upper layers only. */
final class AdaptedLayersOption {

    @Option(
            names = "--adapted-layers",
            paramLabel = "N",
            description =
                    "How many of the last layers carry LoRA, half of them by default: what the"
                            + " others make of an image is computed once and kept in memory.")
    private @Nullable Integer count;

    /** The lowest layer with an adapter, counted from 0. */
    int first(LayeredBackbone backbone) {
        int layers = backbone.layers();
        int adapted = count == null ? (layers + 1) / 2 : count;
        if (adapted < 1 || adapted > layers) {
            throw new IllegalArgumentException(
                    "--adapted-layers must be in 1.." + layers + ", found " + adapted);
        }
        return layers - adapted;
    }

    /** What the layers below the lowest adapted one make of the images, with progress. */
    Images keep(Images images, LayeredBackbone backbone) {
        String what = "layers 1 to " + first(backbone) + " run once";
        return keep(images, backbone, new CountDisplay(System.err, what, images.size()));
    }

    /** The same; where half of the memory that Java may take does not hold it, the images. */
    Images keep(Images images, LayeredBackbone backbone, IntConsumer listener) {
        int first = first(backbone);
        if (first == 0) {
            return images;
        }
        long allowed = Runtime.getRuntime().maxMemory() / 2;
        try (LayeredBackbone fork = backbone.fork()) {
            long needed = images.size() * EncodedImages.bytesPerImage(fork, first);
            if (needed > allowed) {
                System.err.printf(
                        Locale.ROOT,
                        "the %d frozen layers run anew in every epoch: to keep what they make of"
                                + " the images takes %,d MB, half of the memory that Java may take"
                                + " is %,d MB (java -Xmx)%n",
                        first,
                        needed >> 20,
                        allowed >> 20);
                return images;
            }
            return EncodedImages.of(images, fork, first, allowed, listener);
        }
    }
}
