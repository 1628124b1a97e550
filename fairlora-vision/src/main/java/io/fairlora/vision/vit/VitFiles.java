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
import java.util.Map;
import java.util.function.Supplier;

/** Model directories as Hugging Face and timm lay them out. */
final class VitFiles {

    private VitFiles() {}

    static VisionTransformer load(Path path, Device device, LoadOptions options)
            throws IOException {
        ModelFiles files = ModelFiles.of(path);
        try (SafetensorsFile weights = SafetensorsFile.open(files.weights())) {
            Described described = described(files, weights, options);
            Checkpoint checkpoint = new Checkpoint(files.weights(), weights, described.stored());
            NDManager manager = NDManager.newBaseManager(device, "PyTorch");
            try {
                VisionTransformer vit =
                        new VisionTransformer(
                                described.wanted(),
                                described.preprocessing(),
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

    /** The configuration of the checkpoint, that of the model to make, and its preprocessing. */
    private record Described(VitConfig stored, VitConfig wanted, VitPreprocessing preprocessing) {}

    private static Described described(
            ModelFiles files, SafetensorsFile weights, LoadOptions options) throws IOException {
        VitConfig stored;
        JsonNode timm = null;
        if (options.config().isPresent()) {
            stored = options.config().get();
        } else {
            JsonNode json = ModelFiles.json(files.config());
            timm = TimmConfig.is(json) ? json : null;
            stored =
                    parsed(
                            files.config(),
                            TimmConfig.is(json)
                                    ? () -> TimmConfig.parse(json, weights)
                                    : () -> VitConfig.parse(json));
        }
        ImageSize own = new ImageSize(stored.imageHeight(), stored.imageWidth());
        Path file = files.preprocessor();
        ImageProcessorConfig processor = null;
        if (options.preprocessing().isEmpty() && timm == null && Files.exists(file)) {
            JsonNode json = ModelFiles.json(file);
            processor = parsed(file, () -> ImageProcessorConfig.parse(json));
        }
        // DINOv2 takes what its processor makes, whatever size it was trained on.
        ImageSize usual = processor != null && stored.family().isDinov2() ? processor.size() : own;
        ImageSize size = options.imageSize().orElse(usual);
        VitPreprocessing preprocessing;
        if (options.preprocessing().isPresent()) {
            preprocessing = options.preprocessing().get();
        } else if (timm != null) {
            JsonNode json = timm;
            preprocessing = parsed(files.config(), () -> TimmConfig.preprocessing(json, size));
        } else if (processor != null) {
            preprocessing = processor.preprocessing().scaled(processor.size(), size);
        } else {
            preprocessing = VitPreprocessing.DEFAULT;
        }
        VitConfig wanted = stored.withImageSize(size.height(), size.width());
        return new Described(stored, wanted.withPooling(pooling(wanted, options)), preprocessing);
    }

    /** Names the file in what is said against its content. */
    private static <T> T parsed(Path file, Supplier<T> content) {
        try {
            return content.get();
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    private static Pooling pooling(VitConfig config, LoadOptions options) {
        boolean both = options.classifierSize().orElse(0) == 2 * config.hiddenSize();
        return options.pooling()
                .orElse(both && config.family().isDinov2() ? Pooling.CLS_MEAN : config.pooling());
    }

    static void save(VisionTransformer vit, Path directory, boolean half) throws IOException {
        Files.createDirectories(directory);
        SafetensorsWriter.write(
                directory.resolve(ModelFiles.WEIGHTS),
                Checkpoint.tensors(vit),
                Map.of("format", "pt"),
                half ? Dtype.F16 : Dtype.F32);
        if (vit.config().family() == VitFamily.TIMM) {
            writeJson(
                    directory.resolve(ModelFiles.CONFIG),
                    TimmConfig.write(vit.config(), vit.preprocessing()));
        } else {
            writeJson(directory.resolve(ModelFiles.CONFIG), vit.config().toJson());
            writeJson(
                    directory.resolve(ModelFiles.PREPROCESSOR),
                    vit.preprocessing().toJson(vit.config()));
        }
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
