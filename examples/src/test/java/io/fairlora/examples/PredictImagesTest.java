package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.types.DataType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.vit.VitConfig;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On the tiny model of {@code tools/golden/peft_vit.py}: the logits of transformers and PEFT. */
class PredictImagesTest {

    private static final Path GOLDEN = Path.of("../fairlora-vision/src/test/resources/golden/vit");
    private static final double TOLERANCE = 1e-4;

    @TempDir private Path folder;
    private final List<String> files = new ArrayList<>();

    @BeforeEach
    void writeImages() throws IOException {
        HostTensor pixels = expected("pixels_uint8");
        int size = (int) pixels.shape().get(2);
        for (int n = 0; n < pixels.shape().get(0); n++) {
            BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < size; y++) {
                for (int x = 0; x < size; x++) {
                    int rgb = 0;
                    for (int c = 0; c < 3; c++) {
                        rgb = rgb << 8 | (int) pixels.get(((n * 3 + c) * size + y) * size + x);
                    }
                    image.setRGB(x, y, rgb);
                }
            }
            Path file = folder.resolve(n + ".png");
            ImageIO.write(image, "png", file.toFile());
            files.add(file.toString());
        }
    }

    private static HostTensor expected(String name) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(GOLDEN.resolve("expected.safetensors"))) {
            return file.read(name);
        }
    }

    private static int run(List<String> files, String... options) {
        List<String> args = new ArrayList<>(List.of(options));
        args.addAll(files);
        return PredictImages.run(args.toArray(String[]::new));
    }

    private String errorsOf(List<String> images, int code, String... options) {
        PrintStream before = System.err;
        ByteArrayOutputStream caught = new ByteArrayOutputStream();
        System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
        try {
            assertThat(run(images, options)).isEqualTo(code);
        } finally {
            System.setErr(before);
        }
        return caught.toString(StandardCharsets.UTF_8);
    }

    private JsonNode predictions(int code, List<String> images, String... options)
            throws IOException {
        Path json = folder.resolve("out.json");
        List<String> all = new ArrayList<>(List.of("--json", json.toString()));
        all.addAll(List.of(options));
        assertThat(run(images, all.toArray(String[]::new))).isEqualTo(code);
        return new ObjectMapper().readTree(Files.readString(json)).path("predictions");
    }

    private void assertLogits(JsonNode predictions, String name) throws IOException {
        HostTensor logits = expected(name);
        int classes = (int) logits.shape().get(1);
        assertThat(predictions).hasSize(files.size());
        for (int n = 0; n < files.size(); n++) {
            assertThat(predictions.get(n).path("file").asText()).isEqualTo(files.get(n));
            for (int c = 0; c < classes; c++) {
                assertThat(predictions.get(n).path("logits").get(c).doubleValue())
                        .isCloseTo(logits.get(n * classes + c), within(TOLERANCE));
            }
        }
    }

    @Test
    void theModelAloneGivesTheLogitsOfTransformers() throws IOException {
        String model = GOLDEN.resolve("model").toString();
        JsonNode predictions = predictions(0, files, "--model", model);
        assertLogits(predictions, "logits");
        assertBestIsNamed(predictions, "logits", "LABEL_0", "LABEL_1", "LABEL_2");
    }

    @Test
    void withAnAdapterAndItsClassifierTheyAreThoseOfPeft() throws IOException {
        String model = GOLDEN.resolve("model").toString();
        String adapter = GOLDEN.resolve("adapter").toString();
        JsonNode predictions = predictions(0, files, "--model", model, "--adapter", adapter);
        assertLogits(predictions, "adapted_logits");
        assertBestIsNamed(predictions, "adapted_logits", "LABEL_0", "LABEL_1", "LABEL_2");
    }

    @Test
    void anImageThatCannotBeReadIsNamedAndTheOthersAreClassified() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken.jpg"), "no image");
        List<String> images = List.of(files.get(0), broken.toString(), files.get(1));
        String model = GOLDEN.resolve("model").toString();
        assertThat(errorsOf(images, 1, "--model", model)).contains("broken.jpg");
        JsonNode predictions = predictions(1, images, "--model", model, "--top", "2");
        assertThat(predictions).hasSize(2);
        assertThat(predictions.at("/1/file").asText()).isEqualTo(files.get(1));
        assertThat(predictions.at("/1/top")).hasSize(2);
        try (var left = Files.list(folder)) {
            assertThat(left).noneMatch(file -> file.toString().endsWith(".tmp"));
        }
    }

    /** A copy of the golden model with other names, and with or without its classifier. */
    private String named(boolean classifier, String... names) throws IOException {
        Path copy = Files.createDirectory(folder.resolve("named" + classifier + names.length));
        try (SafetensorsFile weights =
                SafetensorsFile.open(GOLDEN.resolve("model/model.safetensors"))) {
            Map<String, HostTensor> kept = new LinkedHashMap<>();
            for (String name : weights.names()) {
                if (classifier || !name.startsWith("classifier.")) {
                    kept.put(name, weights.read(name));
                }
            }
            SafetensorsWriter.write(copy.resolve("model.safetensors"), kept, Map.of(), Dtype.F32);
        }
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode config =
                (ObjectNode) mapper.readTree(GOLDEN.resolve("model/config.json").toFile());
        ObjectNode labels = config.putObject("id2label");
        // Not in their order, as in a file whose keys were sorted as text.
        for (int i = names.length - 1; i >= 0; i--) {
            labels.put(Integer.toString(i), names[i]);
        }
        mapper.writeValue(copy.resolve("config.json").toFile(), config);
        return copy.toString();
    }

    private void assertBestIsNamed(JsonNode predictions, String expected, String... names)
            throws IOException {
        HostTensor logits = expected(expected);
        for (int n = 0; n < files.size(); n++) {
            int best = 0;
            for (int c = 1; c < names.length; c++) {
                boolean higher =
                        logits.get(n * names.length + c) > logits.get(n * names.length + best);
                best = higher ? c : best;
            }
            assertThat(predictions.get(n).at("/top/0/label").asText()).isEqualTo(names[best]);
        }
    }

    @Test
    void classesAreNamedByTheModel() throws IOException {
        String[] names = {"young", "middle", "old"};
        assertBestIsNamed(predictions(0, files, "--model", named(true, names)), "logits", names);
        String adapter = GOLDEN.resolve("adapter").toString();
        assertBestIsNamed(
                predictions(0, files, "--model", named(false, names), "--adapter", adapter),
                "adapted_logits",
                names);
    }

    @Test
    void namesOfAnotherNumberOfClassesAreRefused() throws IOException {
        assertThat(errorsOf(files, 1, "--model", named(true, "young", "old")))
                .contains("names 2 classes in id2label, the classifier beside it has 3");
    }

    @Test
    void anOutputThatCannotBeWrittenIsRefusedFirst() throws IOException {
        String model = GOLDEN.resolve("model").toString();
        String out = folder.resolve("absent/out.json").toString();
        assertThat(errorsOf(files, 1, "--model", model, "--json", out))
                .contains("error: --json is " + out + ", expected a file in a folder that exists");
    }

    @Test
    void logitsThatAreNotFiniteAreRefused() throws IOException {
        String model = named(true, "a", "b", "c");
        Path file = Path.of(model, "model.safetensors");
        Map<String, HostTensor> weights = new LinkedHashMap<>();
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            for (String name : read.names()) {
                weights.put(name, read.read(name));
            }
        }
        weights.put("classifier.bias", HostTensor.of(new float[] {0, Float.NaN, 0}, 3));
        SafetensorsWriter.write(file, weights, Map.of(), Dtype.F32);
        assertThat(errorsOf(files, 1, "--model", model)).contains("are not finite, found NaN");
    }

    @Test
    void aModelThatIsNowhereIsOneSentence() throws IOException {
        assertThat(errorsOf(files, 1, "--model", "no-such-owner/no-such-model"))
                .contains("error: model no-such-owner/no-such-model is not in the cache ")
                .contains(", and downloading is not allowed");
        assertThat(errorsOf(files, 1, "--model", folder.resolve("absent").toString()))
                .contains("absent")
                .contains("is neither a directory nor the name of a model on the hub");
    }

    @Test
    void aModelWithoutClassifierIsRefused() throws IOException {
        Path plain = folder.resolve("plain");
        try (VisionTransformer vit =
                VisionTransformer.random(
                        VitConfig.of(16, 1, 2, 16, 8), DataType.FLOAT32, Device.cpu(), 1)) {
            vit.save(plain, false);
        }
        assertThat(errorsOf(files, 1, "--model", plain.toString()))
                .contains("error: " + plain + " holds no classifier, and no adapter was given");
    }
}
