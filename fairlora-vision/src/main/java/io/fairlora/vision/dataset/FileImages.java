package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hasher;
import io.fairlora.training.ImageReadException;
import io.fairlora.vision.transform.ImageDecoder;
import io.fairlora.vision.transform.RgbImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.ClosedFileSystemException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import java.util.zip.ZipError;

/**
 * Images in files, or in a zip archive that is not unpacked: decoded, cropped if asked for, and
 * resized whenever one is read. Immutable. An archive is closed by the {@link FaceDataset} that
 * opened it.
 */
public final class FileImages implements RgbImages {

    /** Archives to be closed here; a file system of the caller's is the caller's to close. */
    private static final Set<FileSystem> OPENED =
            Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

    private final Path folder;
    private final List<String> names;
    private final ImageDecoder decoder;
    private final double heightFraction;
    private final double widthFraction;

    private FileImages(
            Path folder,
            List<String> names,
            ImageDecoder decoder,
            double heightFraction,
            double widthFraction) {
        this.folder = folder;
        this.names = names;
        this.decoder = decoder;
        this.heightFraction = heightFraction;
        this.widthFraction = widthFraction;
    }

    /**
     * Files of one folder, turned upright as their Exif orientation says.
     *
     * @param folder the folder
     * @param names the files' paths relative to the folder, which also name them in messages
     * @return the images, in that order; no file is opened yet
     */
    public static FileImages of(Path folder, List<String> names) {
        return new FileImages(folder, List.copyOf(names), ImageDecoder.UPRIGHT, 1, 1);
    }

    /**
     * Any files, turned upright as their Exif orientation says.
     *
     * @param files the files, whose paths also name them in messages
     * @return the images, in that order; no file is opened yet
     */
    public static FileImages of(List<Path> files) {
        return of(Path.of(""), files.stream().map(Path::toString).toList());
    }

    /**
     * The top folder of a zip archive, in which files are read as in any other; the archive is open
     * until it is {@linkplain #closeArchive closed} or nothing refers to it any more.
     *
     * @param zip the archive
     * @return its folder
     * @throws DatasetException if it is no zip archive
     */
    static Path inZip(Path zip) {
        try {
            FileSystem archive = FileSystems.newFileSystem(zip);
            OPENED.add(archive);
            return archive.getRootDirectories().iterator().next();
        } catch (IOException | ZipError | UnsupportedOperationException e) {
            throw new DatasetException(zip + ": is not a zip archive: " + e.getMessage(), e);
        }
    }

    /** Closes the archive that a folder lies in, if {@link #inZip} opened it. */
    static void closeArchive(Path folder) {
        FileSystem system = folder.getFileSystem();
        if (!OPENED.remove(system)) {
            return;
        }
        try {
            system.close();
        } catch (IOException e) {
            throw new UncheckedIOException(system + ": cannot be closed", e);
        }
    }

    /** Where the files lie. */
    Path folder() {
        return folder;
    }

    /**
     * The same files decoded otherwise.
     *
     * @param other the decoder
     * @return the images
     */
    public FileImages withDecoder(ImageDecoder other) {
        return new FileImages(folder, names, other, heightFraction, widthFraction);
    }

    /**
     * The same files, each cut to its middle before it is resized.
     *
     * @param ofHeight the part of the rows to keep, in (0, 1]
     * @param ofWidth the part of the columns to keep, in (0, 1]
     * @return the images
     * @throws IllegalArgumentException if a fraction is outside (0, 1]
     */
    public FileImages withCentreCrop(double ofHeight, double ofWidth) {
        checkArgument(
                ofHeight > 0 && ofHeight <= 1 && ofWidth > 0 && ofWidth <= 1,
                "fractions must be above 0 and at most 1, found %s of the height and %s of the"
                        + " width",
                ofHeight,
                ofWidth);
        return new FileImages(folder, names, decoder, ofHeight, ofWidth);
    }

    /**
     * {@inheritDoc}
     *
     * @return files again
     */
    @Override
    public FileImages select(int[] indices) {
        List<String> picked = new ArrayList<>(indices.length);
        for (int index : indices) {
            picked.add(names.get(index));
        }
        return new FileImages(folder, List.copyOf(picked), decoder, heightFraction, widthFraction);
    }

    @Override
    public int size() {
        return names.size();
    }

    @Override
    public String name(int index) {
        return names.get(index);
    }

    /**
     * {@inheritDoc}
     *
     * @return how the files are decoded and what is cut out of them
     */
    @Override
    public String describe() {
        boolean whole = heightFraction == 1 && widthFraction == 1;
        return whole
                ? decoder.toString()
                : decoder + ", the middle " + heightFraction + " x " + widthFraction;
    }

    /**
     * The file of an image.
     *
     * @param index the image, in {@code [0, size())}
     * @return its path; in a zip archive one of the archive's own file system
     */
    public Path file(int index) {
        return folder.resolve(names.get(index));
    }

    @Override
    public RgbImage image(int index) {
        return decode(index, content(index));
    }

    /**
     * The bytes of a file.
     *
     * @throws ImageReadException if there is no such file, it cannot be read, its checksum in an
     *     archive is another, or the archive was closed
     */
    byte[] content(int index) {
        Path file = file(index);
        try {
            byte[] content = Files.readAllBytes(file);
            if (isInZip() && checksum(content) != (long) Files.getAttribute(file, "zip:crc")) {
                throw new ImageReadException(
                        label(index) + ": is damaged: the archive has another checksum for it",
                        null);
            }
            return content;
        } catch (NoSuchFileException e) {
            throw new ImageReadException(label(index) + ": there is no such file", e);
        } catch (ClosedFileSystemException | ClosedChannelException e) {
            throw new ImageReadException(
                    label(index) + ": cannot be read: its data set was closed", e);
        } catch (IOException e) {
            throw new ImageReadException(label(index) + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Puts in what the pixels depend on: names, sizes and times of change of the files, in an
     * archive their checksums, and how they are decoded.
     *
     * @throws ImageReadException if there is no such file
     */
    void fingerprint(Hasher hasher) {
        hasher.putUnencodedChars(decoder.toString());
        hasher.putDouble(heightFraction).putDouble(widthFraction);
        for (int i = 0; i < names.size(); i++) {
            Path file = file(i);
            try {
                BasicFileAttributes attributes =
                        Files.readAttributes(file, BasicFileAttributes.class);
                hasher.putInt(name(i).length()).putUnencodedChars(name(i));
                hasher.putLong(attributes.size());
                if (isInZip()) {
                    hasher.putLong((long) Files.getAttribute(file, "zip:crc"));
                }
                hasher.putLong(attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS));
            } catch (NoSuchFileException e) {
                throw new ImageReadException(label(i) + ": there is no such file", e);
            } catch (IOException e) {
                throw new ImageReadException(label(i) + ": cannot be read: " + e.getMessage(), e);
            }
        }
    }

    /** Decodes the bytes of a file and cuts out the middle. */
    RgbImage decode(int index, byte[] content) {
        return decoder.decode(content, label(index)).centreCrop(heightFraction, widthFraction);
    }

    private boolean isInZip() {
        return folder.getFileSystem() != FileSystems.getDefault();
    }

    private static long checksum(byte[] content) {
        CRC32 checksum = new CRC32();
        checksum.update(content);
        return checksum.getValue();
    }

    private String label(int index) {
        return label(file(index));
    }

    /** What a message calls a file; a path in an archive does not tell which one. */
    static String label(Path file) {
        FileSystem system = file.getFileSystem();
        return system == FileSystems.getDefault() ? file.toString() : system + "!" + file;
    }
}
