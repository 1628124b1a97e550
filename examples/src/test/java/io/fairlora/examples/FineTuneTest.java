package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.FairClassifier;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.TaskImages;
import io.fairlora.vision.dataset.DatasetCheck;
import io.fairlora.vision.dataset.FileImages;
import io.fairlora.vision.vit.VisionTransformer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On the tiny model of {@code tools/golden/peft_vit.py} and images of two plain colours. */
class FineTuneTest {

    private static final Path MODEL =
            Path.of("../fairlora-vision/src/test/resources/golden/vit/model");
    private static final int COUNT = 60;

    @TempDir private Path folder;
    private Path data;
    private Path labels;
    private Path sensitive;
    private Path out;

    /** The upper half tells the label, the lower half the group, which agrees in two of three. */
    @BeforeEach
    void writeImages() throws IOException {
        data = Files.createDirectory(folder.resolve("faces"));
        labels = folder.resolve("labels.csv");
        sensitive = folder.resolve("groups.jsonl");
        out = folder.resolve("adapter");
        SplittableRandom random = new SplittableRandom(4);
        List<String> rows = new ArrayList<>(List.of("file,mood"));
        List<String> groups = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            int mood = i % 2;
            int group = random.nextInt(3) < 2 ? mood : 1 - mood;
            BufferedImage image = new BufferedImage(30, 28, BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < 28; y++) {
                for (int x = 0; x < 30; x++) {
                    int bright = (y < 14 ? mood : group) * 120 + 30 + random.nextInt(60);
                    image.setRGB(x, y, bright * 0x010101);
                }
            }
            ImageIO.write(image, "png", data.resolve(i + ".png").toFile());
            rows.add(i + ".png," + (mood == 0 ? "glum" : "merry"));
            groups.add("{\"file_name\": \"" + i + ".png\", \"group\": \"secret" + group + "\"}");
        }
        Files.write(labels, rows, StandardCharsets.UTF_8);
        Files.write(sensitive, groups, StandardCharsets.UTF_8);
    }

    private String[] args(String... more) {
        List<String> args =
                new ArrayList<>(
                        List.of(
                                "--model",
                                MODEL.toString(),
                                "--data",
                                data.toString(),
                                "--labels",
                                labels.toString(),
                                "--label",
                                "mood",
                                "--out",
                                out.toString(),
                                "--epochs",
                                "3",
                                "--batch-size",
                                "8"));
        args.addAll(List.of(more));
        return args.toArray(String[]::new);
    }

    private String[] withGroups(String... more) {
        List<String> args =
                new ArrayList<>(
                        List.of(
                                "--sensitive-labels",
                                sensitive.toString(),
                                "--sensitive",
                                "group",
                                "--minimum-group-size",
                                "1"));
        args.addAll(List.of(more));
        return args(args.toArray(String[]::new));
    }

    private String errorOf(String... args) {
        PrintStream before = System.err;
        ByteArrayOutputStream caught = new ByteArrayOutputStream();
        System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
        try {
            assertThat(FineTune.run(args)).isEqualTo(1);
        } finally {
            System.setErr(before);
        }
        String text = caught.toString(StandardCharsets.UTF_8);
        return text.substring(text.indexOf("error: "));
    }

    private JsonNode predictions() throws IOException {
        return predictions(MODEL);
    }

    private JsonNode predictions(Path model) throws IOException {
        Path json = folder.resolve("predictions.json");
        List<String> args =
                new ArrayList<>(
                        List.of(
                                "--model",
                                model.toString(),
                                "--adapter",
                                out.toString(),
                                "--json",
                                json.toString()));
        for (int i = 0; i < COUNT; i++) {
            args.add(data.resolve(i + ".png").toString());
        }
        assertThat(PredictImages.run(args.toArray(String[]::new))).isZero();
        return new ObjectMapper().readTree(Files.readString(json)).path("predictions");
    }

    @Test
    void predictImagesOpensTheResultWithItsClasses() throws IOException {
        assertThat(FineTune.run(args("--augment", "flip", "--adapted-layers", "2"))).isZero();

        JsonNode predictions = predictions();
        int right = 0;
        for (int i = 0; i < COUNT; i++) {
            String best = predictions.get(i).at("/top/0/label").asText();
            right += best.equals(i % 2 == 0 ? "glum" : "merry") ? 1 : 0;
        }
        assertThat(right).isGreaterThan(COUNT * 9 / 10);
        try (VisionTransformer vit = VisionTransformer.load(MODEL, Device.cpu());
                FairClassifier classifier = FairClassifier.load(out, vit)) {
            FileImages first = FileImages.of(List.of(data.resolve("0.png")));
            assertThat(classifier.probabilities(first).get(0))
                    .isCloseTo(predictions.get(0).at("/top/0/score").floatValue(), within(1e-5f));
            assertThat(classifier.classes()).containsExactly("glum", "merry");
        }
        assertThat(Files.readString(out.resolve("README.md")))
                .contains("validation_balanced_accuracy", "| name | ERM |")
                .doesNotContain("secret");
        assertThat(Files.readString(out.resolve("adapter_config.json")))
                .contains("\"base_model_name_or_path\": \"" + MODEL + "\"");
    }

    /**
     * PEFT looks for an adapter's names in the classifier, and warns at most if they are not there.
     */
    @Test
    void anAdapterOfAPlainModelIsNamedForAClassifier() throws IOException {
        Path plain =
                Path.of("../fairlora-vision/src/main/resources/io/fairlora/vision/zoo/tiny-vit");
        String[] args = args();
        args[1] = plain.toString();
        assertThat(FineTune.run(args)).isZero();

        try (SafetensorsFile file =
                SafetensorsFile.open(out.resolve("adapter_model.safetensors"))) {
            assertThat(file.names())
                    .contains(
                            "base_model.model.classifier.weight",
                            "base_model.model.vit.encoder.layer.5.attention.attention.query.lora_A"
                                    + ".weight")
                    .allMatch(name -> name.matches("base_model\\.model\\.(vit|classifier)\\..*"));
        }
        JsonNode predictions = predictions(plain);
        try (VisionTransformer vit = VisionTransformer.load(plain, Device.cpu());
                FairClassifier classifier = FairClassifier.load(out, vit)) {
            FileImages first = FileImages.of(List.of(data.resolve("0.png")));
            int best = classifier.predict(first)[0];
            assertThat(predictions.get(0).at("/top/0/label").asText())
                    .isEqualTo(classifier.classes().get(best));
            assertThat(classifier.probabilities(first).get(best))
                    .isCloseTo(predictions.get(0).at("/top/0/score").floatValue(), within(1e-5f));
        }
    }

    @Test
    void aFairAdapterCarriesTheAuditorsTableAndTheSameSeedTheSameBytes() throws IOException {
        Path json = folder.resolve("report.json");
        String[] args =
                withGroups(
                        "--strategy",
                        "orth",
                        "--json",
                        json.toString(),
                        "--seed",
                        "3",
                        "--cache",
                        folder.resolve("pixels").toString());
        assertThat(FineTune.run(args)).isZero();

        String card = Files.readString(out.resolve("README.md"));
        assertThat(card)
                .contains("## Fairness", "demographic_parity_difference", "secret0", "secret1");
        assertThat(new ObjectMapper().readTree(Files.readString(json)).isObject()).isTrue();
        assertThat(predictions()).hasSize(COUNT);
        byte[] weights = Files.readAllBytes(out.resolve("adapter_model.safetensors"));
        // From the kept pixels, over the old result.
        assertThat(FineTune.run(args)).isZero();
        assertThat(Files.readAllBytes(out.resolve("adapter_model.safetensors"))).isEqualTo(weights);
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder(
                            "README.md", "adapter_config.json", "adapter_model.safetensors");
        }
    }

    private static Map<String, Set<String>> sides(Path labels, long seed) {
        Map<String, Set<String>> sides = new HashMap<>();
        try (FolderParties parties =
                new FolderParties(
                        new FolderParties.Reading(
                                labels.resolveSibling("faces"),
                                DatasetCheck.LENIENT,
                                null,
                                new InputSpec(16, 16, Interpolation.BILINEAR)),
                        labels,
                        "mood",
                        "person",
                        0.25,
                        seed,
                        images -> images)) {
            for (TaskImages side : List.of(parties.train(null), parties.validation())) {
                String name = side.size() > COUNT / 2 ? "train" : "held";
                Set<String> files = sides.computeIfAbsent(name, n -> new HashSet<>());
                for (int i = 0; i < side.size(); i++) {
                    files.add(side.images().name(i));
                }
            }
        }
        return sides;
    }

    @Test
    void nobodyIsOnBothSides() throws IOException {
        // Twelve persons with five images each, of both moods; three images of nobody known.
        List<String> rows = new ArrayList<>(List.of("file,mood,person"));
        for (int i = 0; i < COUNT; i++) {
            String person = i < 3 ? "" : "p" + i / 5;
            rows.add(i + ".png," + (i % 2 == 0 ? "glum" : "merry") + "," + person);
        }
        Files.write(labels, rows, StandardCharsets.UTF_8);
        Set<Set<String>> splits = new HashSet<>();
        for (long seed = 0; seed < 5; seed++) {
            Map<String, Set<String>> sides = sides(labels, seed);
            Set<String> held = sides.getOrDefault("held", Set.of());
            assertThat(held).hasSizeBetween(12, 18);
            assertThat(sides.get("train"))
                    .hasSize(COUNT - held.size())
                    .doesNotContainAnyElementsOf(held);
            for (int person = 1; person < 12; person++) {
                int of = 5 * person;
                long there =
                        IntStream.range(of, of + 5).filter(i -> held.contains(i + ".png")).count();
                assertThat(there).as("images of p%s held back", person).isIn(0L, 5L);
            }
            assertThat(held.stream().filter(f -> Integer.parseInt(f.replace(".png", "")) % 2 == 0))
                    .as("glum ones")
                    .hasSizeBetween(5, 10);
            splits.add(held);
        }
        assertThat(splits).hasSizeGreaterThan(2);
        assertThat(FineTune.run(args("--group", "person"))).isZero();
        assertThat(errorOf(args("--group", "family")))
                .startsWith("error: " + labels + ": there is no column family");
    }

    @Test
    void saysBeforeItTrainsThatAnEraserNeedsMoreImages() {
        assertThat(errorOf(withGroups("--strategy", "distill")))
                .startsWith("error: --strategy DISTILL needs ")
                .contains(" images of known group beside those held back, as the model has ")
                .endsWith("; found 48" + System.lineSeparator());
        assertThat(out).doesNotExist();
    }

    @Test
    void allLayersMayBeAdapted() throws IOException {
        assertThat(FineTune.run(args("--adapted-layers", "2"))).isZero();
        assertThat(Files.readString(out.resolve("adapter_config.json")))
                .contains("\"layers_to_transform\": null");
        assertThat(FineTune.run(args("--adapted-layers", "1"))).isZero();
        assertThat(Files.readString(out.resolve("adapter_config.json")))
                .containsPattern("\"layers_to_transform\": \\[\\s*1\\s*\\]");
        assertThat(errorOf(args("--adapted-layers", "3")))
                .startsWith("error: --adapted-layers must be in 1..2, found 3");
    }

    @Test
    void anUnreadableImageIsLeftOutOrRefused() throws IOException {
        Files.writeString(data.resolve("5.png"), "no image");

        assertThat(errorOf(args("--strict")))
                .startsWith("error: the data set is not sound: 59 faces; 1 unreadable (")
                .contains("5.png: is not an image");
        assertThat(out).doesNotExist();
        assertThat(FineTune.run(args())).isZero();
        assertThat(out).isDirectory();
    }

    @Test
    void refusesWhatDoesNotGoTogether() throws IOException {
        assertThat(errorOf(args("--strategy", "orth")))
                .isEqualTo(
                        "error: --strategy ORTH needs --sensitive and --sensitive-labels; without"
                                + " them there is only ERM"
                                + System.lineSeparator());
        assertThat(errorOf(args("--sensitive", "group")))
                .startsWith("error: --sensitive and --sensitive-labels go together");
        assertThat(errorOf(args("--validation", "1")))
                .startsWith("error: --validation must be above 0 and below 1, found 1.0");
        assertThat(errorOf(args("--strategy", "magic"))).startsWith("error: no strategy magic");
        String[] unknown = args();
        unknown[List.of(unknown).indexOf("mood")] = "age";
        assertThat(errorOf(unknown))
                .startsWith("error: " + labels + ": there is no column age, found [file, mood]");
        Files.createDirectory(out);
        Files.writeString(out.resolve("notes.txt"), "mine");
        assertThat(errorOf(args()))
                .startsWith(
                        "error: --out is "
                                + out
                                + ", which holds notes.txt; choose another directory");
        assertThat(Files.readString(out.resolve("notes.txt"))).isEqualTo("mine");
    }

    @Test
    void refusesAnAttributeThatIsKnownOfNoImageHeldBack() throws IOException {
        Files.writeString(sensitive, "{\"file_name\": \"0.png\", \"group\": \"secret0\"}\n");

        assertThat(errorOf(withGroups()))
                .startsWith("error: " + sensitive + " knows the group of ");
    }
}
