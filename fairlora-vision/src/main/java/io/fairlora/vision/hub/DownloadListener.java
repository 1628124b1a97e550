package io.fairlora.vision.hub;

/** Told how far a download is. */
@FunctionalInterface
public interface DownloadListener {

    /** Listens to nothing. */
    DownloadListener SILENT = (file, done, total) -> {};

    /**
     * Called at the beginning of a file, after each piece of it, and at its end.
     *
     * @param file the name of the file in the model
     * @param done how many bytes there are by now, those of an earlier attempt included
     * @param total how many there are going to be
     */
    void progress(String file, long done, long total);
}
