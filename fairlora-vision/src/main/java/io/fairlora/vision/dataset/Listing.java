package io.fairlora.vision.dataset;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Folders as they lie on disk. */
final class Listing {

    private static final List<String> ENDINGS = List.of(".jpg", ".jpeg", ".png", ".webp");

    private Listing() {}

    /**
     * The names of a folder's files in sorted order, without hidden ones; one pass over the folder,
     * as asking for each of 200,000 files takes long.
     */
    static List<String> files(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new DatasetException(folder + ": there is no such folder");
        }
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (!name.startsWith(".")) {
                    names.add(name);
                }
            }
        } catch (IOException e) {
            throw new DatasetException(folder + ": cannot be listed: " + e.getMessage(), e);
        }
        names.sort(null);
        return names;
    }

    static boolean isImage(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return ENDINGS.stream().anyMatch(lower::endsWith);
    }
}
