package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.Sets;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Adapters as directories that PEFT reads and writes: {@code adapter_config.json}, {@code
 * adapter_model.safetensors} and, for people, {@code README.md}.
 */
public final class PeftFormat {

    /** The name of the configuration's file. */
    public static final String CONFIG_FILE = "adapter_config.json";

    /** The name of the tensors' file. */
    public static final String MODEL_FILE = "adapter_model.safetensors";

    /** The name of the model card's file. */
    public static final String CARD_FILE = "README.md";

    private static final String PREFIX = "base_model.model.";
    private static final String A = ".lora_A.weight";
    private static final String B = ".lora_B.weight";
    private static final String PROVENANCE = "fairlora.";

    private PeftFormat() {}

    /**
     * Writes an adapter in single precision.
     *
     * @param directory the directory, made if need be; one that holds an adapter is replaced as a
     *     whole
     * @param adapter the adapter; its saved modules are listed in {@code modules_to_save}
     * @param card the name of the backbone, and what people are to read
     * @throws IllegalArgumentException if the adapter is not finite, its configuration does not
     *     choose one of its layers, or it lacks a module that the configuration saves
     * @throws IOException if a file cannot be written or the directory holds other files; what was
     *     there is then as it was
     */
    public static void write(Path directory, LoraAdapter adapter, ModelCard card)
            throws IOException {
        write(directory, adapter, card, Dtype.F32);
    }

    /**
     * Writes an adapter. PEFT knows no scales but those that follow from alpha and the rank:
     * another scale, such as a negative one, is multiplied into B.
     *
     * @param directory the directory, made if need be; one that holds an adapter is replaced as a
     *     whole
     * @param adapter the adapter; its saved modules are listed in {@code modules_to_save}
     * @param card the name of the backbone, and what people are to read
     * @param dtype {@code F32}, {@code F16} or {@code BF16}
     * @throws IllegalArgumentException if the adapter is not finite or beyond the type's range, its
     *     configuration does not choose one of its layers, or it lacks a module that the
     *     configuration saves
     * @throws IOException if a file cannot be written or the directory holds other files; what was
     *     there is then as it was
     */
    public static void write(Path directory, LoraAdapter adapter, ModelCard card, Dtype dtype)
            throws IOException {
        LoraConfig config = adapter.config();
        checkArgument(adapter.isFinite(), "the adapter has elements that are not finite");
        Map<String, HostTensor> tensors = new TreeMap<>();
        Map<String, Integer> otherRanks = new LinkedHashMap<>();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            checkArgument(
                                    config.matches(path),
                                    "the adapter's %s does not choose its layer %s",
                                    config,
                                    path);
                            if (factors.rank() != config.rank()) {
                                otherRanks.put(path, factors.rank());
                            }
                            double scale = config.scaling(factors.rank(), config.alpha());
                            tensors.put(PREFIX + path + A, factors.a());
                            tensors.put(PREFIX + path + B, folded(factors, scale));
                        });
        adapter.savedModules().forEach((name, tensor) -> tensors.put(PREFIX + name, tensor));
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", "pt");
        adapter.provenance().forEach((key, value) -> metadata.put(PROVENANCE + key, value));
        byte[] json =
                PeftConfig.write(config, modulesToSave(adapter), otherRanks, card.baseModel());
        byte[] readme = card.render(adapter).getBytes(StandardCharsets.UTF_8);
        AtomicDirectory.write(
                directory,
                staging -> {
                    SafetensorsWriter.write(staging.resolve(MODEL_FILE), tensors, metadata, dtype);
                    Files.write(staging.resolve(CONFIG_FILE), json);
                    Files.write(staging.resolve(CARD_FILE), readme);
                });
    }

    private static HostTensor folded(Factors factors, double scale) {
        if (factors.scale() == scale) {
            return factors.b();
        }
        double ratio = factors.scale() / scale;
        float[] b = factors.b().toArray();
        for (int i = 0; i < b.length; i++) {
            b[i] = (float) (b[i] * ratio);
        }
        HostTensor folded = HostTensor.of(b, factors.b().shape().getShape());
        checkArgument(folded.isFinite(), "the scale %s is too great for B", factors.scale());
        return folded;
    }

    /** The modules that the configuration names and those of any other saved tensor. */
    private static Set<String> modulesToSave(LoraAdapter adapter) {
        Set<String> modules = new TreeSet<>(adapter.config().modulesToSave());
        for (String module : modules) {
            checkArgument(
                    adapter.savedModules().keySet().stream()
                            .anyMatch(name -> LoraConfig.isInModule(name, module)),
                    "the adapter lacks the tensors of %s, which its configuration saves",
                    module);
        }
        for (String name : adapter.savedModules().keySet()) {
            if (modules.stream().noneMatch(module -> LoraConfig.isInModule(name, module))) {
                int dot = name.lastIndexOf('.');
                checkArgument(dot > 0, "saved tensor '%s' is not named MODULE.PARAMETER", name);
                modules.add(name.substring(0, dot));
            }
        }
        return modules;
    }

    /**
     * Reads an adapter.
     *
     * @param directory a directory written by PEFT or by this class
     * @return the adapter, in single precision
     * @throws PeftFormatException if the configuration is malformed or asks for something that is
     *     not supported, or a tensor is missing, unexpected, of the wrong shape or not finite
     * @throws io.fairlora.safetensors.SafetensorsException if the tensors' file is malformed
     * @throws IOException if a file is missing or cannot be read
     */
    public static LoraAdapter read(Path directory) throws IOException {
        PeftConfig config = PeftConfig.read(existing(directory.resolve(CONFIG_FILE)));
        Path file = existing(directory.resolve(MODEL_FILE));
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            return new Reader(file, tensors, config).read();
        }
    }

    /**
     * Reads an adapter for a backbone: every layer that the configuration chooses must be there,
     * and no other.
     *
     * @param directory a directory written by PEFT or by this class
     * @param backbone the backbone that the adapter is for
     * @return the adapter, in single precision
     * @throws PeftFormatException if the adapter does not fit the backbone, or as for {@link
     *     #read(Path)}
     * @throws IOException as for {@link #read(Path)}
     */
    public static LoraAdapter read(Path directory, Backbone backbone) throws IOException {
        LoraAdapter adapter = read(directory);
        Path file = directory.resolve(MODEL_FILE);
        try {
            LoraInjector.layersOf(backbone, adapter);
            Set<String> chosen = LoraInjector.choose(backbone, adapter.config()).keySet();
            Set<String> missing = Sets.difference(chosen, adapter.layers().keySet());
            if (!missing.isEmpty()) {
                throw new PeftFormatException(file, "lacks the layers " + missing);
            }
        } catch (IllegalArgumentException e) {
            throw new PeftFormatException(file, String.valueOf(e.getMessage()));
        }
        return adapter;
    }

    private static Path existing(Path file) throws NoSuchFileException {
        if (!Files.isRegularFile(file)) {
            throw new NoSuchFileException(
                    file.toString(), null, "there is no such file; expected a PEFT directory");
        }
        return file;
    }

    /** One pass over the tensors. */
    private static final class Reader {

        private final Path file;
        private final SafetensorsFile tensors;
        private final PeftConfig peft;
        private final Map<String, String> keys = new LinkedHashMap<>();

        Reader(Path file, SafetensorsFile tensors, PeftConfig peft) throws PeftFormatException {
            this.file = file;
            this.tensors = tensors;
            this.peft = peft;
            for (String key : tensors.names()) {
                String name = key.startsWith(PREFIX) ? key.substring(PREFIX.length()) : key;
                if (keys.put(name, key) != null) {
                    throw new PeftFormatException(
                            file, "holds " + name + " both with and without " + PREFIX);
                }
            }
        }

        LoraAdapter read() throws IOException {
            Map<String, Factors> layers = new LinkedHashMap<>();
            Map<String, HostTensor> saved = new LinkedHashMap<>();
            for (String name : keys.keySet()) {
                if (name.endsWith(A)) {
                    String path = name.substring(0, name.length() - A.length());
                    layers.put(path, factors(path));
                } else if (name.endsWith(B)) {
                    tensor(name.substring(0, name.length() - B.length()) + A);
                } else if (isSaved(name)) {
                    saved.put(name, tensor(name));
                } else {
                    throw new PeftFormatException(file, "holds the unexpected tensor " + name);
                }
            }
            if (layers.isEmpty()) {
                throw new PeftFormatException(file, "holds no lora_A and lora_B of any layer");
            }
            for (String module : peft.config().modulesToSave()) {
                if (saved.keySet().stream().noneMatch(n -> LoraConfig.isInModule(n, module))) {
                    throw new PeftFormatException(
                            file, "lacks the tensors of " + module + ", listed in modules_to_save");
                }
            }
            String unused = peft.unusedPattern(layers.keySet());
            if (unused != null) {
                throw new PeftFormatException(
                        file,
                        "has no layer that matches "
                                + unused
                                + " of rank_pattern or alpha_pattern");
            }
            return new LoraAdapter(peft.config(), layers, saved, provenance());
        }

        private boolean isSaved(String name) {
            return peft.config().modulesToSave().stream()
                    .anyMatch(module -> LoraConfig.isInModule(name, module));
        }

        private Factors factors(String path) throws IOException {
            if (!peft.config().matches(path)) {
                throw new PeftFormatException(
                        file, "holds the layer " + path + ", which target_modules does not choose");
            }
            HostTensor a = tensor(path + A);
            HostTensor b = tensor(path + B);
            try {
                Factors factors = new Factors(a, b, peft.scaleOf(path));
                if (factors.rank() != peft.rankOf(path)) {
                    throw new PeftFormatException(
                            file,
                            "layer "
                                    + path
                                    + " has rank "
                                    + factors.rank()
                                    + ", expected "
                                    + peft.rankOf(path));
                }
                return factors;
            } catch (IllegalArgumentException e) {
                throw new PeftFormatException(file, "layer " + path + ": " + e.getMessage());
            }
        }

        private HostTensor tensor(String name) throws IOException {
            String key = keys.get(name);
            if (key == null) {
                throw new PeftFormatException(file, "lacks the tensor " + name);
            }
            HostTensor tensor = tensors.read(key);
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
}
