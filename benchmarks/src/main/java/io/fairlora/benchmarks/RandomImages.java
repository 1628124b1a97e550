package io.fairlora.benchmarks;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import java.util.List;
import java.util.Random;

/** Images of noise, so that nothing but the network is timed. */
final class RandomImages implements Images {

    private final byte[][] pixels;

    private RandomImages(byte[][] pixels) {
        this.pixels = pixels;
    }

    /** Images with two classes in turn. */
    static TaskImages of(int count, int imageSize, long seed) {
        Random random = new Random(seed);
        byte[][] pixels = new byte[count][3 * imageSize * imageSize];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++) {
            random.nextBytes(pixels[i]);
            labels[i] = i % 2;
        }
        return TaskImages.of(new RandomImages(pixels), labels, List.of("no", "yes"));
    }

    @Override
    public int size() {
        return pixels.length;
    }

    @Override
    public String name(int index) {
        return "noise " + index;
    }

    @Override
    public void read(int index, InputSpec spec, byte[] target, int offset) {
        System.arraycopy(pixels[index], 0, target, offset, spec.bytes());
    }
}
