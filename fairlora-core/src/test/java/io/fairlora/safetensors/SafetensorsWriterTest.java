package io.fairlora.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SafetensorsWriterTest {

    private static final float[] SPECIAL = {
        0f,
        -0f,
        1f,
        -1.5f,
        65504f,
        0x1p-14f,
        0x1p-24f,
        -0x3p-24f,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        Float.NaN
    };

    private Path scratch;

    @BeforeProperty
    void makeScratch() throws IOException {
        scratch = Files.createTempFile("fairlora", ".safetensors");
    }

    @AfterProperty
    void deleteScratch() throws IOException {
        Files.delete(scratch);
    }

    /** Each is exact in half precision, and all but the greatest in bfloat16. */
    @ParameterizedTest
    @EnumSource(
            value = Dtype.class,
            names = {"F32", "F16", "BF16"})
    void specialValuesSurvive(Dtype dtype, @TempDir Path folder) throws IOException {
        float[] values = SPECIAL.clone();
        if (dtype == Dtype.BF16) {
            values[4] = 0x1.fep127f;
        }
        HostTensor tensor = HostTensor.of(values, values.length);
        Path path = folder.resolve("f.safetensors");
        SafetensorsWriter.write(path, Map.of("t", tensor), Map.of(), dtype);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.info("t").dtype()).isEqualTo(dtype);
            assertThat(file.read("t")).isEqualTo(tensor);
        }
    }

    @Test
    void subnormalFloatsSurvive(@TempDir Path folder) throws IOException {
        HostTensor tensor =
                HostTensor.of(new float[] {Float.MIN_VALUE, -0x1p-140f, Float.MAX_VALUE}, 3);
        Path path = folder.resolve("f.safetensors");
        SafetensorsWriter.write(path, Map.of("t", tensor), Map.of(), Dtype.F32);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.read("t")).isEqualTo(tensor);
        }
    }

    @Property(tries = 200)
    void anythingWrittenInSinglePrecisionIsReadBack(
            @ForAll @Size(max = 5) Map<String, float[]> values,
            @ForAll @Size(max = 3) Map<String, String> metadata)
            throws IOException {
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        values.forEach(
                (name, array) -> {
                    if (isText(name)) {
                        tensors.put(name, HostTensor.of(array, array.length));
                    }
                });
        metadata.entrySet().removeIf(e -> !isText(e.getKey()) || !isText(e.getValue()));
        SafetensorsWriter.write(scratch, tensors, metadata, Dtype.F32);
        try (SafetensorsFile file = SafetensorsFile.open(scratch)) {
            assertThat(file.names()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
            for (String name : tensors.keySet()) {
                assertThat(file.read(name)).isEqualTo(tensors.get(name));
            }
            assertThat(file.metadata()).isEqualTo(metadata);
        }
    }

    /** Half a surrogate pair is no text, and JSON in UTF-8 cannot hold it. */
    private static boolean isText(String string) {
        return StandardCharsets.UTF_8.newEncoder().canEncode(string);
    }

    @Test
    void bytesFollowFromTheContentAndDataIsAligned(@TempDir Path folder) throws IOException {
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        tensors.put("b", HostTensor.of(new float[] {1, 2}, 1, 2));
        tensors.put("a", HostTensor.of(new float[] {3}));
        Path path = folder.resolve("f.safetensors");
        SafetensorsWriter.write(path, tensors, Map.of("y", "1", "x", "2"), Dtype.F32);
        byte[] bytes = Files.readAllBytes(path);
        String header =
                "{\"__metadata__\":{\"x\":\"2\",\"y\":\"1\"},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                        + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}";
        int length = bytes.length - 12 - 8;
        assertThat(length % 8).isZero();
        assertThat(Byte.toUnsignedInt(bytes[0])).isEqualTo(length);
        assertThat(new String(bytes, 8, length, StandardCharsets.UTF_8).strip()).isEqualTo(header);
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse(@TempDir Path folder) throws IOException {
        Path path = Files.writeString(folder.resolve("f.safetensors"), "old");
        Map<String, HostTensor> tooGreat = Map.of("t", HostTensor.of(new float[] {0, 65520f}, 2));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, tooGreat, Map.of(), Dtype.F16))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("tensor t holds 65520.0, beyond the range of F16");
        assertThat(Files.readString(path)).isEqualTo("old");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(path);
        }
    }

    @Test
    void refusesOtherTypesAndTheReservedName(@TempDir Path folder) {
        Path path = folder.resolve("f.safetensors");
        Map<String, HostTensor> tensors = Map.of("t", HostTensor.of(new float[1], 1));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, tensors, Map.of(), Dtype.I64))
                .hasMessageContaining("F32, F16 or BF16");
        Map<String, HostTensor> reserved = Map.of("__metadata__", HostTensor.of(new float[1], 1));
        assertThatThrownBy(() -> SafetensorsWriter.write(path, reserved, Map.of(), Dtype.F32))
                .hasMessageContaining("cannot be named");
        assertThat(path).doesNotExist();
    }
}
