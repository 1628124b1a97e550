package io.fairlora.vision.dataset;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The files that the rows of a list name, looked up one folder at a time. */
final class FilesOnDisk {

    private final Path root;
    private final Set<String> folders = new HashSet<>();
    private final Set<String> present = new HashSet<>();
    private final Set<String> listed = new HashSet<>();
    private final List<String> used = new ArrayList<>();
    private final List<String> absent = new ArrayList<>();
    private final List<String> duplicates = new ArrayList<>();

    FilesOnDisk(Path root) {
        this.root = root;
    }

    /**
     * Notes the next row of the list.
     *
     * @param name a path relative to the root
     * @return whether the row counts: its file is there and was not listed before
     */
    boolean add(String name) {
        if (!listed.add(name)) {
            duplicates.add(name);
            return false;
        }
        String folder = name.substring(0, name.lastIndexOf('/') + 1);
        if (folders.add(folder) && Files.isDirectory(root.resolve(folder))) {
            Listing.files(root.resolve(folder)).forEach(file -> present.add(folder + file));
        }
        if (!present.contains(name)) {
            absent.add(name);
            return false;
        }
        used.add(name);
        return true;
    }

    FileImages images() {
        return FileImages.of(root, used);
    }

    /** The report on all rows so far; refuses a list of which no file is there. */
    DatasetReport report(List<String> malformed) {
        if (used.isEmpty()) {
            throw new DatasetException(
                    String.format(
                            "%s: holds none of the %d images that the list names",
                            FileImages.label(root), listed.size()));
        }
        List<String> unlisted = new ArrayList<>();
        for (String file : new TreeSet<>(present)) {
            if (Listing.isImage(file) && !listed.contains(file)) {
                unlisted.add(file);
            }
        }
        return DatasetReport.ofListing(used.size(), malformed, absent, unlisted, duplicates);
    }
}
