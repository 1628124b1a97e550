package io.fairlora.vision.vit;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Model directories as Hugging Face lays them out. */
final class VitFiles {

    private static final String CONFIG = "config.json";
    private static final String PREPROCESSOR = "preprocessor_config.json";
    private static final String WEIGHTS = "model.safetensors";
    private static final ObjectMapper JSON = new ObjectMapper();

    private VitFiles() {}

    static VisionTransformer load(Path directory, Device device) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new NoSuchFileException(
                    directory.toString(), null, "expected a directory with " + CONFIG);
        }
        VitConfig config = VitConfig.read(directory.resolve(CONFIG));
        VitPreprocessing preprocessing = preprocessing(directory.resolve(PREPROCESSOR));
        Path file = directory.resolve(WEIGHTS);
        try (SafetensorsFile weights = SafetensorsFile.open(file)) {
            NDManager manager = NDManager.newBaseManager(device, "PyTorch");
            try {
                VisionTransformer vit =
                        new VisionTransformer(
                                config,
                                preprocessing,
                                WeightNames.detect(weights.names()),
                                DataType.FLOAT32,
                                manager);
                checkFit(vit, weights, file);
                for (Map.Entry<String, Parameter> weight : vit.weights().entrySet()) {
                    Shape shape = weight.getValue().getShape();
                    VisionTransformer.setWeight(
                            weight.getValue(),
                            weights.read(weight.getKey()).toNDArray(manager).reshape(shape));
                }
                return vit;
            } catch (IOException | RuntimeException e) {
                manager.close();
                throw e;
            }
        }
    }

    private static VitPreprocessing preprocessing(Path file) throws IOException {
        if (!Files.exists(file)) {
            return VitPreprocessing.DEFAULT;
        }
        try {
            JsonNode json = JSON.readTree(Files.readAllBytes(file));
            return VitPreprocessing.parse(json);
        } catch (JsonProcessingException e) {
            throw new IOException(file + " is not JSON: " + e.getOriginalMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    private static void checkFit(VisionTransformer vit, SafetensorsFile file, Path path) {
        List<String> problems = new ArrayList<>();
        vit.weights()
                .forEach(
                        (name, parameter) -> {
                            Shape expected = stored(vit, name, parameter);
                            if (!file.names().contains(name)) {
                                problems.add(name + " is missing");
                            } else if (!file.info(name).shape().equals(expected)) {
                                problems.add(
                                        name
                                                + " has shape "
                                                + file.info(name).shape()
                                                + ", expected "
                                                + expected);
                            }
                        });
        if (!problems.isEmpty()) {
            throw new IllegalArgumentException(
                    path + " does not fit its " + CONFIG + ": " + String.join("; ", problems));
        }
    }

    /** The shape in the file: the patch projection is stored as a convolution's weight. */
    private static Shape stored(VisionTransformer vit, String name, Parameter parameter) {
        if (!name.equals(vit.names().embeddings("patch_embeddings.projection.weight"))) {
            return parameter.getShape();
        }
        int p = vit.config().patchSize();
        return new Shape(vit.config().hiddenSize(), 3, p, p);
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
                                                .reshape(stored(vit, name, parameter))));
        SafetensorsWriter.write(
                directory.resolve(WEIGHTS),
                tensors,
                Map.of("format", "pt"),
                half ? Dtype.F16 : Dtype.F32);
        writeJson(directory.resolve(CONFIG), vit.config().toJson());
        writeJson(directory.resolve(PREPROCESSOR), vit.preprocessing().toJson(vit.config()));
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
        sha.update(vit.config().toString().getBytes(StandardCharsets.UTF_8));
        sha.update(vit.preprocessing().toString().getBytes(StandardCharsets.UTF_8));
        vit.weights().values().forEach(p -> HostTensor.copyOf(p.getArray()).update(sha));
        return HexFormat.of().formatHex(sha.digest());
    }
}
