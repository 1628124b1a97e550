package io.fairlora.lora;

import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** Adapters with random factors, for tests. */
final class RandomAdapters {

    private RandomAdapters() {}

    /** An adapter for the layers that a configuration chooses, with nonzero A and B. */
    static LoraAdapter of(Backbone backbone, LoraConfig config, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>();
        LoraInjector.choose(backbone, config)
                .forEach(
                        (path, layer) ->
                                layers.put(
                                        path,
                                        new LoraAdapter.Factors(
                                                tensor(random, config.rank(), layer.inputSize()),
                                                tensor(random, layer.outputSize(), config.rank()),
                                                config.scaling())));
        return LoraAdapter.of(config, layers);
    }

    static HostTensor tensor(SplittableRandom random, long rows, long columns) {
        float[] values = new float[(int) (rows * columns)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextDouble() - 0.5);
        }
        return HostTensor.of(values, rows, columns);
    }
}
