package io.fairlora.examples;

import io.fairlora.FairClassifier;
import io.fairlora.FairLora;
import io.fairlora.examples.study.FaceSource;
import io.fairlora.examples.study.Kept;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.party.Candidate;
import io.fairlora.party.LocalAuditor;
import io.fairlora.party.SensitiveAdapterRequest;
import io.fairlora.strategy.Orthogonality;
import io.fairlora.strategy.Orthogonality.Space;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.vit.VisionTransformer;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * How much the task's adapter and the auditor's adapter overlap, layer by layer: what there is for
 * ORTH to penalise; then what its penalty, in each of its forms, does to the overlap and to the
 * gaps.
 */
@Command(
        name = "AdapterOverlap",
        mixinStandardHelpOptions = true,
        description =
                "Normalised overlap of the task's adapter (ERM) with the auditor's, by layer and"
                        + " space, beside two adapters of random numbers; then the effect of ORTH in"
                        + " each space, raw and normalised.")
public final class AdapterOverlap implements Callable<Integer> {

    private static final int EPOCHS = 3;

    @Mixin private final BackboneOption backbone = new BackboneOption();

    @Option(
            names = "--celeba",
            paramLabel = "DIR",
            description = "Smiling / Male on CelebA instead of hat / skin tone on synthetic faces.")
    private @Nullable Path celebA;

    @Option(
            names = "--lambda",
            defaultValue = "1",
            description = "The weight of ORTH's penalty, default ${DEFAULT-VALUE}.")
    private double lambda;

    @Option(names = "--seed", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
    private long seed;

    /**
     * Runs from the command line.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        int code = new CommandLine(new AdapterOverlap()).execute(args);
        if (code != 0) {
            System.exit(code);
        }
    }

    @Override
    public Integer call() throws Exception {
        try (VisionTransformer vit = backbone.load()) {
            vit.setPrecision(Precision.BF16);
            int images = 9 * vit.featureSize();
            FaceSource source =
                    celebA == null
                            ? FaceSource.synthetic(
                                    FaceAttribute.HAT,
                                    FaceAttribute.SKIN_TONE,
                                    0.9,
                                    new FaceSource.Sizes(600, 1, images, 400),
                                    Kept.pixels(vit.input()))
                            : FaceSource.celebA(
                                    celebA,
                                    "Smiling",
                                    "Male",
                                    0.9,
                                    images,
                                    Kept.pixels(vit.input()));
            compare(vit, source.parts(seed));
        }
        return 0;
    }

    private void compare(VisionTransformer vit, FaceSource.Parts parts) {
        LoraConfig config = LoraConfig.builder().build();
        TrainingSettings settings = TrainingSettings.DEFAULT.withEpochs(EPOCHS).withSeed(seed);
        try (LocalAuditor auditor =
                LocalAuditor.builder()
                        .backbone(vit)
                        .sensitive(parts.auditor().sensitive(parts.sensitive()))
                        .audit(parts.test().audit(parts.task(), parts.sensitive()))
                        .replicates(0)
                        .build()) {
            FairLora.Builder run =
                    FairLora.builder()
                            .backbone(vit)
                            .auditor(auditor)
                            .lora(config)
                            .settings(settings);
            TaskImages train = parts.train().task(parts.task());
            // What ORTH asks for too, so that every form meets the same adapter.
            LoraAdapter sensitive =
                    auditor.sensitiveAdapter(
                            new SensitiveAdapterRequest(config, settings.withSeed(~seed)));
            Candidate erm = fit(run.strategy(Strategies.ERM), train);
            print(erm.adapter(), overlaps(vit, erm.adapter(), sensitive));
            System.out.printf(
                    "%n%-22s %9s %9s %9s  %7s %7s %8s%n",
                    "mean overlap after", "input", "output", "weight", "DP", "EOpp", "bal.acc.");
            effect("ERM", vit, erm, sensitive, auditor);
            for (Space space : Space.values()) {
                for (boolean normalized : new boolean[] {false, true}) {
                    Orthogonality form =
                            Orthogonality.builder()
                                    .space(space)
                                    .normalized(normalized)
                                    .lambda(lambda)
                                    .auditorEpochs(EPOCHS)
                                    .build();
                    String name =
                            "ORTH "
                                    + space.name().toLowerCase(Locale.ROOT)
                                    + (normalized ? " normalised" : " raw");
                    effect(name, vit, fit(run.strategy(form), train), sensitive, auditor);
                }
            }
        }
    }

    private static Candidate fit(FairLora.Builder run, TaskImages train) {
        try (FairClassifier classifier = run.build().fit(train)) {
            return classifier.candidate();
        }
    }

    private static void effect(
            String name,
            Backbone backbone,
            Candidate candidate,
            LoraAdapter sensitive,
            LocalAuditor auditor) {
        Map<Space, Double> means = means(overlaps(backbone, candidate.adapter(), sensitive));
        FairnessReport report = auditor.audit(candidate);
        System.out.printf(
                Locale.ROOT,
                "%-22s %9.6f %9.6f %9.6f  %7.3f %7.3f %8.3f%n",
                name,
                means.get(Space.INPUT),
                means.get(Space.OUTPUT),
                means.get(Space.WEIGHT),
                report.metric("demographic_parity_difference").orElse(Double.NaN),
                report.metric("equal_opportunity_difference").orElse(Double.NaN),
                report.overall("balanced_accuracy").value());
    }

    /** By layer and space. */
    private static Map<String, Map<Space, Double>> overlaps(
            Backbone backbone, LoraAdapter task, LoraAdapter sensitive) {
        try (Backbone fork = backbone.fork();
                InjectedLora own = LoraInjector.attach(fork, task, "task", 1, false)) {
            Map<String, Map<Space, Double>> overlaps = new LinkedHashMap<>();
            for (String path : task.layers().keySet()) {
                Map<Space, Double> bySpace = new EnumMap<>(Space.class);
                for (Space space : Space.values()) {
                    bySpace.put(space, overlap(own, path, sensitive, space));
                }
                overlaps.put(path, bySpace);
            }
            return overlaps;
        }
    }

    private static Map<Space, Double> means(Map<String, Map<Space, Double>> overlaps) {
        Map<Space, Double> means = new EnumMap<>(Space.class);
        overlaps.values()
                .forEach(
                        layer ->
                                layer.forEach(
                                        (space, overlap) ->
                                                means.merge(
                                                        space,
                                                        overlap / overlaps.size(),
                                                        Double::sum)));
        return means;
    }

    private static void print(LoraAdapter task, Map<String, Map<Space, Double>> overlaps) {
        System.out.printf("%-45s %8s %8s %8s%n", "layer", "input", "output", "weight");
        overlaps.forEach(AdapterOverlap::printRow);
        printRow("mean", means(overlaps));
        // Of two random matrices of r rows in n columns: E ||A A'^T||^2 = ||A||^2 ||A'||^2 / n.
        LoraAdapter.Factors shape = task.layers().values().iterator().next();
        printRow(
                "by chance",
                Map.of(
                        Space.INPUT,
                        1.0 / shape.inputSize(),
                        Space.OUTPUT,
                        1.0 / shape.outputSize(),
                        Space.WEIGHT,
                        1.0 / shape.inputSize() / shape.outputSize()));
    }

    private static void printRow(String name, Map<Space, Double> overlaps) {
        System.out.printf(
                Locale.ROOT,
                "%-45s %8.4f %8.4f %8.4f%n",
                name,
                overlaps.get(Space.INPUT),
                overlaps.get(Space.OUTPUT),
                overlaps.get(Space.WEIGHT));
    }

    private static double overlap(
            InjectedLora own, String path, LoraAdapter sensitive, Space space) {
        Orthogonality measure = Orthogonality.builder().space(space).normalized(true).build();
        return GradientMode.OFF.get(
                () -> HostTensor.copyOf(measure.overlap(own, path, sensitive)).get(0));
    }
}
