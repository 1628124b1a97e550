package io.fairlora.vision.zoo;

import ai.djl.Device;
import io.fairlora.vision.vit.VisionTransformer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Backbones that come with the library. */
public final class Zoo {

    private static final String TINY = "tiny-vit/";
    private static final List<String> FILES =
            List.of("config.json", "preprocessor_config.json", "model.safetensors");

    private Zoo() {}

    /**
     * A small vision transformer for faces: 64 x 64 pixels, patches of 8, 6 layers of 128, 1.2
     * million weights. {@link #tinyVitCard} says on what it was trained, how, and how well it does.
     *
     * @param device where the weights go
     * @return the model, which the caller closes
     */
    public static VisionTransformer tinyVit(Device device) {
        try {
            Path directory = Files.createTempDirectory("fairlora-zoo");
            try {
                for (String file : FILES) {
                    try (InputStream in = resource(TINY + file)) {
                        Files.copy(in, directory.resolve(file));
                    }
                }
                return VisionTransformer.load(directory, device);
            } finally {
                for (String file : FILES) {
                    Files.deleteIfExists(directory.resolve(file));
                }
                Files.delete(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the embedded backbone cannot be unpacked", e);
        }
    }

    /**
     * The card of {@link #tinyVit}.
     *
     * @return Markdown
     */
    public static String tinyVitCard() {
        try (InputStream in = resource(TINY + "README.md")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("the embedded backbone's card cannot be read", e);
        }
    }

    private static InputStream resource(String name) {
        InputStream in = Zoo.class.getResourceAsStream(name);
        if (in == null) {
            throw new IllegalStateException("the library's jar lacks " + name);
        }
        return in;
    }
}
