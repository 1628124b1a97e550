package io.fairlora.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {

    @TempDir Path folder;

    private static byte[] bytes(String header, byte... data) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .put(data)
                .array();
    }

    private Path file(String header, byte... data) throws IOException {
        return Files.write(folder.resolve("f.safetensors"), bytes(header, data));
    }

    private static String quoted(String header) {
        return header.replace('\'', '"');
    }

    @Test
    void readsEveryType() throws IOException {
        String header =
                """
                {"bool":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]},
                 "u8":{"dtype":"U8","shape":[1],"data_offsets":[3,4]},
                 "i8":{"dtype":"I8","shape":[1],"data_offsets":[4,5]},
                 "u16":{"dtype":"U16","shape":[1],"data_offsets":[5,7]},
                 "i16":{"dtype":"I16","shape":[1],"data_offsets":[7,9]},
                 "u32":{"dtype":"U32","shape":[1],"data_offsets":[9,13]},
                 "i32":{"dtype":"I32","shape":[1],"data_offsets":[13,17]},
                 "u64":{"dtype":"U64","shape":[2],"data_offsets":[17,33]},
                 "i64":{"dtype":"I64","shape":[1],"data_offsets":[33,41]},
                 "f16":{"dtype":"F16","shape":[1],"data_offsets":[41,43]},
                 "bf16":{"dtype":"BF16","shape":[1],"data_offsets":[43,45]},
                 "f32":{"dtype":"F32","shape":[1],"data_offsets":[45,49]},
                 "f64":{"dtype":"F64","shape":[],"data_offsets":[49,57]},
                 "empty":{"dtype":"F64","shape":[2,0,3],"data_offsets":[57,57]}}
                """;
        ByteBuffer data = ByteBuffer.allocate(57).order(ByteOrder.LITTLE_ENDIAN);
        data.put((byte) 0).put((byte) 1).put((byte) 2).put((byte) 200).put((byte) -100);
        data.putShort((short) 60000).putShort((short) -30000);
        data.putInt((int) 4_000_000_000L).putInt(-2_000_000_000);
        data.putLong(-1).putLong(0x8000008000000001L).putLong(-5);
        data.putShort((short) 0x3e00).putShort((short) 0xbfc0);
        data.putFloat(0.1f).putDouble(0.1);
        try (SafetensorsFile file = SafetensorsFile.open(file(header, data.array()))) {
            assertThat(file.names()).startsWith("bool", "u8").endsWith("f64", "empty");
            assertThat(file.read("bool").toArray()).containsExactly(0, 1, 1);
            assertThat(file.read("u8").toArray()).containsExactly(200);
            assertThat(file.read("i8").toArray()).containsExactly(-100);
            assertThat(file.read("u16").toArray()).containsExactly(60000);
            assertThat(file.read("i16").toArray()).containsExactly(-30000);
            assertThat(file.read("u32").toArray()).containsExactly(4e9f);
            assertThat(file.read("i32").toArray()).containsExactly(-2e9f);
            // Just above halfway between two floats: halving first must not lose the last bit.
            assertThat(file.read("u64").toArray()).containsExactly(0x1p64f, Math.nextUp(0x1p63f));
            assertThat(file.read("i64").toArray()).containsExactly(-5);
            assertThat(file.read("f16").toArray()).containsExactly(1.5f);
            assertThat(file.read("bf16").toArray()).containsExactly(-1.5f);
            assertThat(file.read("f32").toArray()).containsExactly(0.1f);
            assertThat(file.read("f64")).isEqualTo(HostTensor.of(new float[] {0.1f}));
            assertThat(file.read("empty").shape()).isEqualTo(new Shape(2, 0, 3));
            assertThat(file.info("i64")).isEqualTo(new TensorInfo(Dtype.I64, new Shape(1), 33, 41));
            assertThat(file.metadata()).isEmpty();
            assertThatThrownBy(() -> file.read("no")).hasMessageContaining("no tensor no");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "[]                                                            | start with '{'",
                "' {}'                                                         | start with '{'",
                "{                                                             | not valid JSON",
                "{'a':}                                                        | not valid JSON",
                "{} {}                                                         | something follows",
                "{'a':1}                                                       | expected START_OBJECT",
                "{'__metadata__':{'k':1}}                                      | expected VALUE_STRING",
                "{'__metadata__':{'k':'v','k':'w'}}                            | Duplicate field 'k'",
                "{'a':{'dtype':'F32','shape':[1]}}                             | lacks one of",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'x':0}}  | unknown field x",
                "{'a':{'dtype':'F32','dtype':'F32','shape':[1],'data_offsets':[0,4]}}"
                        + " | Duplicate field 'dtype'",
                "{'a':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}}        | unknown type F31",
                "{'a':{'dtype':'f32','shape':[1],'data_offsets':[0,4]}}        | unknown type f32",
                "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}       | negative -1",
                "{'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}      | whole numbers",
                "{'a':{'dtype':'F32','shape':[null],'data_offsets':[0,4]}}     | whole numbers",
                "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,4]}}"
                        + " | out of range",
                "{'a':{'dtype':'F32','shape':[4611686018427387904,4],'data_offsets':[0,4]}}"
                        + " | impossible shape",
                "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}        | needs 8 bytes",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}        | data_offsets",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,2,4]}}      | data_offsets",
                "{'a':{'dtype':'F32','shape':[1],'data_offsets':[-4,0]}}       | negative -4",
                "{'a':{'dtype':'U8','shape':[3],'data_offsets':[1,4]}}         | (gap)",
                "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]}}"
                        + " | describes 3 bytes of data, but 4 follow",
                "{'a':{'dtype':'U8','shape':[5],'data_offsets':[0,5]}}         | cut short",
                "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]},"
                        + "'b':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}} | (overlap)",
                "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},"
                        + "'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}"
                        + " | Duplicate field 'a'",
                "{}                                                            | but 4 follow",
            })
    void refusesAMalformedHeader(String header, String message) throws IOException {
        Path file = file(quoted(header.startsWith("' ") ? " {}" : header), new byte[4]);
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void refusesAHeaderThatIsNotUtf8() throws IOException {
        byte[] utf16 = "{}".getBytes(StandardCharsets.UTF_16LE);
        byte[] latin1 = "{\"\u00e9\":1}".getBytes(StandardCharsets.ISO_8859_1);
        for (byte[] json : List.of(utf16, latin1)) {
            Path file = folder.resolve("f.safetensors");
            Files.write(
                    file,
                    ByteBuffer.allocate(8 + json.length)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(json.length)
                            .put(json)
                            .array());
            assertThatThrownBy(() -> SafetensorsFile.open(file))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("not valid");
        }
    }

    @ParameterizedTest
    @CsvSource({"-1", "100000001", "9223372036854775807", "1000"})
    void refusesAHeaderLengthBeyondTheFile(long length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(100).order(ByteOrder.LITTLE_ENDIAN);
        Path file = Files.write(folder.resolve("f"), bytes.putLong(0, length).array());
        assertThatThrownBy(() -> SafetensorsFile.open(file))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageContaining("claims a header of");
    }

    @Test
    void refusesAFileCutShortAtAnyByte() throws IOException {
        Path whole = folder.resolve("whole.safetensors");
        SafetensorsWriter.write(
                whole,
                Map.of("a", HostTensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)),
                Map.of("format", "pt"),
                Dtype.F32);
        byte[] bytes = Files.readAllBytes(whole);
        for (int length = 0; length < bytes.length; length++) {
            Path cut = Files.write(folder.resolve("cut"), Arrays.copyOf(bytes, length));
            assertThatThrownBy(() -> SafetensorsFile.open(cut))
                    .as("cut to %s of %s bytes", length, bytes.length)
                    .isInstanceOf(SafetensorsException.class);
        }
    }

    @Test
    void noticesAFileThatShrinksWhileOpen() throws IOException {
        Path path = folder.resolve("f.safetensors");
        SafetensorsWriter.write(
                path, Map.of("a", HostTensor.of(new float[4], 4)), Map.of(), Dtype.F32);
        try (SafetensorsFile file = SafetensorsFile.open(path);
                FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(path) - 1);
            assertThatThrownBy(() -> file.read("a"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("while being read");
        }
    }

    @Test
    void readsBehindTwoGibibytes() throws IOException {
        long big = 3_000_000_000L;
        String header =
                quoted(
                        "{'big':{'dtype':'U8','shape':["
                                + big
                                + "],'data_offsets':[0,"
                                + big
                                + "]},'last':{'dtype':'F32','shape':[2],'data_offsets':["
                                + big
                                + ","
                                + (big + 8)
                                + "]}}");
        Path path = file(header);
        // The hole takes no room on a disk that knows sparse files.
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            sparse.seek(sparse.length() + big);
            sparse.writeInt(Integer.reverseBytes(Float.floatToRawIntBits(1.5f)));
            sparse.writeInt(Integer.reverseBytes(Float.floatToRawIntBits(-2f)));
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.read("last").toArray()).containsExactly(1.5f, -2f);
            assertThatThrownBy(() -> file.read("big"))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessageContaining("more than a Java array holds");
        } finally {
            Files.delete(path);
        }
    }

    @Test
    void readsShardsThroughTheirIndex() throws IOException {
        HostTensor a = HostTensor.of(new float[] {1, 2}, 2);
        HostTensor b = HostTensor.of(new float[] {3}, 1);
        SafetensorsWriter.write(
                folder.resolve("m-1.safetensors"), Map.of("a", a), Map.of("k", "v"), Dtype.F32);
        SafetensorsWriter.write(
                folder.resolve("m-2.safetensors"), Map.of("b", b), Map.of(), Dtype.F32);
        Path index = folder.resolve("m.safetensors.index.json");
        String good = "{'weight_map':{'a':'m-1.safetensors','b':'m-2.safetensors'}}";
        Files.writeString(index, quoted(good));
        try (SafetensorsFile file = SafetensorsFile.open(index)) {
            assertThat(file.names()).containsExactly("a", "b");
            assertThat(file.read("a")).isEqualTo(a);
            assertThat(file.read("b")).isEqualTo(b);
            assertThat(file.metadata()).containsExactly(Map.entry("k", "v"));
        }
        refusesIndex(index, good.replace("'b'", "'c'"), "does not place tensor b");
        refusesIndex(
                index,
                good.replace("'b':", "'c':'m-2.safetensors','b':"),
                "places tensor c in m-2.safetensors, which lacks it");
        refusesIndex(index, good.replace("m-2", "../m-2"), "beside the index");
        refusesIndex(index, good.replace("m-2", "/tmp/m-2"), "beside the index");
        refusesIndex(index, good.replace("'m-2.safetensors'", "2"), "beside the index");
        refusesIndex(
                index, good.replace("m-2", "m-3"), "names the file m-3.safetensors, which is not");
        refusesIndex(index, good.replace("'b'", "'a'"), "not valid JSON: Duplicate");
        refusesIndex(index, "{}", "weight_map");
        refusesIndex(index, "{'weight_map':{}}", "or it is empty");
        refusesIndex(index, "{", "not valid JSON");
        refusesIndex(index, "", "weight_map");
        // The second file holds a tensor that the first one has, too.
        SafetensorsWriter.write(
                folder.resolve("m-2.safetensors"), Map.of("a", a, "b", b), Map.of(), Dtype.F32);
        refusesIndex(
                index,
                good,
                "places tensor a in m-1.safetensors, but m-2.safetensors holds one of that name");
    }

    private static void refusesIndex(Path index, String json, String message) throws IOException {
        Files.writeString(index, quoted(json));
        assertThatThrownBy(() -> SafetensorsFile.open(index))
                .isInstanceOf(SafetensorsException.class)
                .hasMessageStartingWith(index + ": ")
                .hasMessageContaining(message);
    }
}
