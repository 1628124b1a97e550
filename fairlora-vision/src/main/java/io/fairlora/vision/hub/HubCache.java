package io.fairlora.vision.hub;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * The local cache of the Hugging Face hub, in the layout of its own client:
 *
 * <pre>
 * models--OWNER--NAME/
 *   refs/main                         the commit that a branch or tag stands for
 *   snapshots/COMMIT/config.json      a link to ../../blobs/ETAG
 *   blobs/ETAG                        the content of a file
 * </pre>
 */
public final class HubCache {

    private final Path directory;

    private HubCache(Path directory) {
        this.directory = directory;
    }

    /**
     * The cache of the current user, where the hub's own client has it: {@code HF_HUB_CACHE}, or
     * {@code HF_HOME/hub}, or {@code ~/.cache/huggingface/hub}.
     *
     * @return the cache, whose directory need not exist
     */
    public static HubCache standard() {
        return of(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /** The cache that environment variables name. */
    static HubCache of(Map<String, String> environment, Path home) {
        for (String variable : new String[] {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
            String value = environment.getOrDefault(variable, "");
            if (!value.isBlank()) {
                return of(expand(value, home));
            }
        }
        String hub = environment.getOrDefault("HF_HOME", "");
        if (!hub.isBlank()) {
            return of(expand(hub, home).resolve("hub"));
        }
        String cache = environment.getOrDefault("XDG_CACHE_HOME", "");
        Path base = cache.isBlank() ? home.resolve(".cache") : expand(cache, home);
        return of(base.resolve("huggingface").resolve("hub"));
    }

    private static Path expand(String path, Path home) {
        return path.equals("~") || path.startsWith("~/")
                ? home.resolve(path.substring(Math.min(2, path.length())))
                : Path.of(path);
    }

    /**
     * The cache in a directory.
     *
     * @param directory holds {@code models--OWNER--NAME}; need not exist
     * @return the cache
     */
    public static HubCache of(Path directory) {
        return new HubCache(directory);
    }

    /**
     * Where the cache is.
     *
     * @return the directory
     */
    public Path directory() {
        return directory;
    }

    /**
     * The files of a model that are in the cache.
     *
     * @param model the model
     * @return the directory of its revision, which may lack files of the model; empty if the cache
     *     does not know the revision
     * @throws IOException if the cache cannot be read
     */
    public Optional<Path> snapshot(HubModel model) throws IOException {
        Optional<String> commit = commit(model);
        if (commit.isEmpty()) {
            return Optional.empty();
        }
        Path snapshot = snapshots(model).resolve(commit.get());
        return Files.isDirectory(snapshot) ? Optional.of(snapshot) : Optional.empty();
    }

    private Optional<String> commit(HubModel model) throws IOException {
        if (model.isCommit()) {
            return Optional.of(model.revision());
        }
        try {
            String commit = Files.readString(ref(model)).strip();
            return HubModel.isCommit(commit) ? Optional.of(commit) : Optional.empty();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private Path folder(HubModel model) {
        return directory.resolve("models--" + model.id().replace("/", "--"));
    }

    private Path ref(HubModel model) {
        return folder(model).resolve("refs").resolve(model.revision());
    }

    private Path snapshots(HubModel model) {
        return folder(model).resolve("snapshots");
    }

    /** Where a file of a model is, or is going to be. */
    Path pointer(HubModel model, String commit, String file) {
        return snapshots(model).resolve(commit).resolve(file);
    }

    /** Where the content with a digest is, or is going to be. */
    Path blob(HubModel model, String etag) {
        return folder(model).resolve("blobs").resolve(etag);
    }

    /** The file that a process locks while it writes a content. */
    Path lock(HubModel model, String etag) {
        Path name = folder(model).getFileName();
        return directory.resolve(".locks").resolve(name).resolve(etag + ".lock");
    }

    /** Remembers for which commit a branch or tag stands. */
    void remember(HubModel model, String commit) throws IOException {
        if (model.isCommit()) {
            return;
        }
        Path ref = ref(model);
        Path parent = ref.resolveSibling("." + UUID.randomUUID());
        Files.createDirectories(ref.resolveSibling("."));
        try {
            Files.write(parent, commit.getBytes(StandardCharsets.UTF_8));
            Files.move(parent, ref, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(parent);
        }
    }

    /** Puts a content in its place among the files of a model. */
    void link(HubModel model, String commit, String file, String etag) throws IOException {
        Path pointer = pointer(model, commit, file);
        Path blob = blob(model, etag);
        Path parent = pointer.resolveSibling(".").normalize();
        Files.createDirectories(parent);
        if (Files.exists(pointer)) {
            return;
        }
        if (Files.exists(pointer, LinkOption.NOFOLLOW_LINKS)) {
            Files.delete(pointer);
        }
        try {
            Files.createSymbolicLink(pointer, parent.relativize(blob));
        } catch (UnsupportedOperationException | FileSystemException e) {
            // Where there are no links, the hub's own client has the file itself in the snapshot.
            if (!Files.exists(pointer)) {
                Files.copy(blob, pointer);
            }
        }
    }
}
