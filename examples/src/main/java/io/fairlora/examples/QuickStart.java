package io.fairlora.examples;

import io.fairlora.examples.study.FaceSource;
import io.fairlora.examples.study.Kept;
import io.fairlora.examples.study.Outcome;
import io.fairlora.examples.study.Study;
import io.fairlora.examples.study.StudyTable;
import io.fairlora.examples.study.Summary;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.Precision;
import io.fairlora.strategy.CounterUpdates;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.Images;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.vit.VisionTransformer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/**
 * The main job: a solution developer and a fairness auditor in one process, all strategies, several
 * seeds, one table. Without arguments on synthetic faces with the embedded backbone.
 */
@Command(
        name = "QuickStart",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = {
            "Compares debias strategies on faces.",
            "Without arguments: synthetic faces, the embedded backbone, all strategies."
        })
public final class QuickStart implements Callable<Integer> {

    private static final int PROBE_EXAMPLES = 512;

    @Option(names = "--utkface", paramLabel = "DIR", description = "Take UTKFace's folder.")
    private @Nullable Path utkFace;

    @Option(names = "--celeba", paramLabel = "DIR", description = "Take CelebA's folder.")
    private @Nullable Path celebA;

    @Option(
            names = "--task",
            description = "What to predict: gender, age or race; a CelebA or synthetic attribute.")
    private @Nullable String task;

    @Option(names = "--sensitive", description = "The attribute to be protected.")
    private @Nullable String sensitive;

    @Option(
            names = "--correlation",
            paramLabel = "P",
            description =
                    "How often task and attribute go together in training; real faces keep"
                            + " nature's unless given, synthetic ones take 0.9.")
    private @Nullable Double correlation;

    @Mixin private final BackboneOption backbone = new BackboneOption();

    @Option(
            names = "--image-size",
            paramLabel = "N",
            description = "Checked against the backbone's: its positions are for one size.")
    private @Nullable Integer imageSize;

    @Option(names = "--seeds", defaultValue = "5", description = "Default ${DEFAULT-VALUE}.")
    private int seeds;

    @Option(
            names = "--first-seed",
            defaultValue = "1",
            description = "Seeds count from here, default ${DEFAULT-VALUE}.")
    private long firstSeed;

    @Option(
            names = "--strategies",
            split = ",",
            paramLabel = "NAME",
            description = "Among ERM, UNL, ADV, ORTH, ENT, DISTILL, ERASE; all by default.")
    private List<String> strategies = List.of();

    @Mixin private final AdaptedLayersOption layers = new AdaptedLayersOption();

    @Option(
            names = "--target-modules",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "query,value",
            description =
                    "Which modules of these layers, by the end of their names; query,key,value,dense"
                            + " are all of them. Default ${DEFAULT-VALUE}.")
    private List<String> targetModules = List.of();

    @Option(
            names = "--learning-rate",
            paramLabel = "R",
            defaultValue = "0.003",
            description = "Of adapter and head, default ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(
            names = "--auditor-steps",
            paramLabel = "N",
            description = "The auditor's steps a round in ADV, ENT and DISTILL.")
    private @Nullable Integer auditorSteps;

    @Option(
            names = "--auditor-batch-size",
            paramLabel = "N",
            description = "The images of one of these steps.")
    private @Nullable Integer auditorBatchSize;

    @Option(
            names = "--auditor-radius",
            paramLabel = "R",
            description =
                    "How far the auditor may move the adapter in a round, as a part of its norm.")
    private @Nullable Double auditorRadius;

    @Option(
            names = "--epochs",
            defaultValue = "3",
            description = "Passes over the developer's data, default ${DEFAULT-VALUE}.")
    private int epochs;

    @Option(
            names = "--workers",
            defaultValue = "2",
            description = "Threads, each with runs of its own, default ${DEFAULT-VALUE}.")
    private int workers;

    @Option(
            names = "--precision",
            defaultValue = "BF16",
            description =
                    "${COMPLETION-CANDIDATES}: of the frozen layers' products, default"
                            + " ${DEFAULT-VALUE}.")
    private Precision precision = Precision.BF16;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the figures as JSON too.")
    private @Nullable Path json;

    /**
     * Runs from the command line.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        int code = commandLine().execute(args);
        if (code != 0) {
            System.exit(code);
        }
    }

    /**
     * Runs from other code.
     *
     * @param args see {@code --help}
     * @return the summaries, one a strategy
     * @throws Exception what {@link #compare} throws
     */
    public static List<Summary> runExample(String[] args) throws Exception {
        QuickStart quickStart = new QuickStart();
        new CommandLine(quickStart).parseArgs(args);
        return quickStart.compare();
    }

    private static CommandLine commandLine() {
        return new CommandLine(new QuickStart()).setExecutionExceptionHandler(new OneSentence());
    }

    @Override
    public Integer call() throws Exception {
        StopBetweenSteps.during(this::compare);
        return 0;
    }

    private List<Summary> compare() throws Exception {
        // One thread a worker: two processes of one thread beat one of two, and so do two workers.
        if (System.getProperty("ai.djl.pytorch.num_threads") == null) {
            System.setProperty("ai.djl.pytorch.num_threads", "1");
        }
        long start = System.nanoTime();
        OutputFile.check("--json", json);
        try (VisionTransformer vit = backbone.load()) {
            vit.setPrecision(precision);
            checkImageSize(vit.input());
            int firstAdapted = layers.first(vit);
            FaceSource source = source(vit);
            Study study =
                    new Study(
                            vit,
                            source,
                            chosen(),
                            lora(firstAdapted, vit.layers()),
                            TrainingSettings.DEFAULT
                                    .withEpochs(epochs)
                                    .withLearningRate(learningRate),
                            firstSeed,
                            seeds,
                            workers,
                            PROBE_EXAMPLES);
            List<Outcome> outcomes = study.run(new Ticker());
            System.err.println();
            List<Summary> summaries = Summary.of(outcomes, 2);
            Map<String, String> settings = settings(study, start);
            System.out.println(source.describe() + ", " + settings);
            System.out.println();
            System.out.print(StudyTable.text(summaries));
            System.out.printf(
                    Locale.ROOT,
                    "%nA linear probe reads s from the frozen backbone at %.3f."
                            + " ERASE sends a map that tells where s lies; all else is adapters.%n",
                    summaries.get(0).metric("linear_probe_accuracy_frozen").mean());
            if (json != null) {
                OutputFile.write(
                        json, StudyTable.json(summaries, settings).toPrettyString() + "\n");
            }
            return summaries;
        }
    }

    private LoraConfig lora(int from, int to) {
        return LoraConfig.builder()
                .rank(8)
                .alpha(16)
                .targetModules(targetModules.toArray(String[]::new))
                .layersToTransform(IntStream.range(from, to).toArray())
                .build();
    }

    private void checkImageSize(InputSpec input) {
        if (imageSize != null && imageSize != input.height()) {
            throw new IllegalArgumentException(
                    "--image-size is "
                            + imageSize
                            + ", the backbone takes "
                            + input.height()
                            + " pixels");
        }
    }

    private List<DebiasStrategy> chosen() {
        List<DebiasStrategy> named =
                strategies.isEmpty()
                        ? Strategies.all()
                        : strategies.stream().map(Strategies::named).toList();
        return named.stream().map(this::tuned).toList();
    }

    /** The auditor's part as the options have it. */
    private DebiasStrategy tuned(DebiasStrategy strategy) {
        if (!(strategy instanceof CounterUpdates updates)) {
            return strategy;
        }
        CounterUpdates.Builder builder = CounterUpdates.builder(updates.objective());
        if (auditorSteps != null) {
            builder.steps(auditorSteps);
        }
        if (auditorBatchSize != null) {
            builder.batchSize(auditorBatchSize);
        }
        if (auditorRadius != null) {
            builder.radius(auditorRadius);
        }
        return builder.build();
    }

    private FaceSource source(VisionTransformer vit) {
        if (utkFace != null && celebA != null) {
            throw new ParameterException(
                    new CommandLine(this), "--utkface and --celeba exclude each other");
        }
        int auditor = 9 * vit.featureSize();
        UnaryOperator<Images> keep = kept(vit, images -> layers.keep(images, vit));
        if (utkFace != null) {
            return FaceSource.utkFace(
                    utkFace,
                    task == null ? "gender" : task,
                    sensitive == null ? "race" : sensitive,
                    correlation,
                    auditor,
                    keep);
        }
        if (celebA != null) {
            return FaceSource.celebA(
                    celebA,
                    task == null ? "Smiling" : task,
                    sensitive == null ? "Male" : sensitive,
                    correlation,
                    auditor,
                    keep);
        }
        return FaceSource.synthetic(
                attribute(task, FaceAttribute.HAT),
                attribute(sensitive, FaceAttribute.SKIN_TONE),
                correlation == null ? 0.9 : correlation,
                new FaceSource.Sizes(600, 200, auditor, 400),
                // Drawn while the runs show their own progress.
                kept(vit, images -> layers.keep(images, vit, done -> {})));
    }

    /** Where no layer is left to run once, at least nothing is read or drawn twice. */
    private UnaryOperator<Images> kept(VisionTransformer vit, UnaryOperator<Images> lowerLayers) {
        return layers.first(vit) == 0 ? Kept.pixels(vit.input()) : lowerLayers;
    }

    private static FaceAttribute attribute(@Nullable String name, FaceAttribute absent) {
        if (name == null) {
            return absent;
        }
        try {
            return FaceAttribute.valueOf(name.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "synthetic faces have no attribute "
                            + name
                            + ", expected one of "
                            + List.of(FaceAttribute.values()),
                    e);
        }
    }

    private Map<String, String> settings(Study study, long start) {
        Map<String, String> settings = new LinkedHashMap<>();
        settings.put("data", study.source().describe());
        settings.put(
                "correlation",
                correlation != null
                        ? Double.toString(correlation)
                        : utkFace == null && celebA == null ? "0.9" : "natural");
        settings.put("seeds", firstSeed + " to " + (firstSeed + seeds - 1));
        settings.put("adapted_layers", Integer.toString(study.lora().layersToTransform().size()));
        settings.put("target_modules", String.join(",", targetModules));
        settings.put("learning_rate", Double.toString(learningRate));
        settings.put("epochs", Integer.toString(epochs));
        if (auditorSteps != null) {
            settings.put("auditor_steps", auditorSteps.toString());
        }
        if (auditorBatchSize != null) {
            settings.put("auditor_batch_size", auditorBatchSize.toString());
        }
        if (auditorRadius != null) {
            settings.put("auditor_radius", auditorRadius.toString());
        }
        settings.put("precision", precision.toString());
        settings.put("backbone", study.backbone().digest().substring(0, 12));
        settings.put("seconds", Long.toString((System.nanoTime() - start) / 1_000_000_000));
        return settings;
    }

    /** One line on standard error: what runs, how much is done, how long it will still take. */
    private static final class Ticker implements Study.Listener {

        private final long start = System.nanoTime();
        private long shown;

        @Override
        public synchronized void onProgress(long seed, String strategy, double done) {
            long now = System.nanoTime();
            if (now - shown < 500_000_000L || done <= 0) {
                return;
            }
            shown = now;
            long left = Math.round((now - start) / 1e9 * (1 - done) / done);
            System.err.printf(
                    Locale.ROOT,
                    "\r%3.0f %%  about %d:%02d left  seed %d %-8s",
                    100 * done,
                    left / 60,
                    left % 60,
                    seed,
                    strategy);
        }
    }
}
