package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model directory: what is written is read back, and what is wrong with one is said. */
class VisionTransformerFilesTest {

    private static final VitConfig CONFIG = VitConfig.of(16, 2, 2, 16, 8);

    @TempDir private Path folder;

    private static VisionTransformer random(long seed) {
        return VisionTransformer.random(CONFIG, DataType.FLOAT32, Device.cpu(), seed);
    }

    private static HostTensor features(VisionTransformer vit) {
        try (NDManager scope = vit.manager().newSubManager()) {
            return GradientMode.OFF.get(
                    () ->
                            HostTensor.copyOf(
                                    vit.features(
                                            scope.arange(2 * 3 * 16 * 16)
                                                    .mod(251)
                                                    .reshape(new Shape(2, 3, 16, 16)))));
        }
    }

    @Test
    void savedAndLoadedIsTheSameModel() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
            try (VisionTransformer loaded = VisionTransformer.load(folder, Device.cpu())) {
                assertThat(loaded.digest()).isEqualTo(vit.digest());
                assertThat(features(loaded)).isEqualTo(features(vit));
            }
        }
        try (VisionTransformer other = random(2)) {
            try (VisionTransformer loaded = VisionTransformer.load(folder, Device.cpu())) {
                assertThat(loaded.digest()).isNotEqualTo(other.digest());
            }
        }
    }

    @Test
    void bothGenerationsOfNamesAreRead() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
            rename(
                    name ->
                            "vit."
                                    + name.replace("encoder.layer.", "layers.")
                                            .replace(
                                                    "attention.attention.query", "attention.q_proj")
                                            .replace("attention.attention.key", "attention.k_proj")
                                            .replace(
                                                    "attention.attention.value", "attention.v_proj")
                                            .replace("attention.output.dense", "attention.o_proj")
                                            .replace("intermediate.dense", "mlp.fc1")
                                            .replace("output.dense", "mlp.fc2"));
            try (VisionTransformer loaded = VisionTransformer.load(folder, Device.cpu())) {
                assertThat(features(loaded)).isEqualTo(features(vit));
                assertThat(loaded.loraLayers()).containsKey("vit.layers.1.attention.v_proj");
            }
        }
    }

    private void rename(UnaryOperator<String> renaming) throws IOException {
        Path file = folder.resolve("model.safetensors");
        Map<String, HostTensor> renamed = new LinkedHashMap<>();
        try (SafetensorsFile weights = SafetensorsFile.open(file)) {
            for (String name : weights.names()) {
                renamed.put(renaming.apply(name), weights.read(name));
            }
        }
        SafetensorsWriter.write(file, renamed, Map.of(), Dtype.F32);
    }

    @Test
    void aForkSharesWeightsAndOutlivesNothing() {
        try (VisionTransformer vit = random(1)) {
            int before = vit.manager().getManagedArrays().size();
            try (VisionTransformer fork = vit.fork()) {
                assertThat(features(fork)).isEqualTo(features(vit));
                assertThat(fork.digest()).isEqualTo(vit.digest());
            }
            assertThat(vit.manager().getManagedArrays()).hasSize(before);
            assertThat(features(vit).isFinite()).isTrue();
        }
    }

    @Test
    void aDirectoryThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> VisionTransformer.load(folder.resolve("none"), Device.cpu()))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("none")
                .hasMessageContaining("config.json");
    }

    @Test
    void weightsThatDoNotFitTheConfigAreNamed() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
        }
        Files.writeString(
                folder.resolve("config.json"),
                Files.readString(folder.resolve("config.json"))
                        .replace("\"intermediate_size\" : 64", "\"intermediate_size\" : 32"));
        assertThatThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("model.safetensors does not fit its config.json")
                .hasMessageContaining(
                        "encoder.layer.0.intermediate.dense.weight has shape (64, 16), expected (32,"
                                + " 16)");
    }

    @Test
    void aMissingWeightIsNamed() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
        }
        rename(name -> name.equals("layernorm.bias") ? "other" : name);
        assertThatThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("layernorm.bias is missing");
    }

    @Test
    void aFileCutShortIsNamed() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
        }
        Path file = folder.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 7));
        assertThatThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("model.safetensors");
    }

    @Test
    void aConfigOfAnotherKindOrNotJsonIsNamed() throws IOException {
        try (VisionTransformer vit = random(1)) {
            vit.save(folder, false);
        }
        Path config = folder.resolve("config.json");
        Files.writeString(config, "{\"model_type\": \"swin\"}");
        assertThatThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .hasMessageContaining(
                        "config.json: model_type must be one of vit, deit, dinov2,"
                                + " dinov2_with_registers, clip_vision_model,"
                                + " siglip_vision_model, found swin");
        Files.writeString(config, "{");
        assertThatThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("config.json is not JSON");
    }

    @Test
    void pixelsOfAnotherSizeAreRefused() {
        try (VisionTransformer vit = random(1);
                NDManager scope = vit.manager().newSubManager()) {
            assertThatThrownBy(() -> vit.features(scope.zeros(new Shape(1, 3, 16, 8))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("expected pixels (batch, 3, 16, 16), found (1, 3, 16, 8)");
        }
    }
}
