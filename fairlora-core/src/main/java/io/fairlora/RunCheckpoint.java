package io.fairlora;

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
        kept.forEach(
                (name, adapter) ->
                        adapter.layers()
                                .forEach(
                                        (path, factors) -> {
                                            String key = KEPT + name + "/" + path;
                                            tensors.put(key + A, factors.a());
                                            tensors.put(key + B, factors.b());
                                            metadata.put(key, Double.toString(factors.scale()));
                                        }));
        try {
            SafetensorsWriter.write(file, tensors, metadata, Dtype.F32);
        } catch (IOException e) {
            throw new UncheckedIOException("checkpoint " + file + " cannot be written", e);
        }
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
                                            Double.parseDouble(number(file, saved, key))));
                }
            }
            Map<String, LoraAdapter> adapters = new LinkedHashMap<>();
            kept.forEach((name, layers) -> adapters.put(name, LoraAdapter.of(config, layers)));
            return new RunCheckpoint(
                    Long.parseLong(number(file, saved, "step")),
                    Integer.parseInt(number(file, saved, "rounds")),
                    training,
                    adapters);
        } catch (IOException e) {
            throw new UncheckedIOException("checkpoint " + file + " cannot be read", e);
        }
    }

    private static String number(Path path, SafetensorsFile file, String key) {
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
