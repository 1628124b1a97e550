package io.fairlora.vision.vit;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Where the parts of a model are.
 *
 * @param config {@code config.json}, which may be missing
 * @param preprocessor {@code preprocessor_config.json}, which may be missing
 * @param weights a safetensors file, or the index of several
 */
record ModelFiles(Path config, Path preprocessor, Path weights) {

    static final String CONFIG = "config.json";
    static final String PREPROCESSOR = "preprocessor_config.json";
    static final String WEIGHTS = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Those of a directory, or those beside a file of weights. */
    static ModelFiles of(Path path) throws NoSuchFileException {
        if (Files.isRegularFile(path)) {
            return new ModelFiles(
                    path.resolveSibling(CONFIG), path.resolveSibling(PREPROCESSOR), path);
        }
        if (!Files.isDirectory(path)) {
            throw new NoSuchFileException(
                    path.toString(),
                    null,
                    "expected a directory with " + CONFIG + " or a safetensors file");
        }
        Path weights = path.resolve(WEIGHTS);
        Path index = path.resolve(INDEX);
        boolean sharded = !Files.exists(weights) && Files.exists(index);
        return new ModelFiles(
                path.resolve(CONFIG), path.resolve(PREPROCESSOR), sharded ? index : weights);
    }

    /** Reads a JSON file. */
    static JsonNode json(Path file) throws IOException {
        try {
            return JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new IOException(file + " is not JSON: " + e.getOriginalMessage(), e);
        }
    }
}
