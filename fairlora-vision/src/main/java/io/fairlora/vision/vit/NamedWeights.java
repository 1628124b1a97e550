package io.fairlora.vision.vit;

import ai.djl.nn.Parameter;
import io.fairlora.lora.BiasedLayer;
import io.fairlora.lora.LoraLayer;
import io.fairlora.vision.vit.VitConfig.FeedForward;
import io.fairlora.vision.vit.WeightNames.Part;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The weights and layers of a transformer under the names of its layout, as they are applied. */
final class NamedWeights {

    private final Map<String, Parameter> weights = new LinkedHashMap<>();
    private final Map<String, LoraLayer> loraLayers = new LinkedHashMap<>();
    private final Map<String, BiasedLayer> biased = new LinkedHashMap<>();

    NamedWeights(
            VitConfig config,
            WeightNames names,
            Embeddings embeddings,
            List<TransformerLayer> layers,
            Norm finalNorm) {
        put(names.path(Part.CLASS_TOKEN), embeddings.classToken);
        put(names.path(Part.DISTILLATION_TOKEN), embeddings.distillationToken);
        put(names.path(Part.REGISTERS), embeddings.registers);
        putPositions(names.path(Part.POSITIONS), embeddings.positions);
        put(names.path(Part.PATCHES), embeddings.projection);
        if (embeddings.norm != null) {
            put(names.path(Part.STEM_NORM), embeddings.norm);
        }
        boolean gated = config.feedForward() != FeedForward.MLP;
        for (int i = 0; i < layers.size(); i++) {
            TransformerLayer layer = layers.get(i);
            put(names.layer(i, Part.NORM_BEFORE), layer.normBefore);
            put(names.layer(i, Part.QUERY), layer.query);
            put(names.layer(i, Part.KEY), layer.key);
            put(names.layer(i, Part.VALUE), layer.value);
            put(names.layer(i, Part.OUTPUT), layer.output);
            put(names.layer(i, Part.ATTENTION_SCALE), layer.attentionScale);
            put(names.layer(i, Part.NORM_AFTER), layer.normAfter);
            put(names.layer(i, gated ? Part.GATED_IN : Part.FC1), layer.intermediate);
            put(names.layer(i, gated ? Part.GATED_OUT : Part.FC2), layer.mlpOutput);
            put(names.layer(i, Part.FEED_FORWARD_SCALE), layer.feedForwardScale);
        }
        boolean pooledFirst = config.pooling() == Pooling.MEAN_NORM;
        put(names.path(pooledFirst ? Part.POOLED_NORM : Part.FINAL_NORM), finalNorm);
    }

    Map<String, Parameter> weights() {
        return Collections.unmodifiableMap(weights);
    }

    /** The layers that can carry adapters. */
    Map<String, LoraLayer> loraLayers() {
        return Collections.unmodifiableMap(loraLayers);
    }

    /** The layers that have a bias. */
    Map<String, BiasedLayer> biased() {
        return Collections.unmodifiableMap(biased);
    }

    private void put(String name, @Nullable Parameter parameter) {
        if (parameter != null) {
            weights.put(name, parameter);
        }
    }

    private void put(String path, LoraLayer layer) {
        put(path + ".weight", layer.weight());
        loraLayers.put(path, layer);
        putBias(path, layer);
    }

    /** PEFT adapts positions where they are a module with a weight, not a parameter alone. */
    private void putPositions(String name, LoraLayer positions) {
        if (name.endsWith(".weight")) {
            put(name.substring(0, name.length() - ".weight".length()), positions);
        } else {
            put(name, positions.weight());
        }
    }

    private void put(String path, Norm norm) {
        put(path + ".weight", norm.gamma);
        putBias(path, norm);
    }

    private void putBias(String path, BiasedLayer layer) {
        Parameter bias = layer.bias();
        if (bias != null) {
            put(path + ".bias", bias);
            biased.put(path, layer);
        }
    }
}
