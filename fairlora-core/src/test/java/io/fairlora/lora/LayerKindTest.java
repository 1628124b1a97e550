package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LayerKindTest {

    private static final String PREFIX = "base_model.model.";

    @TempDir private Path folder;

    /** The matrix of a weight holds its elements where the kind says, and leads back to it. */
    @ParameterizedTest
    @CsvSource({
        "linear, 5 4, 5, 4",
        "convolution 3 2 4, 5 3 2 4, 5, 24",
        "convolution 3 7, 5 3 7, 5, 21",
        "convolution 6 1 1, 5 6, 5, 6",
        "embedding, 7 5, 5, 7",
        "embedding, 1 7 5, 5, 7"
    })
    void weightsAreMatrices(String text, String dimensions, long out, long in) {
        LayerKind kind = LayerKind.parse(text);
        long[] shape = new long[dimensions.split(" ", -1).length];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = Long.parseLong(dimensions.split(" ", -1)[i]);
        }
        assertThat(kind.outputSize(new Shape(shape))).isEqualTo(out);
        assertThat(kind.inputSize(new Shape(shape))).isEqualTo(in);
        try (NDManager scope = NDManager.newBaseManager("PyTorch")) {
            NDArray weight = scope.arange((float) (out * in)).reshape(shape);
            NDArray matrix = kind.matrix(weight, scope);
            assertThat(matrix.getShape()).isEqualTo(new Shape(out, in));
            for (long o = 0; o < out; o++) {
                for (long i = 0; i < in; i++) {
                    long at = kind.isEmbedding() ? i * out + o : o * in + i;
                    assertThat(matrix.getFloat(o, i)).isEqualTo((float) at);
                }
            }
            assertThat(HostTensor.copyOf(kind.weight(matrix, weight.getShape())))
                    .isEqualTo(HostTensor.copyOf(weight));
        }
    }

    private static HostTensor random(long seed, long... shape) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[(int) new Shape(shape).size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return HostTensor.of(values, shape);
    }

    private static LoraAdapter adapter(LayerKind kind, boolean dora) {
        Factors factors =
                new Factors(
                        random(1, 2, 12),
                        random(2, 5, 2),
                        2,
                        null,
                        dora ? random(3, 5) : null,
                        kind);
        LoraConfig config =
                LoraConfig.builder().rank(2).alpha(4).dora(dora).targetModules("x").build();
        return LoraAdapter.of(config, Map.of("a.x", factors));
    }

    @ParameterizedTest
    @ValueSource(strings = {"linear", "embedding", "convolution 3 2 2", "convolution 3 4"})
    void filesTellTheKind(String text) throws IOException {
        LoraAdapter adapter = adapter(LayerKind.parse(text), true);
        PeftFormat.write(folder.resolve("a"), adapter, ModelCard.of("m"));
        LoraAdapter read = PeftFormat.read(folder.resolve("a"));
        assertThat(read.layers()).isEqualTo(adapter.layers());
        assertThat(read.digest()).isEqualTo(adapter.digest());
    }

    /** Rewrites the file of an adapter with one tensor more, less or other. */
    private void rewrite(LayerKind kind, String name, HostTensor tensor) throws IOException {
        Path directory = folder.resolve("a");
        PeftFormat.write(directory, adapter(kind, true), ModelCard.of("m"));
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file =
                SafetensorsFile.open(directory.resolve(PeftFormat.MODEL_FILE))) {
            for (String each : file.names()) {
                tensors.put(each, file.read(each));
            }
        }
        if (tensor == null) {
            assertThat(tensors.remove(PREFIX + name)).isNotNull();
        } else {
            tensors.put(PREFIX + name, tensor);
        }
        SafetensorsWriter.write(
                directory.resolve(PeftFormat.MODEL_FILE), tensors, Map.of(), Dtype.F32);
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> PeftFormat.read(folder.resolve("a")))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining(message);
    }

    @Test
    void tensorsThatDoNotBelongTogetherAreRefused() throws IOException {
        LayerKind convolution = LayerKind.convolution(3, 2, 2);
        rewrite(convolution, "a.x.lora_B.weight", random(4, 5, 2));
        assertRefused("a.x.lora_B.weight is (5, 2), expected (5, 2, 1, 1)");
        rewrite(convolution, "a.x.lora_B.weight", random(4, 5, 1, 2, 1));
        assertRefused("a.x.lora_B.weight is (5, 1, 2, 1), expected (5, 2, 1, 1)");
        rewrite(convolution, "a.x.lora_B.weight", random(4, 5, 2, 3, 3));
        assertRefused("layer a.x: A is (2, 12) and B is (5, 18), expected (r, in) and (out, r)");
        rewrite(convolution, "a.x.lora_magnitude_vector", random(4, 5));
        assertRefused("a.x.lora_magnitude_vector is (5), expected (1, 5, 1, 1)");
        rewrite(convolution, "a.x.lora_A.weight", random(4, 2, 12));
        assertRefused("a.x.lora_B.weight is (5, 2, 1, 1), expected (5, 2)");
        rewrite(LayerKind.LINEAR, "a.x.lora_magnitude_vector", random(4, 1, 5, 1, 1));
        assertRefused("a.x.lora_magnitude_vector is (1, 5, 1, 1), expected (5)");
        rewrite(LayerKind.EMBEDDING, "a.x.lora_embedding_B", null);
        assertRefused("lacks the tensor a.x.lora_embedding_B");
        rewrite(LayerKind.EMBEDDING, "a.x.lora_embedding_A", null);
        assertRefused("lacks the tensor a.x.lora_");
        rewrite(LayerKind.EMBEDDING, "a.x.lora_embedding_A", random(4, 2, 3, 4));
        assertRefused("a.x.lora_embedding_A is (2, 3, 4), expected (2, 12)");
        rewrite(LayerKind.EMBEDDING, "a.x.lora_A.weight", random(4, 2, 12));
        assertRefused("a.x.lora_");
        rewrite(LayerKind.EMBEDDING, "a.x.lora_B.bias", random(4, 5));
        assertRefused("unexpected tensor a.x.lora_B.bias");
    }

    @Test
    void factorsOfAKindAreChecked() {
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                new Factors(
                                        random(1, 2, 12),
                                        random(2, 5, 2),
                                        1,
                                        null,
                                        null,
                                        LayerKind.convolution(3, 2, 3)))
                .withMessage("A is (2, 12) for a convolution with the window (3, 2, 3)");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                new Factors(
                                        random(1, 2, 12),
                                        random(2, 5, 2),
                                        1,
                                        random(3, 5),
                                        null,
                                        LayerKind.EMBEDDING))
                .withMessage("the B of an embedding has no bias, as in PEFT");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> LayerKind.convolution(3))
                .withMessage("a layer of form CONVOLUTION cannot have the window (3)");
    }
}
