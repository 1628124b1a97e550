package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.Tag;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;

/** A damaged directory is read or refused with an {@link IOException}, never anything else. */
class PeftFuzzTest {

    private static final String[] PIECES = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "-",
        "0",
        "9",
        "e99",
        ".",
        "null",
        "true",
        "(",
        ".*",
        "\\\\1",
        "+",
        "query",
        "\"query\":2",
        "[[[[",
        "\"r\":",
        " "
    };

    private Path directory;
    private byte[] config;
    private byte[] model;

    @BeforeProperty
    void writeGoodDirectory() throws IOException {
        directory = Files.createTempDirectory("fairlora");
        LoraConfig settings =
                LoraConfig.builder()
                        .rank(1)
                        .alpha(2)
                        .targetModules("query", "patches", "table")
                        .layersToTransform(0)
                        .build();
        LoraAdapter adapter =
                LoraAdapter.of(
                                settings,
                                Map.of(
                                        "encoder.layer.0.query", factors(LayerKind.LINEAR),
                                        "encoder.layer.0.table", factors(LayerKind.EMBEDDING),
                                        "encoder.layer.0.patches",
                                                factors(LayerKind.convolution(1, 2, 1))))
                        .withSavedModules(Map.of("head.bias", HostTensor.of(new float[] {1}, 1)));
        PeftFormat.write(directory, adapter, ModelCard.of("m"));
        config = Files.readAllBytes(directory.resolve(PeftFormat.CONFIG_FILE));
        model = Files.readAllBytes(directory.resolve(PeftFormat.MODEL_FILE));
    }

    private static LoraAdapter.Factors factors(LayerKind kind) {
        return new LoraAdapter.Factors(
                HostTensor.of(new float[] {1, 2}, 1, 2),
                HostTensor.of(new float[] {3, 4, 5}, 3, 1),
                2,
                null,
                null,
                kind);
    }

    @AfterProperty
    void delete() throws IOException {
        for (String name : directory.toFile().list()) {
            Files.delete(directory.resolve(name));
        }
        Files.delete(directory);
    }

    @Property(tries = 1_000, shrinking = ShrinkingMode.OFF)
    void damageIsReadOrRefused(@ForAll long seed) throws IOException {
        readsOrRefuses(new Random(seed));
    }

    @Property(tries = 50_000, shrinking = ShrinkingMode.OFF)
    @Tag("slow")
    void muchDamageIsReadOrRefused(@ForAll long seed) throws IOException {
        readsOrRefuses(new Random(seed));
    }

    private void readsOrRefuses(Random random) throws IOException {
        boolean damagesConfig = random.nextInt(3) > 0;
        Files.write(
                directory.resolve(PeftFormat.CONFIG_FILE),
                damagesConfig ? damaged(config, random) : config);
        Files.write(
                directory.resolve(PeftFormat.MODEL_FILE),
                damagesConfig ? model : damaged(model, random));
        try {
            assertThat(PeftFormat.read(directory).isFinite()).isTrue();
        } catch (IOException e) {
            assertThat(e).hasMessageStartingWith(directory.toString());
        }
    }

    private static byte[] damaged(byte[] good, Random random) {
        StringBuilder text = new StringBuilder(new String(good, StandardCharsets.ISO_8859_1));
        for (int i = random.nextInt(3); i >= 0; i--) {
            int at = random.nextInt(text.length());
            int end = Math.min(text.length(), at + random.nextInt(4));
            switch (random.nextInt(3)) {
                case 0 -> text.setCharAt(at, (char) random.nextInt(256));
                case 1 -> text.replace(at, end, PIECES[random.nextInt(PIECES.length)]);
                default -> text.delete(at, end);
            }
        }
        return text.toString().getBytes(StandardCharsets.ISO_8859_1);
    }
}
