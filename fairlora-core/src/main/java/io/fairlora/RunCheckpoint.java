package io.fairlora;

import io.fairlora.lora.LayerKind;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The state of a run in one file, replaced whole at each save.
 *
 * @param step the task steps taken
 * @param rounds the rounds whose exchange is done
 * @param training the developer's arrays and moments
 * @param kept the adapters that the strategy keeps
 */
record RunCheckpoint(
        long step, int rounds, Map<String, HostTensor> training, Map<String, LoraAdapter> kept) {

    private static final String TRAINING = "training/";
    private static final String KEPT = "kept/";
    private static final String A = "/lora_A";
    private static final String B = "/lora_B";
    private static final String B_BIAS = "/lora_B.bias";
    private static final String MAGNITUDE = "/lora_magnitude_vector";
    private static final String BIAS = "/bias";
    private static final String KIND = "/kind";

    /**
     * Writes the state.
     *
     * @param run what identifies the run: settings by name
     */
    void write(Path file, Map<String, String> run) {
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        training.forEach((name, tensor) -> tensors.put(TRAINING + name, tensor));
        Map<String, String> metadata = new LinkedHashMap<>(run);
        metadata.put("step", Long.toString(step));
        metadata.put("rounds", Integer.toString(rounds));
        kept.forEach((name, adapter) -> write(KEPT + name + "/", adapter, tensors, metadata));
        try {
            SafetensorsWriter.write(file, tensors, metadata, Dtype.F32);
        } catch (IOException e) {
            throw new UncheckedIOException("checkpoint " + file + " cannot be written", e);
        }
    }

    private static void write(
            String prefix,
            LoraAdapter adapter,
            Map<String, HostTensor> tensors,
            Map<String, String> metadata) {
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            String key = prefix + path;
                            tensors.put(key + A, factors.a());
                            tensors.put(key + B, factors.b());
                            if (factors.bias() != null) {
                                tensors.put(key + B_BIAS, factors.bias());
                            }
                            if (factors.magnitude() != null) {
                                tensors.put(key + MAGNITUDE, factors.magnitude());
                            }
                            metadata.put(key, Double.toString(factors.scale()));
                            metadata.put(key + KIND, factors.kind().toString());
                        });
        adapter.biases().forEach((name, bias) -> tensors.put(prefix + name + BIAS, bias));
    }

    /**
     * Reads a state.
     *
     * @param run what identifies the run that is to go on
     * @param config the configuration of the kept adapters
     * @throws IllegalArgumentException if the file is of another run or lacks something
     * @throws UncheckedIOException if the file is missing or malformed
     */
    static RunCheckpoint read(Path file, Map<String, String> run, LoraConfig config) {
        try (SafetensorsFile saved = SafetensorsFile.open(file)) {
            run.forEach(
                    (name, value) -> {
                        String found = saved.metadata().get(name);
                        if (!value.equals(found)) {
                            throw new IllegalArgumentException(
                                    "checkpoint "
                                            + file
                                            + " is of another run: its "
                                            + name
                                            + " is "
                                            + found
                                            + ", this run's is "
                                            + value);
                        }
                    });
            Map<String, HostTensor> training = new LinkedHashMap<>();
            Map<String, Map<String, LoraAdapter.Factors>> kept = new LinkedHashMap<>();
            Map<String, Map<String, HostTensor>> biases = new LinkedHashMap<>();
            for (String name : saved.names()) {
                if (name.startsWith(TRAINING)) {
                    training.put(name.substring(TRAINING.length()), saved.read(name));
                } else if (name.startsWith(KEPT) && name.endsWith(A)) {
                    String key = name.substring(0, name.length() - A.length());
                    int slash = key.indexOf('/', KEPT.length());
                    kept.computeIfAbsent(
                                    key.substring(KEPT.length(), slash), k -> new LinkedHashMap<>())
                            .put(
                                    key.substring(slash + 1),
                                    new LoraAdapter.Factors(
                                            saved.read(name),
                                            saved.read(key + B),
                                            Double.parseDouble(entry(file, saved, key)),
                                            optional(saved, key + B_BIAS),
                                            optional(saved, key + MAGNITUDE),
                                            LayerKind.parse(entry(file, saved, key + KIND))));
                } else if (name.startsWith(KEPT) && name.endsWith(BIAS)) {
                    int slash = name.indexOf('/', KEPT.length());
                    biases.computeIfAbsent(
                                    name.substring(KEPT.length(), slash),
                                    k -> new LinkedHashMap<>())
                            .put(
                                    name.substring(slash + 1, name.length() - BIAS.length()),
                                    saved.read(name));
                }
            }
            Map<String, LoraAdapter> adapters = new LinkedHashMap<>();
            kept.forEach(
                    (name, layers) ->
                            adapters.put(
                                    name,
                                    new LoraAdapter(
                                            config,
                                            layers,
                                            biases.getOrDefault(name, Map.of()),
                                            Map.of(),
                                            Map.of())));
            return new RunCheckpoint(
                    Long.parseLong(entry(file, saved, "step")),
                    Integer.parseInt(entry(file, saved, "rounds")),
                    training,
                    adapters);
        } catch (IOException e) {
            throw new UncheckedIOException("checkpoint " + file + " cannot be read", e);
        }
    }

    private static @Nullable HostTensor optional(SafetensorsFile file, String name)
            throws IOException {
        return file.names().contains(name) ? file.read(name) : null;
    }

    private static String entry(Path path, SafetensorsFile file, String key) {
        String value = file.metadata().get(key);
        if (value == null) {
            throw new IllegalArgumentException("checkpoint " + path + " has no " + key);
        }
        return value;
    }

    static boolean exists(Path file) {
        return Files.exists(file);
    }
}
