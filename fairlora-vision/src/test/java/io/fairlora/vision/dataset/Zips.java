package io.fairlora.vision.dataset;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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

    /** Where a text first stands in bytes. */
    static int find(byte[] bytes, String text) {
        return new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    }
}
