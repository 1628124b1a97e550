package io.fairlora.lora;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Writes a directory of files that appears whole or not at all. */
public final class AtomicDirectory {

    private AtomicDirectory() {}

    /** What fills the directory. */
    @FunctionalInterface
    public interface Content {

        /**
         * Writes the files.
         *
         * @param directory an empty directory
         * @throws IOException if a file cannot be written
         */
        void writeTo(Path directory) throws IOException;
    }

    /**
     * Fills a new directory beside the target, then puts it in the target's place. A directory that
     * was there is replaced only if the new one has every file of it, so that nothing of another
     * kind is lost. Between taking away the old directory and moving in the new, which is two
     * renames, both are complete but under names that begin with a dot.
     *
     * @param target the directory to write; its parents are made if need be
     * @param content what fills it
     * @throws FileAlreadyExistsException if the target is a file, or holds one that the new
     *     directory lacks
     * @throws IOException if {@code content} fails or a file cannot be written; the target is then
     *     as it was
     */
    public static void write(Path target, Content content) throws IOException {
        Path place =
                Files.exists(target) ? target.toRealPath() : target.toAbsolutePath().normalize();
        Path parent = place.getParent();
        if (parent == null || (Files.exists(place) && !Files.isDirectory(place))) {
            throw new FileAlreadyExistsException(
                    target.toString(), null, "is not a directory that can be written");
        }
        Files.createDirectories(parent);
        String hidden = "." + place.getFileName() + "." + UUID.randomUUID();
        Path staging = Files.createDirectory(parent.resolve(hidden));
        Path old = parent.resolve(hidden + ".old");
        try {
            content.writeTo(staging);
            force(staging);
            if (Files.exists(place)) {
                checkReplaces(place, staging);
                Files.move(place, old, StandardCopyOption.ATOMIC_MOVE);
            }
            try {
                Files.move(staging, place, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                if (Files.exists(old)) {
                    Files.move(old, place, StandardCopyOption.ATOMIC_MOVE);
                }
                throw e;
            }
            delete(old);
        } finally {
            delete(staging);
        }
    }

    private static void checkReplaces(Path old, Path replacement) throws IOException {
        Set<String> kept = names(replacement);
        for (String name : names(old)) {
            if (!kept.contains(name)) {
                throw new FileAlreadyExistsException(
                        old.toString(),
                        null,
                        "holds " + name + ", which would be lost; choose another directory");
            }
        }
    }

    private static Set<String> names(Path directory) throws IOException {
        try (Stream<Path> entries = Files.walk(directory)) {
            return entries.map(entry -> directory.relativize(entry).toString())
                    .collect(Collectors.toSet());
        }
    }

    /** Brings the files' bytes to the disk. */
    private static void force(Path directory) throws IOException {
        for (String name : names(directory)) {
            Path file = directory.resolve(name);
            if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
            }
        }
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (Stream<Path> entries = Files.walk(directory)) {
            for (Path entry : entries.sorted((a, b) -> b.compareTo(a)).toList()) {
                Files.delete(entry);
            }
        }
    }
}
