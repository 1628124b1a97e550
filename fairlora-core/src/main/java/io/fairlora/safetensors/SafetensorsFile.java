package io.fairlora.safetensors;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.fairlora.ndarray.HostTensor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An open safetensors file, or several that share an index.
 *
 * <p>The header is read and checked when the file is opened, tensors when they are asked for, so
 * that files of any size can be read. Every departure from the format is refused. Reading is safe
 * from several threads.
 */
public final class SafetensorsFile implements Closeable {

    private static final String INDEX_SUFFIX = ".index.json";

    /** Far beyond any model's index. */
    private static final long MAX_INDEX_BYTES = 100_000_000;

    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private final Path path;
    private final List<Shard> shards;
    private final Map<String, Located> tensors;

    private record Located(Shard shard, TensorInfo info) {}

    private SafetensorsFile(Path path, List<Shard> shards, Map<String, Located> tensors) {
        this.path = path;
        this.shards = shards;
        this.tensors = Collections.unmodifiableMap(tensors);
    }

    /**
     * Opens a file and checks its header.
     *
     * @param path a safetensors file, or the index of several ({@code
     *     model.safetensors.index.json}), which lie beside it
     * @return the open file, which the caller closes
     * @throws SafetensorsException if the file, the index or a file of the index is malformed
     * @throws IOException if a file cannot be read
     */
    public static SafetensorsFile open(Path path) throws IOException {
        Path name = path.getFileName();
        if (name != null && name.toString().endsWith(INDEX_SUFFIX)) {
            return openIndex(path);
        }
        Shard shard = Shard.open(path);
        Map<String, Located> tensors = new LinkedHashMap<>();
        shard.header().tensors().forEach((k, info) -> tensors.put(k, new Located(shard, info)));
        return new SafetensorsFile(path, List.of(shard), tensors);
    }

    private static SafetensorsFile openIndex(Path index) throws IOException {
        Map<String, String> weightMap = weightMap(index);
        Map<String, Shard> shards = new LinkedHashMap<>();
        Map<String, Located> tensors = new LinkedHashMap<>();
        try {
            for (String file : weightMap.values()) {
                if (shards.containsKey(file)) {
                    continue;
                }
                Path path = index.resolveSibling(file);
                if (!Files.isRegularFile(path)) {
                    throw new SafetensorsException(
                            index, "names the file " + file + ", which is not beside it");
                }
                Shard shard = Shard.open(path);
                shards.put(file, shard);
                for (Map.Entry<String, TensorInfo> entry : shard.header().tensors().entrySet()) {
                    String tensor = entry.getKey();
                    String placed = weightMap.get(tensor);
                    if (!file.equals(placed)) {
                        throw new SafetensorsException(
                                index,
                                placed == null
                                        ? "does not place tensor " + tensor + ", found in " + file
                                        : "places tensor "
                                                + tensor
                                                + " in "
                                                + placed
                                                + ", but "
                                                + file
                                                + " holds one of that name");
                    }
                    tensors.put(tensor, new Located(shard, entry.getValue()));
                }
            }
            for (Map.Entry<String, String> entry : weightMap.entrySet()) {
                if (!tensors.containsKey(entry.getKey())) {
                    throw new SafetensorsException(
                            index,
                            "places tensor "
                                    + entry.getKey()
                                    + " in "
                                    + entry.getValue()
                                    + ", which lacks it");
                }
            }
            return new SafetensorsFile(index, List.copyOf(shards.values()), tensors);
        } catch (IOException | RuntimeException e) {
            try {
                closeAll(shards.values());
            } catch (IOException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    private static Map<String, String> weightMap(Path index) throws IOException {
        long size = Files.size(index);
        if (size > MAX_INDEX_BYTES) {
            throw new SafetensorsException(
                    index, "has " + size + " bytes, an index has at most " + MAX_INDEX_BYTES);
        }
        JsonNode root;
        try {
            root = JSON.readTree(Files.readAllBytes(index));
        } catch (JsonProcessingException e) {
            throw new SafetensorsException(index, "is not valid JSON: " + e.getOriginalMessage());
        }
        JsonNode map = root.path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw new SafetensorsException(index, "lacks the object weight_map, or it is empty");
        }
        Map<String, String> weightMap = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            String file = entry.getValue().asText();
            // An index must not reach outside its folder.
            if (!entry.getValue().isTextual() || !file.matches("[\\w.\\-]*\\.safetensors")) {
                throw new SafetensorsException(
                        index,
                        "places tensor "
                                + entry.getKey()
                                + " in "
                                + entry.getValue()
                                + ", expected the name of a safetensors file beside the index");
            }
            weightMap.put(entry.getKey(), file);
        }
        return weightMap;
    }

    /**
     * The names of the tensors.
     *
     * @return immutable, in the order in which the tensors lie in the file
     */
    public Set<String> names() {
        return tensors.keySet();
    }

    /**
     * What the header says about a tensor.
     *
     * @param name one of {@link #names()}
     * @return type, shape and place
     * @throws IllegalArgumentException if there is no such tensor
     */
    public TensorInfo info(String name) {
        return locate(name).info();
    }

    /**
     * The free-form strings of the header ({@code __metadata__}).
     *
     * @return an immutable map, empty if there are none; of several files the first that has an
     *     entry gives it
     */
    public Map<String, String> metadata() {
        Map<String, String> metadata = new LinkedHashMap<>();
        for (Shard shard : shards) {
            shard.header().metadata().forEach(metadata::putIfAbsent);
        }
        return Collections.unmodifiableMap(metadata);
    }

    /**
     * Reads a tensor, widening or rounding its elements to single precision.
     *
     * @param name one of {@link #names()}
     * @return the tensor
     * @throws IllegalArgumentException if there is no such tensor
     * @throws SafetensorsException if the file has been cut short since it was opened, or the
     *     tensor has more elements than a Java array can hold
     * @throws IOException if the file cannot be read
     */
    public HostTensor read(String name) throws IOException {
        Located tensor = locate(name);
        return tensor.shard().read(name, tensor.info());
    }

    private Located locate(String name) {
        Located tensor = tensors.get(name);
        checkArgument(tensor != null, "%s: no tensor %s", path, name);
        return tensor;
    }

    @Override
    public void close() throws IOException {
        closeAll(shards);
    }

    private static void closeAll(Iterable<Shard> shards) throws IOException {
        List<IOException> failures = new ArrayList<>();
        for (Shard shard : shards) {
            try {
                shard.close();
            } catch (IOException e) {
                failures.add(e);
            }
        }
        if (!failures.isEmpty()) {
            throw failures.get(0);
        }
    }
}
