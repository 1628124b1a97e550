package io.fairlora.examples;

import io.fairlora.vision.hub.Hub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Where a model is that the command line names. */
final class ModelPlace {

    private ModelPlace() {}

    /**
     * Finds a model: a directory or file of that path, else a model of the hub of that name.
     *
     * @param name the path or the name
     * @param download whether the hub may be asked
     * @return the directory or file
     * @throws IOException if there is neither
     */
    static Path of(String name, boolean download) throws IOException {
        Path path = Path.of(name);
        if (Files.exists(path)) {
            return path;
        }
        Hub hub =
                Hub.builder()
                        .download(download)
                        .listener(
                                (file, done, total) -> {
                                    double part = total > 0 ? 100.0 * done / total : 0;
                                    System.err.printf(Locale.ROOT, "\r%s %.0f %%", file, part);
                                    if (done == total) {
                                        System.err.println();
                                    }
                                })
                        .build();
        try {
            return hub.model(name);
        } catch (IllegalArgumentException e) {
            throw new IOException(
                    name + " is neither a directory nor the name of a model on the hub", e);
        }
    }
}
