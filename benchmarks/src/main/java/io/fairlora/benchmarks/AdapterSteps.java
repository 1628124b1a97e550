package io.fairlora.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import io.fairlora.lora.PeftFormat;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.LinearHead;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.vit.VisionTransformer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Inference and steps of training with an adapter that PEFT has written, on a backbone that
 * transformers has written. For every line {@code features}, {@code infer N} or {@code train N} on
 * standard input it prints the mean absolute feature of the first batch, or the seconds that N
 * batches took; {@code adapter_steps.py} runs it beside PEFT.
 */
public final class AdapterSteps implements AutoCloseable {

    private final VisionTransformer backbone;
    private final AdaptedModel model;
    private final TaskImages data;
    private final TaskImages batch;
    private final TrainingLoop loop;

    private AdapterSteps(Path directory, Path adapter, Path pixels, int size, Precision precision)
            throws IOException {
        backbone = VisionTransformer.load(directory, Device.cpu());
        backbone.setPrecision(precision);
        model =
                new AdaptedModel(
                        backbone,
                        PeftFormat.read(adapter, backbone),
                        LinearHead.Weights.random(2, backbone.featureSize(), 1));
        model.setTrainable(true);
        data = RandomImages.read(pixels, backbone.input());
        batch = data.select(IntStream.range(0, size).toArray());
        // Long enough that no run comes to its end.
        loop =
                new TrainingLoop(
                        model,
                        data,
                        TrainingSettings.DEFAULT.withEpochs(1_000_000).withBatchSize(size));
    }

    /**
     * Runs until standard input ends.
     *
     * @param args backbone, adapter, a file of pixels, batch size, precision
     * @throws IOException if a file cannot be read
     */
    public static void main(String[] args) throws IOException {
        try (AdapterSteps steps =
                new AdapterSteps(
                        Path.of(args[0]),
                        Path.of(args[1]),
                        Path.of(args[2]),
                        Integer.parseInt(args[3]),
                        Precision.valueOf(args[4]))) {
            BufferedReader commands =
                    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            String line;
            while ((line = commands.readLine()) != null) {
                System.out.printf(Locale.ROOT, "%.6f%n", steps.run(line.split(" ")));
            }
        }
    }

    private double run(String[] command) {
        if (command[0].equals("features")) {
            return meanAbsolute(features());
        }
        int times = Integer.parseInt(command[1]);
        long start = System.nanoTime();
        if (command[0].equals("train")) {
            loop.run(loop.step() + times, null, TrainingListener.NONE);
        } else {
            for (int i = 0; i < times; i++) {
                features();
            }
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private HostTensor features() {
        try (NDManager scope = backbone.manager().newSubManager()) {
            return HostTensor.copyOf(model.features(batch.images(), scope));
        }
    }

    private static double meanAbsolute(HostTensor tensor) {
        double sum = 0;
        for (int i = 0; i < tensor.size(); i++) {
            sum += Math.abs(tensor.get(i));
        }
        return sum / tensor.size();
    }

    @Override
    public void close() {
        loop.close();
        model.close();
        backbone.close();
    }
}
