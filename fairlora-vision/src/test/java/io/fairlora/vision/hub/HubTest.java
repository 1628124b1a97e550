package io.fairlora.vision.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The cache and the downloads, against a server in this process that answers as the hub does. */
class HubTest {

    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final String OTHER = "fedcba9876543210fedcba9876543210fedcba98";
    private static final String NAME = "org/face-vit";
    private static final byte[] WEIGHTS = new byte[200_000];

    static {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < WEIGHTS.length; i++) {
            WEIGHTS[i] = (byte) random.nextInt();
        }
    }

    @TempDir private Path folder;
    private HttpServer server;
    private URI endpoint;
    private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final Map<String, String> etags = new HashMap<>();
    private String commit = COMMIT;
    private int cutAfter = Integer.MAX_VALUE;
    private String refusal = "";

    @BeforeEach
    void startServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        endpoint = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
        put("config.json", "{\"model_type\": \"vit\"}".getBytes(StandardCharsets.UTF_8));
        put("model.safetensors", WEIGHTS);
    }

    @AfterEach
    void stopServer() {
        server.stop(0);
    }

    private void put(String name, byte[] content) {
        files.put(name, content);
        boolean large = name.endsWith(".safetensors");
        etags.put(name, large ? hex("SHA-256", content) : gitDigest(content));
    }

    private static String gitDigest(byte[] content) {
        byte[] header = ("blob " + content.length + "\0").getBytes(StandardCharsets.UTF_8);
        byte[] all = Arrays.copyOf(header, header.length + content.length);
        System.arraycopy(content, 0, all, header.length, content.length);
        return hex("SHA-1", all);
    }

    private static String hex(String algorithm, byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Small files come from the hub itself, large ones from the store to which it redirects. */
    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String range = exchange.getRequestHeaders().getFirst("Range");
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        requests.add(
                exchange.getRequestMethod()
                        + " "
                        + path
                        + (range == null ? "" : " " + range)
                        + (authorization == null ? "" : " " + authorization));
        String name = path.substring(path.lastIndexOf('/') + 1);
        byte[] content = files.get(name);
        if (!refusal.isEmpty()) {
            exchange.getResponseHeaders().set("X-Error-Code", refusal);
            exchange.sendResponseHeaders(refusal.equals("GatedRepo") ? 403 : 404, -1);
        } else if (content == null) {
            exchange.getResponseHeaders().set("X-Error-Code", "EntryNotFound");
            exchange.sendResponseHeaders(404, -1);
        } else if (path.startsWith("/store/")) {
            send(exchange, content, range);
        } else {
            exchange.getResponseHeaders().set("X-Repo-Commit", commit);
            boolean large = name.endsWith(".safetensors");
            exchange.getResponseHeaders()
                    .set(large ? "X-Linked-ETag" : "ETag", "\"" + etags.get(name) + "\"");
            if (large) {
                exchange.getResponseHeaders().set("X-Linked-Size", "" + content.length);
                exchange.getResponseHeaders().set("Location", endpoint + "/store/" + name);
                exchange.sendResponseHeaders(302, -1);
            } else if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", "" + content.length);
                exchange.sendResponseHeaders(200, -1);
            } else {
                send(exchange, content, range);
            }
        }
        exchange.close();
    }

    private void send(HttpExchange exchange, byte[] content, String range) throws IOException {
        int from = 0;
        if (range != null) {
            from = Integer.parseInt(range.replaceAll("\\D", ""));
            exchange.getResponseHeaders()
                    .set(
                            "Content-Range",
                            "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
        }
        exchange.sendResponseHeaders(range == null ? 200 : 206, content.length - from);
        int end = from + Math.min(content.length - from, cutAfter);
        exchange.getResponseBody().write(content, from, end - from);
        exchange.getResponseBody().flush();
    }

    private Hub.Builder builder() {
        return Hub.builder().cache(HubCache.of(folder)).endpoint(endpoint);
    }

    private Hub online() {
        return builder().download(true).build();
    }

    private Hub offline() {
        return builder().build();
    }

    private Path repository() {
        return folder.resolve("models--org--face-vit");
    }

    @Test
    void aModelIsDownloadedInTheLayoutOfTheHubsOwnClient() throws IOException {
        Path directory = online().model(NAME);
        assertThat(directory).isEqualTo(repository().resolve("snapshots").resolve(COMMIT));
        assertThat(repository().resolve("refs/main")).hasContent(COMMIT);
        Path weights = directory.resolve("model.safetensors");
        assertThat(weights).hasBinaryContent(WEIGHTS);
        assertThat(Files.readSymbolicLink(weights))
                .isEqualTo(Path.of("../../blobs", hex("SHA-256", WEIGHTS)));
        assertThat(directory.resolve("config.json")).exists();
        assertThat(directory.resolve("preprocessor_config.json")).doesNotExist();
        try (Stream<Path> blobs = Files.list(repository().resolve("blobs"))) {
            assertThat(blobs.map(blob -> blob.getFileName().toString()))
                    .containsExactlyInAnyOrderElementsOf(etags.values());
        }
    }

    @Test
    void whatWasDownloadedIsFoundOffline() throws IOException {
        Path directory = online().model(NAME);
        requests.clear();
        assertThat(offline().model(NAME)).isEqualTo(directory);
        assertThat(offline().model(NAME + "@" + COMMIT)).isEqualTo(directory);
        assertThat(online().model(NAME + "@" + COMMIT)).isEqualTo(directory);
        assertThat(requests).isEmpty();
    }

    @Test
    void anUnreachableHubIsNotNeededForWhatIsThere() throws IOException {
        Path directory = online().model(NAME);
        server.stop(0);
        assertThat(online().model(NAME)).isEqualTo(directory);
        assertThatThrownBy(() -> online().model("org/other"))
                .isInstanceOf(HubException.class)
                .hasMessageStartingWith("model org/other is not in the cache " + folder + ", and ")
                .hasMessageContaining(endpoint + " cannot be reached");
    }

    @Test
    void absentAndOfflineIsOneSentence() {
        assertThatThrownBy(() -> offline().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessage(
                        "model org/face-vit is not in the cache "
                                + folder
                                + ", and downloading is not allowed");
    }

    @Test
    void aSnapshotWithoutWeightsIsOneSentence() throws IOException {
        Path directory = online().model(NAME);
        Files.delete(directory.resolve("model.safetensors"));
        assertThatThrownBy(() -> offline().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessage(
                        directory
                                + " lacks model.safetensors of model org/face-vit, and downloading"
                                + " is not allowed");
        assertThat(online().model(NAME).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    }

    @Test
    void aDownloadThatWasCutOffGoesOnWhereItEnded() throws IOException {
        cutAfter = 70_000;
        assertThatThrownBy(() -> online().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("trying again goes on from there");
        assertThat(repository().resolve("snapshots/" + COMMIT + "/model.safetensors"))
                .doesNotExist();
        assertThat(repository().resolve("refs/main")).doesNotExist();
        cutAfter = Integer.MAX_VALUE;
        requests.clear();
        List<Long> progress = new ArrayList<>();
        Hub hub =
                builder()
                        .download(true)
                        .listener(
                                (file, done, total) -> {
                                    assertThat(file).isEqualTo("model.safetensors");
                                    assertThat(total).isEqualTo(WEIGHTS.length);
                                    progress.add(done);
                                })
                        .build();
        assertThat(hub.model(NAME).resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
        long kept = progress.get(0);
        assertThat(kept).isPositive().isLessThanOrEqualTo(70_000);
        assertThat(requests).contains("GET /store/model.safetensors bytes=" + kept + "-");
        assertThat(progress).isSorted().endsWith((long) WEIGHTS.length);
    }

    @Test
    void contentThatIsNotWhatTheHubSaysIsRefusedAndLeftNowhere() throws IOException {
        etags.put("model.safetensors", hex("SHA-256", new byte[3]));
        assertThatThrownBy(() -> online().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("model.safetensors")
                .hasMessageContaining("has the digest " + hex("SHA-256", WEIGHTS))
                .hasMessageContaining("expected " + hex("SHA-256", new byte[3]));
        try (Stream<Path> blobs = Files.list(repository().resolve("blobs"))) {
            assertThat(blobs.map(blob -> blob.getFileName().toString()))
                    .containsExactly(etags.get("config.json"));
        }
    }

    @Test
    void aSmallFileIsCheckedAgainstGitsDigest() {
        etags.put("config.json", COMMIT);
        assertThatThrownBy(() -> online().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("config.json")
                .hasMessageContaining("expected " + COMMIT);
    }

    @Test
    void anEtagThatWouldLeadElsewhereIsRefused() {
        etags.put("config.json", "../../../evil");
        assertThatThrownBy(() -> online().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("gives no digest in ETag, found '../../../evil'");
    }

    @Test
    void aBranchThatMovedIsDownloadedAnew() throws IOException {
        Path old = online().model(NAME);
        commit = OTHER;
        byte[] changed = "{\"model_type\": \"deit\"}".getBytes(StandardCharsets.UTF_8);
        put("config.json", changed);
        requests.clear();
        Path directory = online().model(NAME);
        assertThat(directory.getFileName()).hasToString(OTHER);
        assertThat(directory.resolve("config.json")).hasBinaryContent(changed);
        assertThat(directory.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
        assertThat(requests).noneMatch(request -> request.startsWith("GET /store/"));
        assertThat(offline().model(NAME)).isEqualTo(directory);
        assertThat(offline().model(NAME + "@" + COMMIT)).isEqualTo(old);
    }

    @Test
    void shardsAreDownloadedByTheirIndex() throws IOException {
        files.remove("model.safetensors");
        put("preprocessor_config.json", new byte[] {'{', '}'});
        put("model-1.safetensors", WEIGHTS);
        put("model-2.safetensors", new byte[] {1, 2, 3});
        String index =
                "{\"weight_map\": {\"a\": \"model-1.safetensors\", \"b\": \"model-2.safetensors\"}}";
        put("model.safetensors.index.json", index.getBytes(StandardCharsets.UTF_8));
        Path directory = online().model(NAME);
        try (Stream<Path> found = Files.list(directory)) {
            assertThat(found.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrderElementsOf(files.keySet());
        }
        assertThat(offline().model(NAME)).isEqualTo(directory);
    }

    @Test
    void anIndexThatLeadsElsewhereIsRefused() {
        files.remove("model.safetensors");
        put(
                "model.safetensors.index.json",
                "{\"weight_map\": {\"a\": \"../x.safetensors\"}}".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> online().model(NAME))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("names the file '../x.safetensors'");
    }

    @Test
    void whatTheHubRefusesIsSaid() {
        refusal = "RepoNotFound";
        assertThatThrownBy(() -> online().model(NAME))
                .hasMessage(
                        "the hub has no model org/face-vit, or it is private and needs an access"
                                + " token");
        refusal = "RevisionNotFound";
        assertThatThrownBy(() -> online().model(NAME + "@v9"))
                .hasMessage("the hub has no revision v9 of model org/face-vit");
        refusal = "GatedRepo";
        assertThatThrownBy(() -> online().model(NAME)).hasMessageContaining("registered users");
        refusal = "";
        files.remove("model.safetensors");
        assertThatThrownBy(() -> online().model(NAME))
                .hasMessage(
                        "model org/face-vit has neither model.safetensors nor"
                                + " model.safetensors.index.json");
    }

    @Test
    void theTokenIsSentToTheHubAndNotToTheStore() throws IOException {
        int other = server.getAddress().getPort();
        // The same server under another name is another authority.
        endpoint = URI.create("http://localhost:" + other);
        Hub hub =
                Hub.builder()
                        .cache(HubCache.of(folder))
                        .download(true)
                        .endpoint(URI.create("http://127.0.0.1:" + other))
                        .token("secret")
                        .build();
        hub.model(NAME);
        assertThat(requests)
                .contains("GET /store/model.safetensors")
                .contains("GET /org/face-vit/resolve/main/config.json Bearer secret");
    }

    @Test
    void threadsThatAskAtOnceDownloadOnce() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Future<Path>> found = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                found.add(pool.submit(() -> online().model(NAME)));
            }
            for (Future<Path> directory : found) {
                assertThat(directory.get().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
            }
        } finally {
            pool.shutdownNow();
        }
        assertThat(requests.stream().filter(r -> r.startsWith("GET /store/"))).hasSize(1);
    }

    @Test
    void namesThatCannotBeAModelsAreRefused() {
        for (String name : List.of("", "a/b/c", "../x", "a/..", "a--b", "/etc", "a/b@", "a@../x")) {
            assertThatThrownBy(() -> offline().model(name))
                    .as(name)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("found '");
        }
        assertThat(HubModel.parse("gpt2")).isEqualTo(new HubModel("gpt2", "main"));
        assertThat(HubModel.parse("a/b.c-d@refs/pr/1"))
                .isEqualTo(new HubModel("a/b.c-d", "refs/pr/1"))
                .hasToString("a/b.c-d@refs/pr/1");
    }

    @Test
    void theCacheIsWhereTheEnvironmentSays() {
        Path home = Path.of("/home/u");
        assertThat(HubCache.of(Map.of(), home).directory())
                .isEqualTo(home.resolve(".cache/huggingface/hub"));
        assertThat(HubCache.of(Map.of("XDG_CACHE_HOME", "/c"), home).directory())
                .isEqualTo(Path.of("/c/huggingface/hub"));
        assertThat(HubCache.of(Map.of("HF_HOME", "~/hf"), home).directory())
                .isEqualTo(home.resolve("hf/hub"));
        assertThat(
                        HubCache.of(Map.of("HF_HOME", "/hf", "HF_HUB_CACHE", "/cache"), home)
                                .directory())
                .isEqualTo(Path.of("/cache"));
        assertThat(Hub.Builder.isOffline(Map.of("HF_HUB_OFFLINE", "1"))).isTrue();
        assertThat(Hub.Builder.isOffline(Map.of("TRANSFORMERS_OFFLINE", "true"))).isTrue();
        assertThat(Hub.Builder.isOffline(Map.of())).isFalse();
    }
}
