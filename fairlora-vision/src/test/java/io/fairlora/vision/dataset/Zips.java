package io.fairlora.vision.dataset;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Archives for the tests of this package. */
final class Zips {

    private Zips() {}

    /** Packs files of a folder uncompressed, as archives of JPEG files are. */
    static void write(Path zip, Path folder, String... names) throws IOException {
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : names) {
                byte[] content = Files.readAllBytes(folder.resolve(name));
                CRC32 checksum = new CRC32();
                checksum.update(content);
                ZipEntry entry = new ZipEntry(name);
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(content.length);
                entry.setCrc(checksum.getValue());
                out.putNextEntry(entry);
                out.write(content);
            }
        }
    }

    /** Whether this process holds a file open; the test ends where that cannot be seen. */
    static boolean isOpen(Path file) throws IOException {
        Path handles = Path.of("/proc/self/fd");
        assumeTrue(Files.isDirectory(handles), "skipped: open files are seen on Linux only");
        try (Stream<Path> all = Files.list(handles)) {
            return all.anyMatch(
                    handle -> {
                        try {
                            return Files.readSymbolicLink(handle).equals(file.toRealPath());
                        } catch (IOException e) {
                            return false; // closed meanwhile
                        }
                    });
        }
    }

    /** Where a text first stands in bytes. */
    static int find(byte[] bytes, String text) {
        return new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    }
}
