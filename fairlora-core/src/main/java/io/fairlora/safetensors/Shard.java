package io.fairlora.safetensors;

import io.fairlora.ndarray.HostTensor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** One open file. */
final class Shard implements Closeable {

    private static final int PREFIX_BYTES = Long.BYTES;

    /** The limit of the reference implementation. */
    private static final long MAX_HEADER_BYTES = 100_000_000;

    /** A multiple of every element's size. */
    private static final int CHUNK_BYTES = 1 << 20;

    private final Path file;
    private final FileChannel channel;
    private final Header header;
    private final long dataStart;

    private Shard(Path file, FileChannel channel, Header header, long dataStart) {
        this.file = file;
        this.channel = channel;
        this.header = header;
        this.dataStart = dataStart;
    }

    static Shard open(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        try {
            long size = channel.size();
            if (size < PREFIX_BYTES) {
                throw new SafetensorsException(
                        file, "has " + size + " bytes, a safetensors file has at least 8");
            }
            long headerBytes =
                    read(file, channel, 0, PREFIX_BYTES).order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
                throw new SafetensorsException(
                        file,
                        "claims a header of "
                                + Long.toUnsignedString(headerBytes)
                                + " bytes, at most "
                                + MAX_HEADER_BYTES
                                + " are allowed (is it a safetensors file?)");
            }
            long dataStart = PREFIX_BYTES + headerBytes;
            if (dataStart > size) {
                throw new SafetensorsException(
                        file,
                        "claims a header of "
                                + headerBytes
                                + " bytes, but only "
                                + (size - PREFIX_BYTES)
                                + " follow (the file is cut short)");
            }
            byte[] json = read(file, channel, PREFIX_BYTES, (int) headerBytes).array();
            Header header = Header.parse(file, json, size - dataStart);
            return new Shard(file, channel, header, dataStart);
        } catch (IOException | RuntimeException e) {
            try {
                channel.close();
            } catch (IOException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    Header header() {
        return header;
    }

    HostTensor read(String name, TensorInfo info) throws IOException {
        long size = info.shape().size();
        if (size > Integer.MAX_VALUE - 8) {
            throw new SafetensorsException(
                    file,
                    "tensor " + name + " has " + size + " elements, more than a Java array holds");
        }
        float[] values = new float[(int) size];
        int width = info.dtype().bytes();
        int done = 0;
        while (done < values.length) {
            int count = Math.min(values.length - done, CHUNK_BYTES / width);
            long position = dataStart + info.begin() + (long) done * width;
            ByteBuffer bytes =
                    read(file, channel, position, count * width).order(ByteOrder.LITTLE_ENDIAN);
            widen(info.dtype(), bytes, values, done, count);
            done += count;
        }
        return HostTensor.of(values, info.shape().getShape());
    }

    private static void widen(Dtype dtype, ByteBuffer bytes, float[] values, int at, int count) {
        for (int i = at; i < at + count; i++) {
            values[i] =
                    switch (dtype) {
                        case BOOL -> bytes.get() == 0 ? 0f : 1f;
                        case U8 -> Byte.toUnsignedInt(bytes.get());
                        case I8 -> bytes.get();
                        case U16 -> Short.toUnsignedInt(bytes.getShort());
                        case I16 -> bytes.getShort();
                        case U32 -> Integer.toUnsignedLong(bytes.getInt());
                        case I32 -> bytes.getInt();
                        case U64 -> unsigned(bytes.getLong());
                        case I64 -> bytes.getLong();
                        case F16 -> HalfPrecision.fromHalf(bytes.getShort());
                        case BF16 -> HalfPrecision.fromBfloat16(bytes.getShort());
                        case F32 -> bytes.getFloat();
                        case F64 -> (float) bytes.getDouble();
                    };
        }
    }

    private static float unsigned(long value) {
        if (value >= 0) {
            return value;
        }
        // Halved with the lost bit kept sticky, so that the rounding to float happens once.
        return (float) ((value >>> 1) | (value & 1)) * 2f;
    }

    private static ByteBuffer read(Path file, FileChannel channel, long position, int count)
            throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) {
                throw new SafetensorsException(
                        file,
                        "ended at byte " + (position + buffer.position()) + " while being read");
            }
        }
        return buffer.flip();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
