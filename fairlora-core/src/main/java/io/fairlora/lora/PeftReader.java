package io.fairlora.lora;

import static io.fairlora.lora.PeftFormat.BASE_LAYER;
import static io.fairlora.lora.PeftFormat.BIAS;
import static io.fairlora.lora.PeftFormat.PREFIX;
import static io.fairlora.lora.PeftFormat.PROVENANCE;

import ai.djl.ndarray.types.Shape;
import com.google.common.collect.ImmutableSet;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** One pass over the tensors of {@code adapter_model.safetensors}. */
final class PeftReader {

    private static final String A = ".lora_A.weight";
    private static final String B = ".lora_B.weight";
    private static final String EMBEDDING_A = ".lora_embedding_A";
    private static final String EMBEDDING_B = ".lora_embedding_B";
    private static final String B_BIAS = "." + LayerKind.BIAS_OF_B;
    private static final String MAGNITUDE = "." + LayerKind.MAGNITUDE;

    /** What PEFT puts into the names of a saved module's parameters, trained and original. */
    private static final Set<String> WRAPPED =
            ImmutableSet.of(".modules_to_save.", ".original_module.");

    /** Far beyond any model's, and short enough for a regular expression's recursion. */
    private static final int MAX_NAME = 1000;

    private final Path file;
    private final SafetensorsFile tensors;
    private final LoraConfig config;
    private final Map<String, String> keys = new LinkedHashMap<>();

    PeftReader(Path file, SafetensorsFile tensors, LoraConfig config) throws PeftFormatException {
        this.file = file;
        this.tensors = tensors;
        this.config = config;
        for (String key : tensors.names()) {
            if (key.length() > MAX_NAME) {
                throw new PeftFormatException(
                        file, "holds a tensor with a name of " + key.length() + " characters");
            }
            String name = key.startsWith(PREFIX) ? key.substring(PREFIX.length()) : key;
            if (keys.put(name, key) != null) {
                throw new PeftFormatException(
                        file, "holds " + name + " both with and without " + PREFIX);
            }
        }
    }

    LoraAdapter read() throws IOException {
        Map<String, Factors> layers = new LinkedHashMap<>();
        Map<String, HostTensor> biases = new LinkedHashMap<>();
        Map<String, HostTensor> saved = new LinkedHashMap<>();
        for (String name : keys.keySet()) {
            Optional<String> bias = bias(name);
            if (name.endsWith(A)) {
                add(without(name, A), false, layers);
            } else if (name.endsWith(EMBEDDING_A)) {
                add(without(name, EMBEDDING_A), true, layers);
            } else if (name.endsWith(B)) {
                require(without(name, B) + A);
            } else if (name.endsWith(EMBEDDING_B)) {
                require(without(name, EMBEDDING_B) + EMBEDDING_A);
            } else if (name.endsWith(B_BIAS) && config.loraBias()) {
                require(without(name, B_BIAS) + A);
            } else if (name.endsWith(MAGNITUDE) && config.dora()) {
                String path = without(name, MAGNITUDE);
                if (!keys.containsKey(path + EMBEDDING_A)) {
                    require(path + A);
                }
            } else if (isSaved(name)) {
                if (!isCopyOfBias(name)) {
                    saved.put(name, tensor(name));
                }
            } else if (bias.isPresent()) {
                biases.put(bias.get(), tensor(name));
            } else {
                throw new PeftFormatException(file, "holds the unexpected tensor " + name);
            }
        }
        if (layers.isEmpty()) {
            throw new PeftFormatException(file, "holds no lora_A and lora_B of any layer");
        }
        for (String module : config.modulesToSave()) {
            if (saved.keySet().stream().noneMatch(n -> ModuleSelection.isInModule(n, module))) {
                throw new PeftFormatException(
                        file, "lacks the tensors of " + module + ", listed in modules_to_save");
            }
        }
        Optional<String> unused = config.unusedPattern(layers.keySet());
        if (unused.isPresent()) {
            throw new PeftFormatException(
                    file,
                    "has no layer that matches "
                            + unused.get()
                            + " of rank_pattern or alpha_pattern");
        }
        return new LoraAdapter(config, layers, biases, saved, provenance());
    }

    private static String without(String name, String end) {
        return name.substring(0, name.length() - end.length());
    }

    private String require(String name) throws PeftFormatException {
        String key = keys.get(name);
        if (key == null) {
            throw new PeftFormatException(file, "lacks the tensor " + name);
        }
        return key;
    }

    /** The name of a trained bias without what PEFT puts into it, if it is one. */
    private Optional<String> bias(String name) {
        if (config.bias() == TrainedBias.NONE || !name.endsWith(BIAS)) {
            return Optional.empty();
        }
        String path = without(name, BIAS);
        boolean adapted = path.endsWith(BASE_LAYER);
        if (adapted) {
            path = without(path, BASE_LAYER);
        }
        return adapted == config.matches(path) ? Optional.of(path + BIAS) : Optional.empty();
    }

    private boolean isSaved(String name) {
        return config.modulesToSave().stream()
                .anyMatch(module -> ModuleSelection.isInModule(name, module));
    }

    /** With bias = "all" PEFT also writes the biases inside its wrapper of a saved module. */
    private boolean isCopyOfBias(String name) {
        return config.bias() == TrainedBias.ALL
                && name.endsWith(BIAS)
                && WRAPPED.stream().anyMatch(part -> name.contains(part));
    }

    private void add(String path, boolean embedding, Map<String, Factors> layers)
            throws IOException {
        if (!config.matches(path)) {
            throw new PeftFormatException(
                    file, "holds the layer " + path + ", which target_modules does not choose");
        }
        if (embedding && keys.containsKey(path + A)) {
            throw new PeftFormatException(
                    file, "holds both " + path + A + " and " + path + EMBEDDING_A);
        }
        HostTensor a = tensor(path + (embedding ? EMBEDDING_A : A));
        HostTensor b = tensor(path + (embedding ? EMBEDDING_B : B));
        HostTensor magnitude = config.dora() ? tensor(path + MAGNITUDE) : null;
        Factors factors;
        try {
            factors =
                    new Factors(
                            matrix(a),
                            matrix(b),
                            config.scalingOf(path),
                            config.loraBias() ? tensor(path + B_BIAS) : null,
                            magnitude == null
                                    ? null
                                    : magnitude.reshape(new Shape(magnitude.size())),
                            LayerKind.ofStored(a.shape(), embedding));
        } catch (IllegalArgumentException e) {
            throw new PeftFormatException(file, "layer " + path + ": " + e.getMessage());
        }
        if (factors.rank() != config.rankOf(path)) {
            throw new PeftFormatException(
                    file,
                    "layer "
                            + path
                            + " has rank "
                            + factors.rank()
                            + ", expected "
                            + config.rankOf(path));
        }
        for (Map.Entry<String, HostTensor> tensor : factors.tensors().entrySet()) {
            String name = path + "." + tensor.getKey();
            Shape found = tensors.info(require(name)).shape();
            if (!found.equals(tensor.getValue().shape())) {
                throw new PeftFormatException(
                        file, name + " is " + found + ", expected " + tensor.getValue().shape());
            }
        }
        layers.put(path, factors);
    }

    /** A matrix of the first dimension by all others. */
    private static HostTensor matrix(HostTensor tensor) {
        Shape shape = tensor.shape();
        return shape.dimension() < 2 || shape.size() == 0
                ? tensor
                : tensor.reshape(new Shape(shape.get(0), shape.size() / shape.get(0)));
    }

    private HostTensor tensor(String name) throws IOException {
        HostTensor tensor = tensors.read(require(name));
        if (!tensor.isFinite()) {
            throw new PeftFormatException(
                    file, "tensor " + name + " has elements that are not finite");
        }
        return tensor;
    }

    private Map<String, String> provenance() {
        Map<String, String> provenance = new LinkedHashMap<>();
        tensors.metadata()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith(PROVENANCE)) {
                                provenance.put(key.substring(PROVENANCE.length()), value);
                            }
                        });
        return provenance;
    }
}
