package io.fairlora.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.training.PixelReader;
import io.fairlora.vision.dataset.FileImages;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Reads image files into normalised batches of 64 images of 224 x 224: decode, resize, normalise,
 * batch. For every line on standard input it does so once and prints {@code IMAGES SECONDS
 * CPU_SECONDS}; {@code image_pipeline.py} runs it beside others.
 */
public final class ImagePipeline {

    private static final int BATCH = 64;
    private static final InputSpec SPEC = new InputSpec(224, 224, Interpolation.BILINEAR);

    private ImagePipeline() {}

    /**
     * Runs until standard input ends.
     *
     * @param args a folder of JPEG files and how many of them to read
     * @throws IOException if the folder cannot be listed
     */
    public static void main(String[] args) throws IOException {
        List<Path> files;
        try (Stream<Path> entries = Files.list(Path.of(args[0]))) {
            files =
                    entries.filter(file -> file.toString().endsWith(".jpg"))
                            .sorted()
                            .limit(Long.parseLong(args[1]))
                            .toList();
        }
        BufferedReader rounds =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        while (rounds.readLine() != null) {
            long start = System.nanoTime();
            long cpu = cpuNanos();
            int read = run(FileImages.of(files));
            System.out.printf(
                    Locale.ROOT,
                    "%d %.3f %.3f%n",
                    read,
                    (System.nanoTime() - start) / 1e9,
                    (cpuNanos() - cpu) / 1e9);
        }
    }

    private static long cpuNanos() {
        return ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
                .getProcessCpuTime();
    }

    private static int run(FileImages images) {
        int[] all = IntStream.range(0, images.size()).toArray();
        Iterator<PixelReader.Pixels> batches =
                new PixelReader(images, SPEC).read(PixelReader.batches(all, BATCH));
        int read = 0;
        while (batches.hasNext()) {
            read += (int) normalised(batches.next());
        }
        return read;
    }

    /** Mean and standard deviation 0.5, as the peers have them. */
    private static long normalised(PixelReader.Pixels batch) {
        try (NDManager scope = NDManager.newBaseManager("PyTorch")) {
            return GradientMode.OFF.get(
                    () -> {
                        NDArray pixels = batch.toNDArray(scope).toType(DataType.FLOAT32, false);
                        return pixels.muli(1 / 127.5f).subi(1).getShape().get(0);
                    });
        }
    }
}
