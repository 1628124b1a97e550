package io.fairlora.examples;

import ai.djl.Device;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.FairClassifier;
import io.fairlora.FairLora;
import io.fairlora.lora.LoraConfig;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.JsonFormat;
import io.fairlora.ndarray.Precision;
import io.fairlora.party.LinearEraser;
import io.fairlora.party.LocalAuditor;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.ProgressDisplay;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.dataset.DatasetCheck;
import io.fairlora.vision.transform.Augmentation;
import io.fairlora.vision.vit.VisionTransformer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Adapts a Hugging Face ViT to a user's own folder of images. With a sensitive attribute a second
 * party, the auditor, alone reads it, helps the chosen strategy, and measures the result.
 */
@Command(
        name = "FineTune",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Trains a LoRA adapter and a classifier on a folder of images.",
            "The result is a directory that PEFT and PredictImages open."
        })
public final class FineTune implements Callable<Integer> {

    private static final Set<String> WRITTEN =
            Set.of("adapter_config.json", "adapter_model.safetensors", "README.md");

    /** The types of model whose classifier's layers are named after the type. */
    private static final Set<String> NAMED_BY_TYPE =
            Set.of("vit", "deit", "dinov2", "dinov2_with_registers");

    /** The strategies that fit an eraser, some of them at the very end. */
    private static final Set<String> ERASERS =
            Set.of(Strategies.ERASE.name(), Strategies.DISTILL.name());

    @Option(
            names = "--model",
            required = true,
            paramLabel = "MODEL",
            description = {
                "A ViT, DeiT or DINOv2 as Hugging Face or timm saves it: a directory with",
                "config.json and model.safetensors, or its name on the Hugging Face hub, such as",
                "google/vit-base-patch16-224, which is searched in the hub's local cache."
            })
    private String model = "";

    @Option(
            names = "--download",
            description = "Download the model from the hub if the local cache lacks it.")
    private boolean download;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "DIR",
            description = "The folder of images, or a zip archive.")
    private Path data = Path.of("");

    @Option(
            names = "--labels",
            required = true,
            paramLabel = "FILE",
            description =
                    "CSV with a header, or JSON lines (.jsonl); the first column names the image,"
                            + " relative to the folder.")
    private Path labels = Path.of("");

    @Option(
            names = "--label",
            required = true,
            paramLabel = "COL",
            description = "What to predict.")
    private String label = "";

    @Option(
            names = "--group",
            paramLabel = "COL",
            description =
                    "Of the labels' file: images of one value, such as a person, are not split"
                            + " between training and validation.")
    private @Nullable String group;

    @Option(
            names = "--strategy",
            defaultValue = "ERM",
            paramLabel = "NAME",
            description =
                    "ERM, UNL, ADV, ORTH, ENT, DISTILL or ERASE, default ${DEFAULT-VALUE}; all but"
                            + " ERM need a sensitive attribute.")
    private String strategy = "ERM";

    @Option(
            names = "--sensitive-labels",
            paramLabel = "FILE",
            description = "As --labels, with the sensitive attribute; only the auditor reads it.")
    private @Nullable Path sensitiveLabels;

    @Option(names = "--sensitive", paramLabel = "COL", description = "The sensitive attribute.")
    private @Nullable String sensitive;

    @Option(
            names = "--out",
            required = true,
            paramLabel = "DIR",
            description = "Where the adapter goes.")
    private Path out = Path.of("");

    @Option(
            names = "--json",
            paramLabel = "FILE",
            description = "Write the fairness report as JSON too.")
    private @Nullable Path json;

    @Option(
            names = "--validation",
            defaultValue = "0.2",
            paramLabel = "PART",
            description = "Of every class, held back to measure on; default ${DEFAULT-VALUE}.")
    private double validation;

    @Option(names = "--epochs", defaultValue = "4", description = "Default ${DEFAULT-VALUE}.")
    private int epochs;

    @Option(names = "--batch-size", defaultValue = "32", description = "Default ${DEFAULT-VALUE}.")
    private int batchSize;

    @Option(
            names = "--learning-rate",
            defaultValue = "0.003",
            description = "Default ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(names = "--rank", defaultValue = "8", description = "Default ${DEFAULT-VALUE}.")
    private int rank;

    @Option(
            names = "--alpha",
            defaultValue = "16",
            description = "Of the adapter's scale alpha / rank, default ${DEFAULT-VALUE}.")
    private double alpha;

    @Option(
            names = "--target-modules",
            split = ",",
            defaultValue = "query,value",
            paramLabel = "NAME",
            description = "The layers that get an adapter, default ${DEFAULT-VALUE}.")
    private List<String> targetModules = List.of();

    @Mixin private final AdaptedLayersOption layers = new AdaptedLayersOption();

    @Option(
            names = "--augment",
            defaultValue = "NONE",
            description =
                    "${COMPLETION-CANDIDATES}: changes of the images in training, default"
                            + " ${DEFAULT-VALUE}.")
    private Augment augment = Augment.NONE;

    @Option(
            names = "--strict",
            description =
                    "Refuse a folder in which anything is wrong, instead of leaving bad files out.")
    private boolean strict;

    @Option(
            names = "--cache",
            paramLabel = "DIR",
            description = "Keep decoded pixels there, for later epochs and runs.")
    private @Nullable Path cache;

    @Option(
            names = "--minimum-group-size",
            defaultValue = "30",
            description = "Smaller groups are left out of the report, default ${DEFAULT-VALUE}.")
    private int minimumGroupSize;

    @Option(
            names = "--precision",
            defaultValue = "SINGLE",
            description =
                    "${COMPLETION-CANDIDATES}: of the frozen layers' products, default"
                            + " ${DEFAULT-VALUE}.")
    private Precision precision = Precision.SINGLE;

    @Option(names = "--seed", defaultValue = "0", description = "Default ${DEFAULT-VALUE}.")
    private long seed;

    private String prefix = "";

    /** Changes of the images in training. */
    enum Augment {
        /** None. */
        NONE,
        /** Every second image is mirrored. */
        FLIP,
        /** Crops of at least half the image, mirrored or not. */
        CROP,
        /** Crops and RandAugment. */
        STRONG;

        Augmentation augmentation() {
            Augmentation.Builder builder = Augmentation.builder();
            if (this != NONE) {
                builder.horizontalFlip(0.5);
            }
            if (this == CROP || this == STRONG) {
                builder.randomResizedCrop(0.5, 1);
            }
            if (this == STRONG) {
                builder.randAugment(2, 9);
            }
            return builder.build();
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
     * @return the exit code: 0, 1 if the input is wrong, 2 if the arguments are
     */
    public static int run(String... args) {
        return new CommandLine(new FineTune())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler(new OneSentence())
                .execute(args);
    }

    @Override
    public Integer call() throws Exception {
        return StopBetweenSteps.during(this::run);
    }

    private int run() throws IOException {
        DebiasStrategy chosen = Strategies.named(strategy);
        check(chosen);
        Path place = ModelPlace.of(model, download);
        prefix = classifierPrefix(place);
        try (VisionTransformer vit = VisionTransformer.load(place, Device.cpu())) {
            vit.setPrecision(precision);
            int firstAdapted = layers.first(vit);
            DatasetCheck how =
                    (strict ? DatasetCheck.STRICT : DatasetCheck.LENIENT)
                            .withThreads(Runtime.getRuntime().availableProcessors());
            try (FolderParties parties =
                    new FolderParties(
                            new FolderParties.Reading(data, how, cache, vit.input()),
                            labels,
                            label,
                            group,
                            validation,
                            seed,
                            images -> layers.keep(images, vit))) {
                System.out.println("developer: " + parties.developer().report());
                fit(vit, parties, chosen, firstAdapted);
                System.out.println("saved to " + out);
                return 0;
            }
        }
    }

    /** PEFT puts the adapter onto Hugging Face's classifier, also if the model is a plain one. */
    private static String classifierPrefix(Path model) throws IOException {
        Path config = model.resolve("config.json");
        if (!Files.isRegularFile(config)) {
            return "";
        }
        String type = new ObjectMapper().readTree(config.toFile()).path("model_type").asText();
        return NAMED_BY_TYPE.contains(type) ? type + "." : "";
    }

    private void check(DebiasStrategy chosen) throws IOException {
        if ((sensitive == null) != (sensitiveLabels == null)) {
            throw new IllegalArgumentException(
                    "--sensitive and --sensitive-labels go together, found only one of them");
        }
        if (sensitive == null && chosen.needsAuditor()) {
            throw new IllegalArgumentException(
                    "--strategy "
                            + chosen.name()
                            + " needs --sensitive and --sensitive-labels; without them there is"
                            + " only ERM");
        }
        if (sensitive == null && json != null) {
            throw new IllegalArgumentException(
                    "--json is for the fairness report, which needs --sensitive and"
                            + " --sensitive-labels");
        }
        if (!(validation > 0 && validation < 1)) {
            throw new IllegalArgumentException(
                    "--validation must be above 0 and below 1, found " + validation);
        }
        OutputFile.check("--json", json);
        // What would be refused at the end is better refused now.
        if (Files.isDirectory(out)) {
            try (Stream<Path> entries = Files.list(out)) {
                for (Path entry : (Iterable<Path>) entries::iterator) {
                    if (!WRITTEN.contains(String.valueOf(entry.getFileName()))) {
                        throw new IllegalArgumentException(
                                "--out is "
                                        + out
                                        + ", which holds "
                                        + entry.getFileName()
                                        + "; choose another directory");
                    }
                }
            }
        } else if (Files.exists(out)) {
            throw new IllegalArgumentException("--out is " + out + ", expected a directory");
        }
    }

    private LoraConfig lora(int from, int to) {
        LoraConfig.Builder lora =
                LoraConfig.builder()
                        .rank(rank)
                        .alpha(alpha)
                        .targetModules(targetModules.toArray(String[]::new));
        if (from > 0) {
            lora.layersToTransform(IntStream.range(from, to).toArray());
        }
        return lora.build();
    }

    private TrainingSettings settings() {
        return TrainingSettings.DEFAULT
                .withEpochs(epochs)
                .withBatchSize(batchSize)
                .withLearningRate(learningRate)
                .withSeed(seed);
    }

    private void fit(
            VisionTransformer vit, FolderParties parties, DebiasStrategy chosen, int firstAdapted)
            throws IOException {
        FairLora.Builder run =
                FairLora.builder()
                        .backbone(vit)
                        .strategy(chosen)
                        .lora(lora(firstAdapted, vit.layers()))
                        .settings(settings())
                        .listener(new ProgressDisplay(System.err));
        TaskImages train = parties.train(augment == Augment.NONE ? null : augment.augmentation());
        try (AnnouncedAuditor auditor = auditor(vit, parties, chosen)) {
            if (auditor != null) {
                run.auditor(auditor);
            }
            try (FairClassifier classifier = run.build().fit(train, parties.validation())) {
                printAccuracy(classifier.balancedAccuracy(parties.validation()), parties);
                FairnessReport report =
                        auditor == null ? null : auditor.audit(classifier.candidate());
                if (report != null) {
                    System.out.println();
                    System.out.println(report);
                }
                classifier.save(out, report, model, prefix);
                if (report != null && json != null) {
                    OutputFile.write(json, JsonFormat.write(report) + "\n");
                }
            }
        }
    }

    /** The second party, if there is a sensitive attribute. */
    private @Nullable AnnouncedAuditor auditor(
            VisionTransformer vit, FolderParties parties, DebiasStrategy chosen) {
        if (sensitive == null || sensitiveLabels == null) {
            return null;
        }
        FolderParties.Auditor held = parties.auditor(sensitiveLabels, sensitive);
        System.out.println("auditor: " + held.summary());
        int needed = LinearEraser.imagesNeeded(vit.featureSize());
        if (ERASERS.contains(chosen.name()) && held.sensitive().size() < needed) {
            throw new IllegalArgumentException(
                    String.format(
                            "--strategy %s needs %d images of known %s beside those held back, as"
                                    + " the model has %d features; found %d",
                            chosen.name(),
                            needed,
                            sensitive,
                            vit.featureSize(),
                            held.sensitive().size()));
        }
        return new AnnouncedAuditor(
                LocalAuditor.builder()
                        .backbone(vit)
                        .sensitive(held.sensitive())
                        .audit(held.audit())
                        .minimumGroupSize(minimumGroupSize)
                        .build(),
                System.err);
    }

    private void printAccuracy(double accuracy, FolderParties parties) {
        System.out.printf(
                Locale.ROOT,
                "%s: balanced accuracy %.3f on %d images held back%n",
                label,
                accuracy,
                parties.validation().size());
    }
}
