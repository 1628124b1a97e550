package io.fairlora.examples;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.ndarray.Precision;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.EpochOrder;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.vision.dataset.CelebA;
import io.fairlora.vision.dataset.FaceDataset;
import io.fairlora.vision.dataset.FairFace;
import io.fairlora.vision.dataset.Partition;
import io.fairlora.vision.dataset.UtkFace;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.synth.SynthFaces;
import io.fairlora.vision.vit.VisionTransformer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How well a linear classifier reads attributes from the features of a frozen backbone. */
@Command(
        name = "ProbeBackbone",
        mixinStandardHelpOptions = true,
        description = "Linear probes of a frozen backbone, as balanced accuracy.")
public final class ProbeBackbone implements Callable<Integer> {

    @Mixin private final BackboneOption backbone = new BackboneOption();

    @Option(names = "--fairface", paramLabel = "DIR", description = "Probe on FairFace.")
    private @Nullable Path fairFace;

    @Option(names = "--utkface", paramLabel = "DIR", description = "Probe on UTKFace.")
    private @Nullable Path utkFace;

    @Option(
            names = "--celeba",
            paramLabel = "DIR",
            description = "Probe on CelebA, split by identity.")
    private @Nullable Path celebA;

    @Option(
            names = "--train",
            defaultValue = "2000",
            description = "Faces to fit a probe on, default ${DEFAULT-VALUE}.")
    private int train;

    @Option(
            names = "--test",
            defaultValue = "1000",
            description = "Other faces to measure it on, default ${DEFAULT-VALUE}.")
    private int test;

    /**
     * Runs from the command line.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        int code = new CommandLine(new ProbeBackbone()).execute(args);
        if (code != 0) {
            System.exit(code);
        }
    }

    @Override
    public Integer call() throws Exception {
        try (VisionTransformer vit = backbone.load()) {
            vit.setPrecision(Precision.BF16);
            probe(vit, "synthetic", synthetic(1, train), synthetic(2, test), synthNames());
            if (fairFace != null) {
                FairFace.Builder builder = FairFace.builder().setRoot(fairFace);
                probe(
                        vit,
                        "FairFace",
                        some(builder.optPartition(Partition.TRAIN).build(), 0, train),
                        some(builder.optPartition(Partition.VALIDATION).build(), 0, test),
                        List.of("gender", "race", "age"));
            }
            if (utkFace != null) {
                FaceDataset faces = UtkFace.builder().setRoot(utkFace).optAgeThreshold(40).build();
                probe(
                        vit,
                        "UTKFace",
                        some(faces, 0, train),
                        some(faces, train, test),
                        List.of("gender", "race", "age>=40"));
            }
            if (celebA != null) {
                List<FaceDataset> parts =
                        CelebA.builder().setRoot(celebA).build().splitByIdentity(1, 0.7, 0.3);
                probe(
                        vit,
                        "CelebA",
                        some(parts.get(0), 0, train),
                        some(parts.get(1), 0, test),
                        List.of("Male", "Smiling", "Attractive", "Wavy_Hair", "Bald", "Young"));
            }
        }
        return 0;
    }

    private static List<String> synthNames() {
        return Arrays.stream(FaceAttribute.values()).map(FaceAttribute::name).toList();
    }

    private static FaceDataset synthetic(long seed, int count) {
        SynthFaces faces = SynthFaces.builder().setSize(count).optSeed(-seed).build();
        FaceDataset data = FaceDataset.of(faces.images());
        for (FaceAttribute attribute : FaceAttribute.values()) {
            data =
                    data.withAttribute(
                            attribute.name(), faces.classes(attribute), faces.labels(attribute));
        }
        return data;
    }

    private static FaceDataset some(FaceDataset faces, int from, int count) {
        int[] order = EpochOrder.of(faces.size(), 1, 0);
        int end = Math.min(order.length, from + count);
        return faces.select(Arrays.copyOfRange(order, Math.min(from, end), end));
    }

    private static void probe(
            VisionTransformer vit,
            String set,
            FaceDataset train,
            FaceDataset test,
            List<String> attributes) {
        try (NDManager scope = vit.manager().newSubManager()) {
            NDArray known = AdaptedModel.features(vit, train.images(), scope);
            NDArray unseen = AdaptedModel.features(vit, test.images(), scope);
            for (String attribute : attributes) {
                int classes = train.classes(attribute).size();
                int[] labels = train.labels(attribute);
                LinearHead.Weights head =
                        LogisticRegression.fit(
                                known,
                                labels,
                                classes,
                                LogisticRegression.balanced(labels, classes));
                System.out.printf(
                        Locale.ROOT,
                        "%-10s %-12s %.3f (%d classes)%n",
                        set,
                        attribute,
                        LogisticRegression.balancedAccuracy(
                                test.labels(attribute),
                                LogisticRegression.predict(head, unseen),
                                classes),
                        classes);
            }
        }
    }
}
