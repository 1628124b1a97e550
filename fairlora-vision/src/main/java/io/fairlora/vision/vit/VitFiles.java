package io.fairlora.vision.vit;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.fasterxml.jackson.databind.JsonNode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import io.fairlora.vision.vit.LoadOptions.ImageSize;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/** Model directories as Hugging Face and timm lay them out. */
final class VitFiles {

    private VitFiles() {}

    static VisionTransformer load(Path path, Device device, LoadOptions options)
            throws IOException {
        ModelFiles files = ModelFiles.of(path);
        VitConfig stored =
                options.config().isPresent()
                        ? options.config().get()
                        : VitConfig.read(files.config());
        VitPreprocessing preprocessing =
                options.preprocessing().isPresent()
                        ? options.preprocessing().get()
                        : preprocessing(files.preprocessor());
        VitConfig wanted = wanted(stored, options);
        try (SafetensorsFile weights = SafetensorsFile.open(files.weights())) {
            Checkpoint checkpoint = new Checkpoint(files.weights(), weights, stored);
            NDManager manager = NDManager.newBaseManager(device, "PyTorch");
            try {
                VisionTransformer vit =
                        new VisionTransformer(
                                wanted,
                                preprocessing,
                                checkpoint.names(options.prefix()),
                                DataType.FLOAT32,
                                manager);
                checkpoint.readInto(vit, manager);
                return vit;
            } catch (IOException | RuntimeException e) {
                manager.close();
                throw e;
            }
        }
    }

    private static VitConfig wanted(VitConfig stored, LoadOptions options) {
        VitConfig wanted = stored;
        if (options.imageSize().isPresent()) {
            ImageSize size = options.imageSize().get();
            wanted = wanted.withImageSize(size.height(), size.width());
        }
        return options.pooling().isPresent() ? wanted.withPooling(options.pooling().get()) : wanted;
    }

    private static VitPreprocessing preprocessing(Path file) throws IOException {
        if (!Files.exists(file)) {
            return VitPreprocessing.DEFAULT;
        }
        try {
            return VitPreprocessing.parse(ModelFiles.json(file));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    static void save(VisionTransformer vit, Path directory, boolean half) throws IOException {
        Files.createDirectories(directory);
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        vit.weights()
                .forEach(
                        (name, parameter) ->
                                tensors.put(
                                        name,
                                        HostTensor.copyOf(parameter.getArray())
                                                .reshape(
                                                        Checkpoint.stored(
                                                                vit.config(),
                                                                vit.names(),
                                                                name,
                                                                parameter.getArray().getShape()))));
        SafetensorsWriter.write(
                directory.resolve(ModelFiles.WEIGHTS),
                tensors,
                Map.of("format", "pt"),
                half ? Dtype.F16 : Dtype.F32);
        writeJson(directory.resolve(ModelFiles.CONFIG), vit.config().toJson());
        writeJson(
                directory.resolve(ModelFiles.PREPROCESSOR),
                vit.preprocessing().toJson(vit.config()));
    }

    private static void writeJson(Path file, JsonNode json) throws IOException {
        Files.writeString(file, json.toPrettyString() + "\n");
    }

    /** Configuration and weights, in the order of application, whatever a file calls them. */
    static String digest(VisionTransformer vit) {
        MessageDigest sha;
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
        sha.update(vit.config().described().getBytes(StandardCharsets.UTF_8));
        sha.update(vit.preprocessing().toString().getBytes(StandardCharsets.UTF_8));
        vit.weights().values().forEach(p -> HostTensor.copyOf(p.getArray()).update(sha));
        return HexFormat.of().formatHex(sha.digest());
    }
}
