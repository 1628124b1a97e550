package io.fairlora.vision.hub;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds models by the name they have on the Hugging Face hub.
 *
 * <pre>{@code
 * Path directory = Hub.builder().download(true).build().model("google/vit-base-patch16-224");
 * VisionTransformer vit = VisionTransformer.load(directory, device);
 * }</pre>
 *
 * <p>Without {@link Builder#download} only the local cache is searched. Downloaded files go into
 * that cache, in the layout that the hub's own client reads; a download that was cut off goes on
 * where it ended, and every file is checked against the digest that the hub gives.
 */
public final class Hub {

    private static final String CONFIG = "config.json";
    private static final String PREPROCESSOR = "preprocessor_config.json";
    private static final String WEIGHTS = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final Pattern SHARD = Pattern.compile("[\\w.\\-]*\\.safetensors");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HubCache cache;
    private final @Nullable HubTransfer transfer;

    private Hub(HubCache cache, @Nullable HubTransfer transfer) {
        this.cache = cache;
        this.transfer = transfer;
    }

    /**
     * A hub to be described: the user's cache, no downloads, unless said otherwise.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects where models are searched. */
    public static final class Builder {

        private HubCache cache = HubCache.standard();
        private boolean download;
        private URI endpoint = endpoint(System.getenv());
        private @Nullable String token;
        private DownloadListener listener = DownloadListener.SILENT;

        private Builder() {}

        private static URI endpoint(Map<String, String> environment) {
            String value = environment.getOrDefault("HF_ENDPOINT", "");
            return URI.create(value.isBlank() ? "https://huggingface.co" : value);
        }

        /**
         * Another cache than {@link HubCache#standard()}.
         *
         * @param changed the cache
         * @return this
         */
        public Builder cache(HubCache changed) {
            cache = changed;
            return this;
        }

        /**
         * Whether what the cache lacks may be downloaded. The environment variable {@code
         * HF_HUB_OFFLINE} forbids it whatever is said here.
         *
         * @param allowed no, unless set
         * @return this
         */
        public Builder download(boolean allowed) {
            download = allowed;
            return this;
        }

        /**
         * Another address than the public hub's, or than that of the environment variable {@code
         * HF_ENDPOINT}.
         *
         * @param changed the address
         * @return this
         */
        public Builder endpoint(URI changed) {
            endpoint = changed;
            return this;
        }

        /**
         * An access token, for models that are not public. It is sent to the endpoint only.
         *
         * @param secret the token
         * @return this
         */
        public Builder token(String secret) {
            token = secret;
            return this;
        }

        /**
         * Who is told how far a download is.
         *
         * @param changed the listener
         * @return this
         */
        public Builder listener(DownloadListener changed) {
            listener = changed;
            return this;
        }

        /**
         * Makes the hub.
         *
         * @return the hub
         */
        public Hub build() {
            boolean allowed = download && !isOffline(System.getenv());
            return new Hub(
                    cache, allowed ? new HubTransfer(cache, endpoint, token, listener) : null);
        }

        static boolean isOffline(Map<String, String> environment) {
            String value =
                    environment
                            .getOrDefault(
                                    "HF_HUB_OFFLINE",
                                    environment.getOrDefault("TRANSFORMERS_OFFLINE", ""))
                            .toUpperCase(Locale.ROOT);
            return Set.of("1", "ON", "YES", "TRUE").contains(value);
        }
    }

    /**
     * The directory of a model, with {@code config.json}, {@code model.safetensors} or the index of
     * its shards and the shards, and {@code preprocessor_config.json} if the model has one.
     *
     * @param name {@code OWNER/NAME} or {@code OWNER/NAME@REVISION}
     * @return the directory
     * @throws IllegalArgumentException if it cannot be such a name
     * @throws HubException if the model cannot be had: it says where it was searched
     * @throws IOException if the cache cannot be read or written
     */
    public Path model(String name) throws IOException {
        return model(HubModel.parse(name));
    }

    /**
     * The directory of a model, as {@link #model(String)}.
     *
     * @param model the model
     * @return the directory
     * @throws HubException if the model cannot be had: it says where it was searched
     * @throws IOException if the cache cannot be read or written
     */
    public Path model(HubModel model) throws IOException {
        Optional<Path> found = cache.snapshot(model);
        Optional<String> lacking = found.isEmpty() ? Optional.of(CONFIG) : lacking(found.get());
        // What a branch stands for changes; the files of a commit do not.
        if (lacking.isEmpty() && found.isPresent() && (model.isCommit() || transfer == null)) {
            return found.get();
        }
        if (transfer == null) {
            throw new HubException(
                    found.isEmpty()
                            ? "model "
                                    + model
                                    + " is not in the cache "
                                    + cache.directory()
                                    + ", and downloading is not allowed"
                            : found.get()
                                    + " lacks "
                                    + lacking.orElse("")
                                    + " of model "
                                    + model
                                    + ", and downloading is not allowed");
        }
        try {
            return download(transfer, model);
        } catch (HubTransfer.UnreachableException e) {
            if (lacking.isEmpty() && found.isPresent()) {
                return found.get();
            }
            throw new HubException(
                    "model "
                            + model
                            + " is not in the cache "
                            + cache.directory()
                            + ", and "
                            + e.getMessage(),
                    e);
        }
    }

    /** The first file that a snapshot lacks. */
    private static Optional<String> lacking(Path snapshot) throws IOException {
        if (!Files.exists(snapshot.resolve(CONFIG))) {
            return Optional.of(CONFIG);
        }
        if (Files.exists(snapshot.resolve(WEIGHTS))) {
            return Optional.empty();
        }
        if (!Files.exists(snapshot.resolve(INDEX))) {
            return Optional.of(WEIGHTS);
        }
        return shards(snapshot.resolve(INDEX)).stream()
                .filter(shard -> !Files.exists(snapshot.resolve(shard)))
                .findFirst();
    }

    private static Set<String> shards(Path index) throws IOException {
        JsonNode map;
        try {
            map = JSON.readTree(Files.readAllBytes(index)).path("weight_map");
        } catch (JsonProcessingException e) {
            throw new HubException(index + " is not JSON: " + e.getOriginalMessage(), e);
        }
        Set<String> shards = new TreeSet<>();
        for (JsonNode shard : map) {
            if (!SHARD.matcher(shard.asText()).matches()) {
                throw new HubException(
                        index + " names the file '" + shard.asText() + "', expected shards");
            }
            shards.add(shard.asText());
        }
        return shards;
    }

    private static Path download(HubTransfer transfer, HubModel model) throws IOException {
        HubTransfer.File config =
                transfer.find(model, CONFIG)
                        .orElseThrow(
                                () -> new HubException("model " + model + " has no " + CONFIG));
        HubModel fixed = model.at(config.commit());
        Path directory = transfer.fetch(fixed, config).resolveSibling(".").normalize();
        Optional<HubTransfer.File> preprocessor = transfer.find(fixed, PREPROCESSOR);
        if (preprocessor.isPresent()) {
            transfer.fetch(fixed, preprocessor.get());
        }
        Optional<HubTransfer.File> weights = transfer.find(fixed, WEIGHTS);
        if (weights.isPresent()) {
            transfer.fetch(fixed, weights.get());
        } else {
            HubTransfer.File index =
                    transfer.find(fixed, INDEX)
                            .orElseThrow(
                                    () ->
                                            new HubException(
                                                    "model "
                                                            + model
                                                            + " has neither "
                                                            + WEIGHTS
                                                            + " nor "
                                                            + INDEX));
            for (String shard : shards(transfer.fetch(fixed, index))) {
                Optional<HubTransfer.File> file = transfer.find(fixed, shard);
                transfer.fetch(
                        fixed,
                        file.orElseThrow(
                                () -> new HubException("model " + model + " has no " + shard)));
            }
        }
        transfer.remember(model, config.commit());
        return directory;
    }
}
