package io.fairlora.vision.vit;

import ai.djl.nn.Parameter;
import io.fairlora.lora.LoraLinear;
import io.fairlora.vision.vit.VitConfig.FeedForward;
import io.fairlora.vision.vit.WeightNames.Part;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The weights of a transformer under the names of its layout, in the order of application. */
final class NamedWeights {

    private final Map<String, Parameter> weights = new LinkedHashMap<>();

    private NamedWeights() {}

    static Map<String, Parameter> of(
            VitConfig config,
            WeightNames names,
            Embeddings embeddings,
            List<TransformerLayer> layers,
            Norm finalNorm) {
        NamedWeights named = new NamedWeights();
        named.put(names.path(Part.CLASS_TOKEN), embeddings.classToken);
        named.put(names.path(Part.DISTILLATION_TOKEN), embeddings.distillationToken);
        named.put(names.path(Part.REGISTERS), embeddings.registers);
        named.put(names.path(Part.POSITIONS), embeddings.positions);
        named.put(names.path(Part.PATCHES), embeddings.projection);
        if (embeddings.norm != null) {
            named.put(names.path(Part.STEM_NORM), embeddings.norm);
        }
        for (int i = 0; i < layers.size(); i++) {
            TransformerLayer layer = layers.get(i);
            named.put(names.layer(i, Part.NORM_BEFORE), layer.normBefore);
            named.put(names.layer(i, Part.QUERY), layer.query);
            named.put(names.layer(i, Part.KEY), layer.key);
            named.put(names.layer(i, Part.VALUE), layer.value);
            named.put(names.layer(i, Part.OUTPUT), layer.output);
            named.put(names.layer(i, Part.ATTENTION_SCALE), layer.attentionScale);
            named.put(names.layer(i, Part.NORM_AFTER), layer.normAfter);
            named.put(names.layer(i, first(config)), layer.intermediate);
            named.put(names.layer(i, second(config)), layer.mlpOutput);
            named.put(names.layer(i, Part.FEED_FORWARD_SCALE), layer.feedForwardScale);
        }
        boolean pooledFirst = config.pooling() == Pooling.MEAN_NORM;
        named.put(names.path(pooledFirst ? Part.POOLED_NORM : Part.FINAL_NORM), finalNorm);
        return Collections.unmodifiableMap(named.weights);
    }

    /** The linear layers that can carry adapters. */
    static Map<String, LoraLinear> linears(
            VitConfig config, WeightNames names, List<TransformerLayer> layers) {
        Map<String, LoraLinear> found = new LinkedHashMap<>();
        for (int i = 0; i < layers.size(); i++) {
            TransformerLayer layer = layers.get(i);
            found.put(names.layer(i, Part.QUERY), layer.query);
            found.put(names.layer(i, Part.KEY), layer.key);
            found.put(names.layer(i, Part.VALUE), layer.value);
            found.put(names.layer(i, Part.OUTPUT), layer.output);
            found.put(names.layer(i, first(config)), layer.intermediate);
            found.put(names.layer(i, second(config)), layer.mlpOutput);
        }
        return Collections.unmodifiableMap(found);
    }

    private static Part first(VitConfig config) {
        return config.feedForward() == FeedForward.MLP ? Part.FC1 : Part.GATED_IN;
    }

    private static Part second(VitConfig config) {
        return config.feedForward() == FeedForward.MLP ? Part.FC2 : Part.GATED_OUT;
    }

    private void put(String name, @Nullable Parameter parameter) {
        if (parameter != null) {
            weights.put(name, parameter);
        }
    }

    private void put(String path, LoraLinear linear) {
        put(path + ".weight", linear.weight());
        put(path + ".bias", linear.bias());
    }

    private void put(String path, Norm norm) {
        put(path + ".weight", norm.gamma);
        put(path + ".bias", norm.beta);
    }
}
