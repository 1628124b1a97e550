package io.fairlora.benchmarks;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

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
        for (byte[] image : pixels) {
            random.nextBytes(image);
        }
        return inTurn(pixels);
    }

    /** Images from a file of nothing but their pixels, with two classes in turn. */
    static TaskImages read(Path file, InputSpec spec) throws IOException {
        byte[] all = Files.readAllBytes(file);
        byte[][] pixels = new byte[all.length / spec.bytes()][];
        Arrays.setAll(
                pixels, i -> Arrays.copyOfRange(all, i * spec.bytes(), (i + 1) * spec.bytes()));
        return inTurn(pixels);
    }

    private static TaskImages inTurn(byte[][] pixels) {
        int[] labels = IntStream.range(0, pixels.length).map(i -> i % 2).toArray();
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
