package io.fairlora.examples.pretrain;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.Images;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * All images of several sources in memory, a little larger than the model's input; a batch is cut
 * out at random places and mirrored at random.
 */
final class PixelStore {

    private final int size;
    private final int stored;
    private final byte[][] pixels;

    /** Reads all images in parallel, at {@code stored} pixels a side, to be cut to {@code size}. */
    PixelStore(List<Images> sources, int size, int stored) {
        this.size = size;
        this.stored = stored;
        int total = sources.stream().mapToInt(Images::size).sum();
        pixels = new byte[total][];
        InputSpec spec = new InputSpec(stored, stored, Interpolation.BILINEAR);
        int base = 0;
        for (Images images : sources) {
            int offset = base;
            IntStream.range(0, images.size())
                    .parallel()
                    .forEach(
                            i -> {
                                pixels[offset + i] = new byte[spec.bytes()];
                                images.read(i, spec, pixels[offset + i], 0);
                            });
            base += images.size();
        }
    }

    int count() {
        return pixels.length;
    }

    NDArray batch(NDManager manager, int[] indices, RandomGenerator random) {
        byte[] batch = new byte[indices.length * 3 * size * size];
        int at = 0;
        for (int index : indices) {
            int top = random.nextInt(stored - size + 1);
            int left = random.nextInt(stored - size + 1);
            boolean mirror = random.nextBoolean();
            byte[] image = pixels[index];
            for (int c = 0; c < 3; c++) {
                for (int y = 0; y < size; y++) {
                    int row = (c * stored + top + y) * stored + left;
                    for (int x = 0; x < size; x++) {
                        batch[at++] = image[row + (mirror ? size - 1 - x : x)];
                    }
                }
            }
        }
        return manager.create(
                ByteBuffer.wrap(batch), new Shape(indices.length, 3, size, size), DataType.UINT8);
    }
}
