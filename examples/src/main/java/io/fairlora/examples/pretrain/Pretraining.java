package io.fairlora.examples.pretrain;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.examples.pretrain.LabelPrediction.Target;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import io.fairlora.training.AdamW;
import io.fairlora.training.CosineSchedule;
import io.fairlora.training.EpochOrder;
import io.fairlora.vision.dataset.FaceDataset;
import io.fairlora.vision.dataset.FairFace;
import io.fairlora.vision.dataset.Partition;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.synth.SynthFaces;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.vit.VitConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** The pretraining of one backbone: data, loop, checkpoint. */
public final class Pretraining {

    private static final int IMAGE_SIZE = 64;
    private static final int STORED_SIZE = 72;

    private final Kind kind;
    private final Settings settings;

    /** What the backbone is trained to do. */
    public enum Kind {
        /** Predict hidden patches; no label is read. */
        MASKED,
        /**
         * Predict FairFace's gender, age and race and all attributes of the synthetic faces but
         * smile.
         */
        LABELS
    }

    /**
     * The knobs.
     *
     * @param synthetic the number of synthetic faces
     * @param epochs passes over the data
     * @param batch images a step
     * @param learningRate the peak rate of a cosine schedule with 5 % warm-up
     * @param decay weight decay
     * @param precision of the products; the weights themselves stay in single precision
     * @param seed of weights, order, masks and crops
     */
    public record Settings(
            int synthetic,
            int epochs,
            int batch,
            double learningRate,
            double decay,
            Precision precision,
            long seed) {}

    /**
     * A pretraining that has not started.
     *
     * @param kind what to train for
     * @param settings the knobs
     */
    public Pretraining(Kind kind, Settings settings) {
        this.kind = kind;
        this.settings = settings;
    }

    /**
     * Trains to the end, from the checkpoint in {@code out} if there is one.
     *
     * @param fairFace FairFace's folder
     * @param out receives {@code checkpoint.safetensors} after every epoch and the model at the end
     * @throws IOException if a file cannot be read or written
     */
    public void run(Path fairFace, Path out) throws IOException {
        Files.createDirectories(out);
        FaceDataset faces =
                FairFace.builder().setRoot(fairFace).optPartition(Partition.TRAIN).build();
        SynthFaces synth =
                SynthFaces.builder().setSize(settings.synthetic()).optSeed(settings.seed()).build();
        System.err.printf("reading %d faces, drawing %d%n", faces.size(), synth.size());
        PixelStore store =
                new PixelStore(List.of(faces.images(), synth.images()), IMAGE_SIZE, STORED_SIZE);
        try (VisionTransformer vit =
                        VisionTransformer.random(
                                VitConfig.of(128, 6, 4, IMAGE_SIZE, 8),
                                DataType.FLOAT32,
                                Device.cpu(),
                                settings.seed());
                Objective objective =
                        kind == Kind.MASKED
                                ? new MaskedAutoencoder(vit, settings.seed())
                                : new LabelPrediction(
                                        vit, targets(faces, synth), settings.seed())) {
            train(vit, objective, store, out);
            vit.save(out, true);
        }
    }

    private static List<Target> targets(FaceDataset faces, SynthFaces synth) {
        List<Target> targets = new ArrayList<>();
        int total = faces.size() + synth.size();
        for (String name : List.of("gender", "age", "race")) {
            int[] labels = Arrays.copyOf(faces.labels(name), total);
            Arrays.fill(labels, faces.size(), total, -1);
            targets.add(new Target(name, faces.classes(name).size(), labels));
        }
        for (FaceAttribute attribute : FaceAttribute.values()) {
            if (attribute == FaceAttribute.SMILE) {
                // The examples' task: a backbone that had seen its labels would prove nothing.
                continue;
            }
            int[] labels = new int[total];
            Arrays.fill(labels, -1);
            for (int i = 0; i < synth.size(); i++) {
                labels[faces.size() + i] = synth.attribute(attribute, i);
            }
            targets.add(new Target("synth." + attribute, synth.classes(attribute).size(), labels));
        }
        return targets;
    }

    private void train(VisionTransformer vit, Objective objective, PixelStore store, Path out)
            throws IOException {
        vit.setPrecision(settings.precision());
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        vit.weights().forEach((name, p) -> parameters.put("backbone." + name, p.getArray()));
        parameters.putAll(objective.parameters());
        parameters.values().forEach(p -> p.setRequiresGradient(true));
        int steps = store.count() / settings.batch();
        long total = (long) steps * settings.epochs();
        CosineSchedule schedule = new CosineSchedule(settings.learningRate(), total / 20, total);
        Path checkpoint = out.resolve("checkpoint.safetensors");
        try (AdamW optimizer = new AdamW(vit.manager(), parameters, 0.9, 0.95, settings.decay())) {
            int first = resume(checkpoint, parameters, optimizer, vit.manager());
            long start = System.nanoTime();
            for (int epoch = first; epoch < settings.epochs(); epoch++) {
                int[] order = EpochOrder.of(store.count(), settings.seed(), epoch);
                double sum = 0;
                for (int step = 0; step < steps; step++) {
                    int[] rows =
                            Arrays.copyOfRange(
                                    order, step * settings.batch(), (step + 1) * settings.batch());
                    long global = (long) epoch * steps + step;
                    SplittableRandom random =
                            new SplittableRandom(settings.seed() ^ (global * 0x9E3779B97F4A7C15L));
                    try (NDManager scope = vit.manager().newSubManager()) {
                        NDArray loss =
                                GradientMode.ON.get(
                                        () ->
                                                objective.loss(
                                                        store.batch(scope, rows, random),
                                                        rows,
                                                        random));
                        Autograd.backward(loss);
                        sum += HostTensor.copyOf(loss).get(0);
                    }
                    optimizer.step(schedule.at(global));
                }
                save(checkpoint, epoch + 1, parameters, optimizer);
                report(epoch, first, sum / steps, start, steps);
            }
        }
    }

    private void report(int epoch, int first, double loss, long start, int steps) {
        double seconds = (System.nanoTime() - start) / 1e9;
        int done = epoch + 1 - first;
        Duration left =
                Duration.ofSeconds(Math.round(seconds / done * (settings.epochs() - epoch - 1)));
        System.err.printf(
                "epoch %d of %d, loss %.4f, %.0f images/s, %s left%n",
                epoch + 1,
                settings.epochs(),
                loss,
                (double) done * steps * settings.batch() / seconds,
                left);
    }

    private static void save(Path file, int epoch, Map<String, NDArray> parameters, AdamW optimizer)
            throws IOException {
        Map<String, HostTensor> state = new LinkedHashMap<>();
        parameters.forEach((name, p) -> state.put(name, HostTensor.copyOf(p)));
        state.putAll(optimizer.state());
        SafetensorsWriter.write(
                file,
                state,
                Map.of(
                        "epoch", Integer.toString(epoch),
                        "steps", Long.toString(optimizer.steps())),
                Dtype.F32);
    }

    private static int resume(
            Path file, Map<String, NDArray> parameters, AdamW optimizer, NDManager manager)
            throws IOException {
        if (!Files.exists(file)) {
            return 0;
        }
        try (SafetensorsFile saved = SafetensorsFile.open(file)) {
            Map<String, HostTensor> state = new LinkedHashMap<>();
            for (String name : saved.names()) {
                state.put(name, saved.read(name));
            }
            for (Map.Entry<String, NDArray> entry : parameters.entrySet()) {
                HostTensor value = state.get(entry.getKey());
                if (value == null) {
                    throw new IOException(file + " has no " + entry.getKey());
                }
                GradientMode.OFF.run(
                        () -> {
                            try (NDArray array = value.toNDArray(manager)) {
                                array.copyTo(entry.getValue());
                            }
                        });
            }
            optimizer.restore(Long.parseLong(saved.metadata().getOrDefault("steps", "0")), state);
            return Integer.parseInt(saved.metadata().getOrDefault("epoch", "0"));
        }
    }
}
