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
import java.util.Optional;
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

    /** What stands before every name in a file. */
    static final String PREFIX = "base_model.model.";

    /** What PEFT puts into the name of an adapted layer's own parameters. */
    static final String BASE_LAYER = ".base_layer";

    static final String BIAS = ".bias";

    /** What stands before the names of provenance among the metadata. */
    static final String PROVENANCE = "fairlora.";

    /** The name among the metadata of the seed of a randomised PISSA. */
    private static final String PISSA_SEED = "pissa_seed";

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
        checkArgument(adapter.isFinite(), "the adapter has elements that are not finite");
        LoraAdapter written = folded(adapter);
        Map<String, HostTensor> tensors = new TreeMap<>();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        written.layers()
                .forEach(
                        (path, factors) -> {
                            factors.tensors()
                                    .forEach(
                                            (end, tensor) ->
                                                    tensors.put(PREFIX + path + "." + end, tensor));
                            ranks.put(path, factors.rank());
                        });
        written.biases()
                .forEach(
                        (name, tensor) ->
                                tensors.put(
                                        PREFIX + inFile(name, written.layers().keySet()), tensor));
        written.savedModules().forEach((name, tensor) -> tensors.put(PREFIX + name, tensor));
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", "pt");
        written.config()
                .pissaSvd()
                .ifPresent(svd -> metadata.put(PISSA_SEED, Long.toString(svd.seed())));
        written.provenance().forEach((key, value) -> metadata.put(PROVENANCE + key, value));
        byte[] json = PeftConfig.write(written.config(), ranks, card.baseModel());
        byte[] readme = card.render(written, dtype).getBytes(StandardCharsets.UTF_8);
        AtomicDirectory.write(
                directory,
                staging -> {
                    SafetensorsWriter.write(staging.resolve(MODEL_FILE), tensors, metadata, dtype);
                    Files.write(staging.resolve(CONFIG_FILE), json);
                    Files.write(staging.resolve(CARD_FILE), readme);
                });
    }

    /** The name of a bias in a file: that of an adapted layer has a part more. */
    private static String inFile(String bias, Set<String> adapted) {
        String path = bias.substring(0, bias.length() - BIAS.length());
        return adapted.contains(path) ? path + BASE_LAYER + BIAS : bias;
    }

    /** The same adapter as PEFT can express it: scales from alpha, saved modules listed. */
    private static LoraAdapter folded(LoraAdapter adapter) {
        LoraConfig config = adapter.config();
        Map<String, Factors> layers = new LinkedHashMap<>();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            checkArgument(
                                    config.matches(path),
                                    "the adapter's %s does not choose its layer %s",
                                    config,
                                    path);
                            double scale = config.scaling(factors.rank(), config.alphaOf(path));
                            layers.put(path, folded(path, factors, scale, adapter));
                        });
        String[] saved = modulesToSave(adapter).toArray(new String[0]);
        return new LoraAdapter(
                config.toBuilder().modulesToSave(saved).build(),
                layers,
                adapter.biases(),
                adapter.savedModules(),
                adapter.provenance());
    }

    /** The same change under another scale, which B takes in. */
    private static Factors folded(String path, Factors factors, double scale, LoraAdapter adapter) {
        if (factors.scale() == scale) {
            return factors;
        }
        checkArgument(
                adapter.isAdditive(),
                "layer %s has the scale %s where alpha and rank make %s, which neither DoRA nor an"
                        + " initialisation from the base weights can hold",
                path,
                factors.scale(),
                scale);
        double ratio = factors.scale() / scale;
        HostTensor bias = factors.bias();
        return factors.with(
                factors.a(),
                times(factors.b(), ratio),
                scale,
                bias == null ? null : times(bias, ratio));
    }

    private static HostTensor times(HostTensor tensor, double ratio) {
        float[] values = tensor.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] * ratio);
        }
        HostTensor product = HostTensor.of(values, tensor.shape().getShape());
        checkArgument(product.isFinite(), "the scale is too great for B by the factor %s", ratio);
        return product;
    }

    /** The modules that the configuration names and those of any other saved tensor. */
    private static Set<String> modulesToSave(LoraAdapter adapter) {
        Set<String> modules = new TreeSet<>(adapter.config().modulesToSave());
        for (String module : modules) {
            checkArgument(
                    adapter.savedModules().keySet().stream()
                            .anyMatch(name -> ModuleSelection.isInModule(name, module)),
                    "the adapter lacks the tensors of %s, which its configuration saves",
                    module);
        }
        for (String name : adapter.savedModules().keySet()) {
            if (modules.stream().noneMatch(module -> ModuleSelection.isInModule(name, module))) {
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
        Path settings = existing(directory.resolve(CONFIG_FILE));
        Path file = existing(directory.resolve(MODEL_FILE));
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            Optional<String> seed = Optional.ofNullable(tensors.metadata().get(PISSA_SEED));
            LoraConfig config = PeftConfig.read(settings, seed);
            return new PeftReader(file, tensors, config).read();
        } catch (IllegalArgumentException e) {
            throw new PeftFormatException(file, String.valueOf(e.getMessage()));
        }
    }

    /**
     * Reads an adapter for a backbone: every layer that the configuration chooses must be there,
     * and no other. Layers may be named as in a classifier over the backbone, such as {@code
     * vit.encoder...} for {@code encoder...}; they get the backbone's names.
     *
     * @param directory a directory written by PEFT or by this class
     * @param backbone the backbone that the adapter is for
     * @return the adapter, in single precision
     * @throws PeftFormatException if the adapter does not fit the backbone, or as for {@link
     *     #read(Path)}
     * @throws IOException as for {@link #read(Path)}
     */
    public static LoraAdapter read(Path directory, Backbone backbone) throws IOException {
        LoraAdapter adapter = asIn(backbone, read(directory));
        Path file = directory.resolve(MODEL_FILE);
        try {
            LoraInjector.layersOf(backbone, adapter);
            Set<String> chosen = LoraInjector.choose(backbone, adapter.config()).keySet();
            Set<String> missing = Sets.difference(chosen, adapter.layers().keySet());
            if (!missing.isEmpty()) {
                throw new PeftFormatException(file, "lacks the layers " + missing);
            }
            checkBiases(file, adapter, backbone);
        } catch (IllegalArgumentException e) {
            throw new PeftFormatException(file, String.valueOf(e.getMessage()));
        }
        return adapter;
    }

    /**
     * Without the first part of all names, if the backbone knows the first layer without it only.
     */
    private static LoraAdapter asIn(Backbone backbone, LoraAdapter adapter) {
        Set<String> known = backbone.loraLayers().keySet();
        String first = adapter.layers().keySet().iterator().next();
        String prefix = first.substring(0, first.indexOf('.') + 1);
        if (known.contains(first) || !known.contains(first.substring(prefix.length()))) {
            return adapter;
        }
        return new LoraAdapter(
                adapter.config(),
                without(prefix, adapter.layers()),
                without(prefix, adapter.biases()),
                adapter.savedModules(),
                adapter.provenance());
    }

    private static <T> Map<String, T> without(String prefix, Map<String, T> named) {
        Map<String, T> renamed = new LinkedHashMap<>();
        named.forEach(
                (name, value) ->
                        renamed.put(
                                name.startsWith(prefix) ? name.substring(prefix.length()) : name,
                                value));
        return renamed;
    }

    /** PEFT saves all biases with bias = "all", and up to 0.20 none with "lora_only". */
    private static void checkBiases(Path file, LoraAdapter adapter, Backbone backbone)
            throws PeftFormatException {
        Set<String> trained =
                AdapterBiases.chosen(
                                backbone,
                                LoraInjector.layersOf(backbone, adapter),
                                adapter.config())
                        .keySet();
        Set<String> missing = Sets.difference(trained, adapter.biases().keySet());
        boolean omitted =
                adapter.config().bias() == TrainedBias.LORA_ONLY && adapter.biases().isEmpty();
        if (!missing.isEmpty() && !omitted) {
            throw new PeftFormatException(file, "lacks the biases " + missing);
        }
    }

    private static Path existing(Path file) throws NoSuchFileException {
        if (!Files.isRegularFile(file)) {
            throw new NoSuchFileException(
                    file.toString(), null, "there is no such file; expected a PEFT directory");
        }
        return file;
    }
}
