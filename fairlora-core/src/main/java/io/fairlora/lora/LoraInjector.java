package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.nn.Parameter;
import io.fairlora.ndarray.HostTensor;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** Puts adapters into the layers of a backbone. */
public final class LoraInjector {

    private static final int NAMED_IN_MESSAGE = 5;

    private LoraInjector() {}

    /**
     * Puts fresh trainable adapters into the layers that a configuration chooses. They change no
     * output yet, unless the initialisation is {@link Initialization#RANDOM}. The arrays have the
     * type of the layers' weights.
     *
     * @param backbone its layers
     * @param config which layers, and the rank
     * @param name a name not in use in these layers
     * @param seed decides the random values
     * @return the adapter in its place, which the caller closes before the backbone
     * @throws IllegalArgumentException if the configuration chooses no layer, one of its names or
     *     patterns fits none, its initialisation does not suit a layer, the name is taken, or
     *     another adapter has replaced a bias that this one trains
     */
    public static InjectedLora inject(
            Backbone backbone, LoraConfig config, String name, long seed) {
        Map<String, LoraLayer> chosen = choose(backbone, config);
        Map<String, BiasedLayer> biased = AdapterBiases.chosen(backbone, chosen, config);
        Map<String, Parameter> biases = new LinkedHashMap<>();
        biased.forEach((bias, layer) -> biases.put(bias, AdapterBiases.frozen(layer)));
        LoraAdapter adapter = InitialFactors.of(chosen, biases, config, new SplittableRandom(seed));
        InjectedLora injected =
                InjectedLora.load(
                        backbone,
                        chosen,
                        biased,
                        PrincipalFactors.ofFresh(adapter),
                        adapter,
                        checkName(name),
                        1,
                        true);
        return enabled(injected);
    }

    /**
     * Puts a given adapter into the layers that it names. It may come from the other party: paths,
     * shapes and values are checked. Its saved modules are left to the caller.
     *
     * @param backbone its layers
     * @param adapter the adapter
     * @param name a name not in use in these layers
     * @param factor what the adapter's change is multiplied by; -1 subtracts it
     * @param trainable whether the arrays receive gradients
     * @return the adapter in its place, which the caller closes before the backbone
     * @throws IllegalArgumentException if the backbone lacks a layer of the adapter, a shape does
     *     not fit, an element is not finite, the name is taken, or another adapter has replaced a
     *     bias that this one brings
     */
    public static InjectedLora attach(
            Backbone backbone, LoraAdapter adapter, String name, double factor, boolean trainable) {
        checkArgument(Double.isFinite(factor), "factor must be finite, found %s", factor);
        return enabled(load(backbone, adapter, name, factor, trainable));
    }

    private static InjectedLora enabled(InjectedLora injected) {
        try {
            injected.setEnabled(true);
            return injected;
        } catch (RuntimeException e) {
            injected.close();
            throw e;
        }
    }

    /** Brings an adapter beside its layers, which do not apply it yet. */
    static InjectedLora load(
            Backbone backbone, LoraAdapter adapter, String name, double factor, boolean trainable) {
        checkName(name);
        Map<String, LoraLayer> layers = layersOf(backbone, adapter);
        return InjectedLora.load(
                backbone,
                layers,
                AdapterBiases.chosen(backbone, layers, adapter.config()),
                PrincipalFactors.of(layers, adapter),
                adapter,
                name,
                factor,
                trainable);
    }

    /** The layers that an adapter names, in its order, once it has been found to fit them. */
    static Map<String, LoraLayer> layersOf(Backbone backbone, LoraAdapter adapter) {
        Map<String, LoraLayer> all = backbone.loraLayers();
        Map<String, LoraLayer> layers = new LinkedHashMap<>();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            LoraLayer layer = all.get(path);
                            checkArgument(
                                    layer != null,
                                    "the backbone has no adaptable layer %s of the adapter, nearest"
                                            + " are %s",
                                    path,
                                    nearest(all.keySet(), path));
                            checkFits(path, factors, layer);
                            layers.put(path, layer);
                        });
        AdapterBiases.check(adapter, AdapterBiases.chosen(backbone, layers, adapter.config()));
        return layers;
    }

    private static void checkFits(String path, LoraAdapter.Factors factors, LoraLayer layer) {
        checkArgument(
                factors.kind().equals(layer.kind()),
                "layer %s of the adapter is %s, expected %s",
                path,
                factors.kind(),
                layer.kind());
        checkArgument(
                factors.inputSize() == layer.inputSize()
                        && factors.outputSize() == layer.outputSize(),
                "layer %s of the adapter has A %s and B %s, expected (r, %s) and (%s, r)",
                path,
                factors.a().shape(),
                factors.b().shape(),
                layer.inputSize(),
                layer.outputSize());
        checkArgument(
                factors.parameters().values().stream().allMatch(HostTensor::isFinite),
                "layer %s of the adapter has elements that are not finite",
                path);
    }

    /** The layers that a configuration chooses; at least one, and one for each of its names. */
    static Map<String, LoraLayer> choose(Backbone backbone, LoraConfig config) {
        Map<String, LoraLayer> all = backbone.loraLayers();
        for (String target : config.targetModules()) {
            checkArgument(
                    all.keySet().stream().anyMatch(path -> ModuleSelection.isNamed(path, target)),
                    "target module '%s' matches no adaptable layer of the backbone, nearest are %s",
                    target,
                    nearest(all.keySet(), target));
        }
        Map<String, LoraLayer> chosen = new LinkedHashMap<>();
        all.forEach(
                (path, layer) -> {
                    if (config.matches(path, layer.kind())) {
                        chosen.put(path, layer);
                    }
                });
        checkArgument(
                !chosen.isEmpty(),
                "%s chooses no adaptable layer of the backbone, nearest are %s",
                config,
                nearest(all.keySet(), wanted(config)));
        Optional<String> unused = config.unusedPattern(chosen.keySet());
        checkArgument(
                unused.isEmpty(),
                "no adapted layer matches '%s' of rankPattern or alphaPattern, nearest are %s",
                unused.orElse(""),
                nearest(chosen.keySet(), unused.orElse("")));
        return chosen;
    }

    private static String wanted(LoraConfig config) {
        return config.targetModules().isEmpty() ? config.targets() : config.targetModules().get(0);
    }

    private static String checkName(String name) {
        checkArgument(!name.isBlank(), "an adapter's name must not be blank");
        return name;
    }

    /**
     * The paths nearest to a wanted one by edit distance, of the whole or of the same last parts.
     */
    private static List<String> nearest(Iterable<String> paths, String wanted) {
        Map<String, Integer> distances = new LinkedHashMap<>();
        for (String path : paths) {
            int parts = wanted.split("\\.", -1).length;
            String[] all = path.split("\\.", -1);
            int from = Math.max(0, all.length - parts);
            String end = String.join(".", List.of(all).subList(from, all.length));
            distances.put(path, editDistance(end, wanted));
        }
        return distances.entrySet().stream()
                .sorted(Comparator.comparingInt(Map.Entry::getValue))
                .limit(NAMED_IN_MESSAGE)
                .map(Map.Entry::getKey)
                .toList();
    }

    /** The least number of characters to insert, delete or replace (Levenshtein 1966). */
    private static int editDistance(String a, String b) {
        int[] previous = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int[] current = new int[b.length() + 1];
            current[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
            }
            previous = current;
        }
        return previous[b.length()];
    }
}
