package io.fairlora.vision.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serial;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Brings files from the hub into the cache. */
final class HubTransfer {

    /** File locks belong to the process; this one parts its threads. */
    private static final ReentrantLock WITHIN_PROCESS = new ReentrantLock();

    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final int REDIRECTIONS = 8;
    private static final int PIECE = 1 << 16;
    private static final Pattern ETAG = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

    private final HubCache cache;
    private final URI endpoint;
    private final @Nullable String token;
    private final DownloadListener listener;
    private final HttpClient client;

    HubTransfer(HubCache cache, URI endpoint, @Nullable String token, DownloadListener listener) {
        this.cache = cache;
        this.endpoint = endpoint;
        this.token = token;
        this.listener = listener;
        client =
                HttpClient.newBuilder()
                        .connectTimeout(TIMEOUT)
                        .followRedirects(HttpClient.Redirect.NEVER)
                        .build();
    }

    /** The hub does not answer. */
    static final class UnreachableException extends IOException {

        @Serial private static final long serialVersionUID = 1L;

        UnreachableException(URI endpoint, Throwable cause) {
            super(endpoint + " cannot be reached: " + cause, cause);
        }
    }

    /**
     * What the hub says about a file.
     *
     * @param name its name in the model
     * @param address where its content is
     * @param commit the commit that the revision stands for
     * @param etag the SHA-256 of the content, or the SHA-1 that git gives it
     * @param size in bytes; -1 if not said
     */
    record File(String name, URI address, String commit, String etag, long size) {}

    /** Asks for a file; empty if the model has none of the name. */
    Optional<File> find(HubModel model, String name) throws IOException {
        URI address =
                URI.create(
                        endpoint.toString().replaceFirst("/+$", "")
                                + "/"
                                + model.id()
                                + "/resolve/"
                                + model.revision().replace("/", "%2F")
                                + "/"
                                + name);
        for (int i = 0; i < REDIRECTIONS; i++) {
            HttpResponse<Void> answer =
                    send(
                            request(address).method("HEAD", BodyPublishers.noBody()),
                            BodyHandlers.discarding());
            Optional<String> location = answer.headers().firstValue("location");
            // A model that was renamed is found under its new name; a large file lies elsewhere.
            if (isRedirection(answer) && location.isPresent() && location.get().startsWith("/")) {
                address = address.resolve(location.get());
                continue;
            }
            return found(model, name, address, answer);
        }
        throw new HubException("the hub redirects " + address + " without end");
    }

    private static Optional<File> found(
            HubModel model, String name, URI address, HttpResponse<Void> answer)
            throws HubException {
        String error = answer.headers().firstValue("x-error-code").orElse("");
        int status = answer.statusCode();
        if (status == 404 && !error.equals("RepoNotFound") && !error.equals("RevisionNotFound")) {
            return Optional.empty();
        }
        if (status >= 400) {
            throw new HubException(refusal(model, error, status));
        }
        String commit = answer.headers().firstValue("x-repo-commit").orElse("");
        if (!HubModel.isCommit(commit)) {
            throw new HubException(
                    address + " names no commit in X-Repo-Commit, found '" + commit + "'");
        }
        String etag =
                answer.headers()
                        .firstValue("x-linked-etag")
                        .or(() -> answer.headers().firstValue("etag"))
                        .orElse("")
                        .replaceFirst("^W/", "")
                        .replace("\"", "");
        if (!ETAG.matcher(etag).matches()) {
            throw new HubException(address + " gives no digest in ETag, found '" + etag + "'");
        }
        long size =
                answer.headers()
                        .firstValueAsLong("x-linked-size")
                        .orElse(
                                isRedirection(answer)
                                        ? -1
                                        : answer.headers()
                                                .firstValueAsLong("content-length")
                                                .orElse(-1));
        URI content =
                isRedirection(answer)
                        ? address.resolve(answer.headers().firstValue("location").orElse(""))
                        : address;
        return Optional.of(new File(name, content, commit, etag, size));
    }

    private static String refusal(HubModel model, String error, int status) {
        return switch (error) {
            case "RevisionNotFound" ->
                    "the hub has no revision " + model.revision() + " of model " + model.id();
            case "GatedRepo" ->
                    "model "
                            + model.id()
                            + " is given to registered users only; accept its terms and use an"
                            + " access token";
            default ->
                    status == 401 || status == 403 || status == 404
                            ? "the hub has no model "
                                    + model.id()
                                    + ", or it is private and needs an access token"
                            : "the hub answers status " + status + " for model " + model.id();
        };
    }

    private static boolean isRedirection(HttpResponse<?> answer) {
        return answer.statusCode() >= 300 && answer.statusCode() < 400;
    }

    /** Brings a file into the cache, unless it is there. */
    Path fetch(HubModel model, File file) throws IOException {
        Path pointer = cache.pointer(model, file.commit(), file.name());
        if (Files.exists(pointer)) {
            return pointer;
        }
        Path lock = cache.lock(model, file.etag());
        Files.createDirectories(lock.resolveSibling("."));
        WITHIN_PROCESS.lock();
        try (FileChannel channel =
                        FileChannel.open(
                                lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock held = channel.lock()) {
            if (!held.isValid()) {
                throw new HubException(lock + " cannot be locked");
            }
            Path blob = cache.blob(model, file.etag());
            if (!Files.exists(blob)) {
                download(file, blob);
            }
            cache.link(model, file.commit(), file.name(), file.etag());
        } finally {
            WITHIN_PROCESS.unlock();
        }
        return pointer;
    }

    void remember(HubModel model, String commit) throws IOException {
        cache.remember(model, commit);
    }

    private void download(File file, Path blob) throws IOException {
        Path incomplete = blob.resolveSibling(blob.getFileName() + ".incomplete");
        Files.createDirectories(blob.resolveSibling("."));
        receive(file, incomplete);
        long size = Files.size(incomplete);
        if (file.size() >= 0 && size < file.size()) {
            throw new HubException(
                    file.address()
                            + " ended after "
                            + size
                            + " of "
                            + file.size()
                            + " bytes; trying again goes on from there");
        }
        String digest = digest(incomplete, file.etag().length());
        if (!digest.equals(file.etag())) {
            Files.delete(incomplete);
            throw new HubException(
                    file.name()
                            + " from "
                            + file.address()
                            + " has the digest "
                            + digest
                            + ", expected "
                            + file.etag());
        }
        Files.move(incomplete, blob, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Writes the content, after what an earlier attempt has left. */
    private void receive(File file, Path incomplete) throws IOException {
        long have = Files.exists(incomplete) ? Files.size(incomplete) : 0;
        if (file.size() >= 0 && have >= file.size()) {
            return;
        }
        URI address = file.address();
        for (int i = 0; i < REDIRECTIONS; i++) {
            HttpRequest.Builder request = request(address).GET();
            if (have > 0) {
                request.header("Range", "bytes=" + have + "-");
            }
            HttpResponse<InputStream> answer = send(request, BodyHandlers.ofInputStream());
            try (InputStream body = answer.body()) {
                Optional<String> location = answer.headers().firstValue("location");
                if (isRedirection(answer) && location.isPresent()) {
                    address = address.resolve(location.get());
                    continue;
                }
                int status = answer.statusCode();
                if (status != 200 && status != 206) {
                    throw new HubException(address + " answers status " + status);
                }
                String range = answer.headers().firstValue("content-range").orElse("");
                boolean goesOn = status == 206 && range.startsWith("bytes " + have + "-");
                if (status == 206 && !goesOn) {
                    throw new HubException(
                            address + " sends '" + range + "', expected it from byte " + have);
                }
                write(body, incomplete, goesOn ? have : 0, file);
                return;
            }
        }
        throw new HubException("the hub redirects " + file.address() + " without end");
    }

    private void write(InputStream body, Path incomplete, long from, File file) throws IOException {
        try (FileChannel channel =
                FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.truncate(from);
            channel.position(from);
            long done = from;
            listener.progress(file.name(), done, file.size());
            byte[] piece = new byte[PIECE];
            for (int n = read(body, piece, file); n >= 0; n = read(body, piece, file)) {
                ByteBuffer bytes = ByteBuffer.wrap(piece, 0, n);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                done += n;
                listener.progress(file.name(), done, file.size());
            }
            channel.force(true);
        }
    }

    private static int read(InputStream body, byte[] piece, File file) throws HubException {
        try {
            return body.read(piece);
        } catch (IOException e) {
            throw new HubException(
                    file.address()
                            + " was cut off ("
                            + e.getMessage()
                            + "); trying again goes on from there",
                    e);
        }
    }

    /** SHA-256 of the content, or the SHA-1 of git, which counts a header in. */
    private static String digest(Path file, int digits) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance(digits == 64 ? "SHA-256" : "SHA-1");
            if (digits != 64) {
                String header = "blob " + Files.size(file) + "\0";
                digest.update(header.getBytes(StandardCharsets.UTF_8));
            }
            byte[] piece = new byte[PIECE];
            for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
                digest.update(piece, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-1 and SHA-256", e);
        }
    }

    private HttpRequest.Builder request(URI address) {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(address)
                        .timeout(TIMEOUT)
                        .header("User-Agent", "fairlora")
                        .header("Accept-Encoding", "identity");
        boolean own =
                endpoint.getScheme().equals(address.getScheme())
                        && endpoint.getAuthority().equals(address.getAuthority());
        if (token != null && own) {
            request.header("Authorization", "Bearer " + token);
        }
        return request;
    }

    private <T> HttpResponse<T> send(
            HttpRequest.Builder request, HttpResponse.BodyHandler<T> handler) throws IOException {
        try {
            return client.send(request.build(), handler);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new HubException("interrupted while talking to " + endpoint, e);
        } catch (IOException | UncheckedIOException e) {
            throw new UnreachableException(endpoint, e);
        }
    }
}
