package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;

/** The biases of a backbone that an adapter replaces, by their names. */
final class AdapterBiases {

    private static final String SUFFIX = ".bias";

    private AdapterBiases() {}

    /**
     * The layers whose biases a configuration trains, by the biases' names.
     *
     * @param layers the adapted layers by path
     */
    static Map<String, BiasedLayer> chosen(
            Backbone backbone, Map<String, LoraLayer> layers, LoraConfig config) {
        Map<String, ? extends BiasedLayer> candidates =
                switch (config.bias()) {
                    case NONE -> Map.of();
                    case LORA_ONLY -> layers;
                    case ALL -> all(backbone);
                };
        Map<String, BiasedLayer> chosen = new LinkedHashMap<>();
        candidates.forEach(
                (path, layer) -> {
                    if (layer.bias() != null) {
                        chosen.put(nameOf(path), layer);
                    }
                });
        return chosen;
    }

    private static Map<String, BiasedLayer> all(Backbone backbone) {
        Map<String, BiasedLayer> all = backbone.biasedLayers();
        checkArgument(
                !all.isEmpty(),
                "bias ALL trains every bias of the backbone, but this backbone does not name those"
                        + " outside its adaptable layers; LORA_ONLY trains those of adapted layers");
        return all;
    }

    /** The name of a layer's bias. */
    static String nameOf(String path) {
        return path + SUFFIX;
    }

    /** The path of the layer that a bias is of. */
    static String pathOf(String name) {
        return name.substring(0, name.length() - SUFFIX.length());
    }

    /** Checks that an adapter brings no biases but those that its configuration trains. */
    static void check(LoraAdapter adapter, Map<String, BiasedLayer> chosen) {
        adapter.biases()
                .forEach(
                        (name, tensor) -> {
                            BiasedLayer layer = chosen.get(name);
                            checkArgument(
                                    layer != null,
                                    "the adapter has the bias %s, expected some of %s",
                                    name,
                                    chosen.keySet());
                            checkArgument(
                                    tensor.shape().equals(frozen(layer).getArray().getShape()),
                                    "the bias %s of the adapter is %s, expected %s",
                                    name,
                                    tensor.shape(),
                                    frozen(layer).getArray().getShape());
                            checkArgument(
                                    tensor.isFinite(),
                                    "the bias %s of the adapter has elements that are not finite",
                                    name);
                        });
    }

    /** The frozen bias of a layer that has one. */
    static Parameter frozen(BiasedLayer layer) {
        Parameter bias = layer.bias();
        checkArgument(bias != null, "the layer has no bias");
        return bias;
    }
}
