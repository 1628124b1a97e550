package io.fairlora.examples;

import ai.djl.Device;
import io.fairlora.FairClassifier;
import io.fairlora.FairLora;
import io.fairlora.examples.study.FaceSource;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.party.LocalAuditor;
import io.fairlora.party.SensitiveAdapterRequest;
import io.fairlora.strategy.Orthogonality;
import io.fairlora.strategy.Orthogonality.Space;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.zoo.Zoo;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * How much the task's adapter and the auditor's adapter overlap, layer by layer: what there is for
 * ORTH to penalise.
 */
@Command(
        name = "AdapterOverlap",
        mixinStandardHelpOptions = true,
        description =
                "Normalised overlap of the task's adapter (ERM) with the auditor's, by layer and"
                        + " space, beside two adapters of random numbers.")
public final class AdapterOverlap implements Callable<Integer> {

    @Option(
            names = "--backbone",
            paramLabel = "DIR",
            description = "A Hugging Face ViT directory instead of the embedded backbone.")
    private @Nullable Path backbone;

    @Option(
            names = "--celeba",
            paramLabel = "DIR",
            description = "Smiling / Male on CelebA instead of hat / skin tone on synthetic faces.")
    private @Nullable Path celebA;

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
        try (VisionTransformer vit =
                backbone == null
                        ? Zoo.tinyVit(Device.cpu())
                        : VisionTransformer.load(backbone, Device.cpu())) {
            vit.setPrecision(Precision.BF16);
            int images = 9 * vit.featureSize();
            FaceSource source =
                    celebA == null
                            ? FaceSource.synthetic(
                                    FaceAttribute.HAT,
                                    FaceAttribute.SKIN_TONE,
                                    0.9,
                                    new FaceSource.Sizes(600, 1, images, 1),
                                    vit.input())
                            : FaceSource.celebA(
                                    celebA, "Smiling", "Male", 0.9, images, vit.input());
            compare(vit, source.parts(seed));
        }
        return 0;
    }

    private void compare(VisionTransformer vit, FaceSource.Parts parts) {
        LoraConfig config = LoraConfig.builder().build();
        TrainingSettings settings = TrainingSettings.DEFAULT.withEpochs(3).withSeed(seed);
        LocalAuditor.Builder builder =
                LocalAuditor.builder()
                        .backbone(vit)
                        .sensitive(parts.auditor().sensitive(parts.sensitive()));
        try (LocalAuditor auditor = builder.build();
                FairClassifier erm =
                        FairLora.builder()
                                .backbone(vit)
                                .auditor(auditor)
                                .lora(config)
                                .settings(settings)
                                .build()
                                .fit(parts.train().task(parts.task()))) {
            LoraAdapter sensitive =
                    auditor.sensitiveAdapter(
                            new SensitiveAdapterRequest(config, settings.withSeed(~seed)));
            print(vit, erm.candidate().adapter(), sensitive);
        }
    }

    private static void print(Backbone backbone, LoraAdapter task, LoraAdapter sensitive) {
        System.out.printf("%-45s %8s %8s %8s%n", "layer", "input", "output", "weight");
        try (Backbone fork = backbone.fork();
                InjectedLora own = LoraInjector.attach(fork, task, "task", 1, false)) {
            Map<Space, Double> means = new EnumMap<>(Space.class);
            for (String path : task.layers().keySet()) {
                System.out.printf("%-45s", path);
                for (Space space : Space.values()) {
                    double overlap = overlap(own, path, sensitive, space);
                    means.merge(space, overlap / task.layers().size(), Double::sum);
                    System.out.printf(Locale.ROOT, " %8.4f", overlap);
                }
                System.out.println();
            }
            LoraAdapter.Factors shape = task.layers().values().iterator().next();
            // Of two random matrices of r rows in n columns: E ||A A'^T||^2 = ||A||^2 ||A'||^2 / n.
            System.out.printf(
                    Locale.ROOT,
                    "%-45s %8.4f %8.4f %8.4f%n%-45s %8.4f %8.4f %8.4f%n",
                    "mean",
                    means.get(Space.INPUT),
                    means.get(Space.OUTPUT),
                    means.get(Space.WEIGHT),
                    "by chance",
                    1.0 / shape.inputSize(),
                    1.0 / shape.outputSize(),
                    1.0 / shape.inputSize() / shape.outputSize());
        }
    }

    private static double overlap(
            InjectedLora own, String path, LoraAdapter sensitive, Space space) {
        Orthogonality measure = Orthogonality.builder().space(space).normalized(true).build();
        return GradientMode.OFF.get(
                () -> HostTensor.copyOf(measure.overlap(own, path, sensitive)).get(0));
    }
}
