package io.fairlora.safetensors;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.fairlora.ndarray.HostTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/** Writes safetensors files whose bytes depend on their content alone. */
public final class SafetensorsWriter {

    private static final JsonFactory JSON = new JsonFactory();
    private static final int ALIGNMENT = 8;
    private static final int CHUNK_BYTES = 1 << 20;

    private SafetensorsWriter() {}

    /**
     * Writes a file. The file appears whole or not at all; one that was there is replaced at once.
     *
     * @param file where to; its folder exists
     * @param tensors by name; they lie in the file in the order of this map
     * @param metadata free-form strings, written in the order of their keys; may be empty
     * @param dtype {@code F32}, {@code F16} or {@code BF16}; elements are rounded to the nearest,
     *     ties to even
     * @throws IllegalArgumentException if {@code dtype} is another, a tensor is named {@code
     *     __metadata__}, or a finite element would become infinite
     * @throws IOException if the file cannot be written
     */
    public static void write(
            Path file, Map<String, HostTensor> tensors, Map<String, String> metadata, Dtype dtype)
            throws IOException {
        checkArgument(
                dtype == Dtype.F32 || dtype == Dtype.F16 || dtype == Dtype.BF16,
                "tensors are written as F32, F16 or BF16, found %s",
                dtype);
        checkArgument(
                !tensors.containsKey(Header.METADATA),
                "a tensor cannot be named %s",
                Header.METADATA);
        byte[] header = header(tensors, metadata, dtype);
        Path folder = file.toAbsolutePath().getParent();
        checkArgument(folder != null, "%s is not a file", file);
        Path temporary = folder.resolve("." + file.getFileName() + "." + UUID.randomUUID());
        try {
            try (FileChannel channel =
                    FileChannel.open(
                            temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                writeFully(channel, prefix.putLong(header.length).flip());
                writeFully(channel, ByteBuffer.wrap(header));
                for (Map.Entry<String, HostTensor> entry : tensors.entrySet()) {
                    writeTensor(channel, entry.getKey(), entry.getValue(), dtype);
                }
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static byte[] header(
            Map<String, HostTensor> tensors, Map<String, String> metadata, Dtype dtype)
            throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(Header.METADATA);
                for (Map.Entry<String, String> entry : new TreeMap<>(metadata).entrySet()) {
                    json.writeStringField(entry.getKey(), entry.getValue());
                }
                json.writeEndObject();
            }
            long position = 0;
            for (Map.Entry<String, HostTensor> entry : tensors.entrySet()) {
                HostTensor tensor = entry.getValue();
                long[] shape = tensor.shape().getShape();
                long end = position + (long) tensor.size() * dtype.bytes();
                json.writeObjectFieldStart(entry.getKey());
                json.writeStringField("dtype", dtype.name());
                json.writeFieldName("shape");
                json.writeArray(shape, 0, shape.length);
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {position, end}, 0, 2);
                json.writeEndObject();
                position = end;
            }
            json.writeEndObject();
        }
        while (bytes.size() % ALIGNMENT != 0) {
            bytes.write(' ');
        }
        return bytes.toByteArray();
    }

    private static void writeTensor(
            FileChannel channel, String name, HostTensor tensor, Dtype dtype) throws IOException {
        ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < tensor.size(); i++) {
            if (chunk.remaining() < dtype.bytes()) {
                writeFully(channel, chunk.flip());
                chunk.clear();
            }
            float value = tensor.get(i);
            if (dtype == Dtype.F32) {
                chunk.putFloat(value);
                continue;
            }
            short bits;
            float rounded;
            if (dtype == Dtype.F16) {
                bits = HalfPrecision.toHalf(value);
                rounded = HalfPrecision.fromHalf(bits);
            } else {
                bits = HalfPrecision.toBfloat16(value);
                rounded = HalfPrecision.fromBfloat16(bits);
            }
            checkArgument(
                    Float.isInfinite(value) || !Float.isInfinite(rounded),
                    "tensor %s holds %s, beyond the range of %s",
                    name,
                    value,
                    dtype);
            chunk.putShort(bits);
        }
        writeFully(channel, chunk.flip());
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
