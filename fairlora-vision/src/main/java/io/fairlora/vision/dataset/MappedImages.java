package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import io.fairlora.lora.InputSpec;
import io.fairlora.training.ForwardingImages;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.UUID;
import java.util.function.IntConsumer;

/**
 * Images decoded once, for one size, into a file that later epochs and runs map into memory. Asked
 * for another size it reads the images anew, so the pixels are those of the wrapped images in any
 * case.
 *
 * <p>The file begins with a digest of what it was made from: the names of the images in their
 * order, each one's size in bytes and time of change, how they are decoded, and the size asked for.
 * If any of it is another the file is made anew. It appears under its name only when it is
 * complete. Safe for use from several threads and processes.
 */
public final class MappedImages extends ForwardingImages {

    private static final byte[] MAGIC = "FairLoRA pixels 1\n".getBytes(StandardCharsets.US_ASCII);
    private static final int DIGEST = 32;
    private static final int HEADER = 64;

    /** Java maps at most 2 GiB at once. */
    private static final long MAP_BYTES = 1L << 30;

    private final InputSpec spec;
    private final MappedByteBuffer[] maps;
    private final int imagesPerMap;

    private MappedImages(Images images, InputSpec spec, MappedByteBuffer[] maps, int imagesPerMap) {
        super(images);
        this.spec = spec;
        this.maps = maps;
        this.imagesPerMap = imagesPerMap;
    }

    /**
     * Maps a file of pixels; makes it first if it is not there or was made from something else.
     *
     * @param images the images: {@link FileImages}, such as those of a {@link FaceDataset} on disk
     *     or of a selection from it
     * @param spec the size to keep
     * @param file the file, which takes {@code images.size() * spec.bytes()} bytes and a few; one
     *     that holds something else than pixels is left alone
     * @param threads how many threads read, at least 1
     * @param listener told the number of images read so far, one call after the other from the
     *     reading threads, each number from 1 to {@code images.size()} once and in order; not told
     *     anything if nothing is read
     * @return the images
     * @throws ImageReadException if an image cannot be read; then the file is as it was
     * @throws UncheckedIOException if the file cannot be written or mapped; then it is as it was
     * @throws IllegalArgumentException if there is no thread, the images are not in files, or the
     *     file holds something else
     */
    public static MappedImages of(
            Images images, InputSpec spec, Path file, int threads, IntConsumer listener) {
        return of(images, spec, file, threads, listener, MAP_BYTES);
    }

    static MappedImages of(
            Images images,
            InputSpec spec,
            Path file,
            int threads,
            IntConsumer listener,
            long mapBytes) {
        checkArgument(threads >= 1, "threads must be at least 1, found %s", threads);
        checkArgument(
                images instanceof FileImages,
                "only of images in files it is known when they change, found %s",
                images.getClass().getSimpleName());
        FileImages files = (FileImages) images;
        try {
            byte[] header = header(files, spec);
            if (!isCurrent(file, header, files.size(), spec)) {
                write(files, spec, file, header, threads, listener);
            }
            return map(files, spec, file, (int) Math.max(1, mapBytes / spec.bytes()));
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be written or read", e);
        }
    }

    private static byte[] header(FileImages images, InputSpec spec) {
        Hasher hasher = Hashing.sha256().newHasher();
        hasher.putUnencodedChars(spec.toString());
        images.fingerprint(hasher);
        byte[] header = Arrays.copyOf(MAGIC, HEADER);
        hasher.hash().writeBytesTo(header, HEADER - DIGEST, DIGEST);
        return header;
    }

    private static long length(int images, InputSpec spec) {
        return HEADER + (long) images * spec.bytes();
    }

    private static boolean isCurrent(Path file, byte[] header, int images, InputSpec spec)
            throws IOException {
        if (!Files.exists(file)) {
            return false;
        }
        byte[] found = new byte[HEADER];
        try (InputStream input = Files.newInputStream(file)) {
            input.readNBytes(found, 0, HEADER);
        }
        checkArgument(
                Arrays.equals(found, 0, MAGIC.length, MAGIC, 0, MAGIC.length),
                "%s holds something else than pixels, choose another file",
                file);
        return Arrays.equals(found, header) && Files.size(file) == length(images, spec);
    }

    private static void write(
            FileImages images,
            InputSpec spec,
            Path file,
            byte[] header,
            int threads,
            IntConsumer listener)
            throws IOException {
        Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent());
        Files.createDirectories(folder);
        Path made = folder.resolve("." + file.getFileName() + "." + UUID.randomUUID());
        try {
            try (FileChannel channel =
                    FileChannel.open(
                            made, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                writeAt(channel, header, 0);
                ParallelReads.run(
                        images.size(),
                        threads,
                        i -> {
                            byte[] pixels = new byte[spec.bytes()];
                            images.read(i, spec, pixels, 0);
                            try {
                                writeAt(channel, pixels, HEADER + (long) i * spec.bytes());
                            } catch (IOException e) {
                                throw new UncheckedIOException(made + ": cannot be written", e);
                            }
                        },
                        listener);
                channel.force(true);
            }
            Files.move(
                    made,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(made);
        }
    }

    private static void writeAt(FileChannel channel, byte[] bytes, long position)
            throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer, position + buffer.position());
        }
    }

    private static MappedImages map(FileImages images, InputSpec spec, Path file, int perMap)
            throws IOException {
        int count = (images.size() + perMap - 1) / perMap;
        MappedByteBuffer[] maps = new MappedByteBuffer[count];
        try (FileChannel channel = FileChannel.open(file)) {
            for (int m = 0; m < count; m++) {
                long from = (long) m * perMap;
                long held = Math.min(perMap, images.size() - from);
                maps[m] =
                        channel.map(
                                FileChannel.MapMode.READ_ONLY,
                                HEADER + from * spec.bytes(),
                                held * spec.bytes());
            }
        }
        return new MappedImages(images, spec, maps, perMap);
    }

    @Override
    public void read(int index, InputSpec asked, byte[] target, int offset) {
        Objects.checkIndex(index, size());
        if (asked.equals(spec)) {
            maps[index / imagesPerMap].get(
                    index % imagesPerMap * spec.bytes(), target, offset, spec.bytes());
        } else {
            super.read(index, asked, target, offset);
        }
    }
}
