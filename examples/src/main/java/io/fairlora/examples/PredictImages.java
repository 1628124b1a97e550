package io.fairlora.examples;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.FairClassifier;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraInjector;
import io.fairlora.lora.PeftFormat;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.LinearHead;
import io.fairlora.training.PixelReader;
import io.fairlora.vision.dataset.FileImages;
import io.fairlora.vision.vit.ClassifierHead;
import io.fairlora.vision.vit.FusedQkv;
import io.fairlora.vision.vit.LoadOptions;
import io.fairlora.vision.vit.VisionTransformer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Classifies image files with a ViT, DeiT or DINOv2, with or without a PEFT adapter. */
@Command(
        name = "PredictImages",
        mixinStandardHelpOptions = true,
        description = {
            "Prints the most probable classes of each image.",
            "The exit code is 1 if an image cannot be read; the others are classified nevertheless."
        })
public final class PredictImages implements Callable<Integer> {

    private static final int BATCH = 32;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "MODEL",
            description = {
                "A ViT, DeiT or DINOv2 as Hugging Face or timm saves it: a directory with",
                "config.json and model.safetensors, or its name on the Hugging Face hub, such as",
                "google/vit-base-patch16-224, which is searched in the hub's local cache."
            })
    private String modelName = "";

    @Option(
            names = "--download",
            description = "Download the model from the hub if the local cache lacks it.")
    private boolean download;

    @Option(
            names = "--adapter",
            paramLabel = "DIR",
            description =
                    "An adapter as PEFT saves it. If it holds a classifier, that one is used.")
    private @Nullable Path adapter;

    @Option(
            names = "--top",
            defaultValue = "5",
            paramLabel = "N",
            description = "How many classes of each image, default ${DEFAULT-VALUE}.")
    private int top;

    @Option(names = "--json", paramLabel = "FILE", description = "Write logits and classes.")
    private @Nullable Path json;

    @Parameters(arity = "1..*", paramLabel = "IMAGES", description = "Image files.")
    private List<Path> images = List.of();

    private Path model = Path.of("");

    /** What is known of one image; its logits are in the order of the labels. */
    @SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
    private record Prediction(Path file, float[] logits) {

        /** Softmax, shifted so that no exponential overflows. */
        double[] scores() {
            double greatest = Double.NEGATIVE_INFINITY;
            for (float logit : logits) {
                greatest = Math.max(greatest, logit);
            }
            double[] scores = new double[logits.length];
            double sum = 0;
            for (int i = 0; i < scores.length; i++) {
                scores[i] = Math.exp(logits[i] - greatest);
                sum += scores[i];
            }
            for (int i = 0; i < scores.length; i++) {
                scores[i] /= sum;
            }
            return scores;
        }
    }

    /**
     * Runs from the command line.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        int code = run(args);
        if (code != 0) {
            System.exit(code);
        }
    }

    /**
     * Runs from other code.
     *
     * @param args see {@code --help}
     * @return the exit code: 0, 1 if an image could not be read or the input is wrong, 2 if the
     *     arguments are
     */
    public static int run(String... args) {
        return new CommandLine(new PredictImages())
                .setExecutionExceptionHandler(new OneSentence())
                .execute(args);
    }

    @Override
    public Integer call() throws IOException {
        if (top < 1) {
            throw new IllegalArgumentException("--top must be at least 1, found " + top);
        }
        OutputFile.check("--json", json);
        model = ModelPlace.of(modelName, download);
        LoraAdapter added = adapter == null ? null : read(adapter);
        LoadOptions options = LoadOptions.DEFAULT;
        try (VisionTransformer vit =
                VisionTransformer.load(
                        model,
                        Device.cpu(),
                        added == null ? options : options.withAdapter(added))) {
            ClassifierHead head = head(vit, added);
            List<Prediction> predictions = predict(vit, head);
            predictions.forEach(prediction -> print(prediction, head.labels()));
            if (json != null) {
                write(json, predictions, head.labels());
            }
            return predictions.size() == images.size() ? 0 : 1;
        }
    }

    /** An adapter on timm's fused layers becomes one on the layers of this library. */
    private static LoraAdapter read(Path directory) throws IOException {
        LoraAdapter read = PeftFormat.read(directory);
        return FusedQkv.isFused(read) ? FusedQkv.split(read) : read;
    }

    /** Puts the adapter into the backbone and finds the classifier that goes with it. */
    private ClassifierHead head(VisionTransformer vit, @Nullable LoraAdapter added)
            throws IOException {
        Optional<ClassifierHead> own = ClassifierHead.read(model);
        Path source = model;
        if (added != null && adapter != null) {
            if (!added.savedModules().isEmpty()) {
                own = Optional.of(savedWith(adapter, added, vit));
                source = adapter;
            }
            // Lives as long as the backbone, which closes what it owns.
            LoraInjector.attach(vit, added, "adapter", 1, false);
        }
        if (own.isEmpty()) {
            throw new IllegalArgumentException(
                    model
                            + " holds no classifier, and "
                            + (adapter == null
                                    ? "no adapter was given"
                                    : adapter + " holds none either"));
        }
        if (own.get().weights().features() != vit.featureSize()) {
            throw new IllegalArgumentException(
                    "the classifier of "
                            + source
                            + " reads "
                            + own.get().weights().features()
                            + " features, the backbone has "
                            + vit.featureSize());
        }
        return own.get();
    }

    private static void checkSaved(Path directory, LoraAdapter read, String classifier) {
        List<String> others =
                read.savedModules().keySet().stream()
                        .filter(name -> !name.startsWith(classifier + "."))
                        .toList();
        if (!others.isEmpty()) {
            throw new IllegalArgumentException(
                    directory
                            + " saves the modules "
                            + others
                            + ", of which only a classifier is supported");
        }
    }

    /** An adapter of PEFT's own does not name its classes: the model's names serve if they can. */
    private ClassifierHead savedWith(Path directory, LoraAdapter read, VisionTransformer vit)
            throws IOException {
        HostTensor weight = read.savedModules().get("head.weight");
        HostTensor bias = read.savedModules().get("head.bias");
        if (weight != null && bias != null) {
            checkSaved(directory, read, "head");
            LinearHead.Weights head = new LinearHead.Weights(weight, bias);
            return new ClassifierHead(head, names(head));
        }
        checkSaved(directory, read, "classifier");
        try (FairClassifier saved = FairClassifier.load(directory, vit)) {
            List<String> labels = saved.classes();
            boolean numbered = labels.equals(saved.candidate().head().numberedLabels());
            LinearHead.Weights head = saved.candidate().servedHead();
            return new ClassifierHead(head, numbered ? names(head) : labels);
        }
    }

    private List<String> names(LinearHead.Weights head) throws IOException {
        List<String> names = ClassifierHead.labels(model);
        return names.size() == head.classes() ? names : head.numberedLabels();
    }

    private List<Prediction> predict(VisionTransformer vit, ClassifierHead head) {
        List<Prediction> predictions = new ArrayList<>();
        FileImages files = FileImages.of(images);
        InputSpec spec = vit.input();
        try (LinearHead layer = new LinearHead(vit.manager(), head.weights(), DataType.FLOAT32)) {
            for (int from = 0; from < images.size(); from += BATCH) {
                int to = Math.min(images.size(), from + BATCH);
                byte[] bytes = new byte[Math.multiplyExact(to - from, spec.bytes())];
                List<Integer> read = new ArrayList<>();
                for (int i = from; i < to; i++) {
                    try {
                        files.read(i, spec, bytes, read.size() * spec.bytes());
                        read.add(i);
                    } catch (ImageReadException e) {
                        System.err.println("error: " + e.getMessage());
                    }
                }
                if (!read.isEmpty()) {
                    predictions.addAll(predict(vit, layer, read, bytes));
                }
            }
        }
        return predictions;
    }

    private List<Prediction> predict(
            VisionTransformer vit, LinearHead layer, List<Integer> read, byte[] bytes) {
        int[] rows = read.stream().mapToInt(Integer::intValue).toArray();
        PixelReader.Pixels pixels =
                new PixelReader.Pixels(
                        rows, Arrays.copyOf(bytes, rows.length * vit.input().bytes()), vit.input());
        try (NDManager scope = vit.manager().newSubManager()) {
            float[] logits =
                    GradientMode.OFF.get(
                            () -> {
                                NDArray features = vit.features(pixels.toNDArray(scope));
                                return HostTensor.copyOf(layer.logits(features)).toArray();
                            });
            int classes = logits.length / rows.length;
            for (int i = 0; i < logits.length; i++) {
                if (!Float.isFinite(logits[i])) {
                    throw new IllegalArgumentException(
                            "the model's logits of "
                                    + images.get(rows[i / classes])
                                    + " are not finite, found "
                                    + logits[i]);
                }
            }
            return IntStream.range(0, rows.length)
                    .mapToObj(
                            i ->
                                    new Prediction(
                                            images.get(rows[i]),
                                            Arrays.copyOfRange(
                                                    logits, i * classes, (i + 1) * classes)))
                    .toList();
        }
    }

    private List<Integer> best(double[] scores) {
        return IntStream.range(0, scores.length)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer i) -> scores[i]).reversed())
                .limit(top)
                .toList();
    }

    private void print(Prediction prediction, List<String> labels) {
        double[] scores = prediction.scores();
        System.out.println(prediction.file());
        for (int i : best(scores)) {
            System.out.printf(Locale.ROOT, "  %.4f  %s%n", scores[i], labels.get(i));
        }
    }

    private void write(Path out, List<Prediction> predictions, List<String> labels)
            throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        ArrayNode list = root.putArray("predictions");
        for (Prediction prediction : predictions) {
            ObjectNode node = list.addObject().put("file", prediction.file().toString());
            ArrayNode logits = node.putArray("logits");
            for (float logit : prediction.logits()) {
                logits.add(logit);
            }
            double[] scores = prediction.scores();
            ArrayNode classes = node.putArray("top");
            for (int i : best(scores)) {
                classes.addObject().put("label", labels.get(i)).put("score", scores[i]);
            }
        }
        OutputFile.write(out, root.toPrettyString() + "\n");
    }
}
