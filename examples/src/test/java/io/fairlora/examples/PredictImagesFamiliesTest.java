package io.fairlora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * From image files of any size to logits as transformers and timm do it, processors included
 * ({@code tools/golden/predict_images.py}).
 */
class PredictImagesFamiliesTest {

    private static final List<String> NAMES = List.of("ibis", "heron", "crane", "stork", "egret");

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"vit", "vit-renamed", "deit", "dinov2", "timm"})
    void logitsOfImageFilesAreThoseOfThePeer(String name) throws IOException, URISyntaxException {
        Path golden =
                Path.of(PredictImagesFamiliesTest.class.getResource("/golden/predict").toURI());
        Path model = golden.resolve(name);
        Path json = folder.resolve("out.json");
        List<String> args = new ArrayList<>(List.of("--model", model.toString()));
        args.addAll(List.of("--json", json.toString()));
        try (Stream<Path> images = Files.list(golden.resolve("images"))) {
            images.sorted().map(Path::toString).forEach(args::add);
        }

        assertThat(PredictImages.run(args.toArray(String[]::new))).isZero();

        JsonNode predictions =
                new ObjectMapper().readTree(Files.readString(json)).path("predictions");
        JsonNode expected =
                new ObjectMapper().readTree(Files.readString(model.resolve("logits.json")));
        assertThat(predictions).hasSize(4);
        for (JsonNode prediction : predictions) {
            Path image = Path.of(prediction.path("file").asText());
            JsonNode logits = expected.path(image.getFileName().toString());
            assertThat(logits).hasSize(NAMES.size());
            int best = 0;
            for (int c = 0; c < NAMES.size(); c++) {
                assertThat(prediction.path("logits").get(c).doubleValue())
                        .as("%s of %s", NAMES.get(c), image)
                        .isCloseTo(logits.get(c).doubleValue(), within(1e-4));
                best = logits.get(c).doubleValue() > logits.get(best).doubleValue() ? c : best;
            }
            assertThat(prediction.at("/top/0/label").asText()).isEqualTo(NAMES.get(best));
        }
    }
}
