package io.fairlora.party;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Adapters as a dishonest or broken party would send them. */
public final class Hostile {

    private Hostile() {}

    /** The adapter with the first layer's A changed. */
    public static LoraAdapter withFirst(LoraAdapter adapter, UnaryOperator<float[]> change) {
        Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>(adapter.layers());
        String first = layers.keySet().iterator().next();
        LoraAdapter.Factors factors = layers.get(first);
        HostTensor a =
                HostTensor.of(change.apply(factors.a().toArray()), factors.a().shape().getShape());
        layers.put(first, new LoraAdapter.Factors(a, factors.b(), factors.scale()));
        return adapter.withLayers(layers);
    }

    /** The adapter with an element that is not a number. */
    public static LoraAdapter poisoned(LoraAdapter adapter) {
        return withFirst(
                adapter,
                a -> {
                    a[1] = Float.NaN;
                    return a;
                });
    }

    /** The adapter with one huge element. */
    public static LoraAdapter huge(LoraAdapter adapter) {
        return withFirst(
                adapter,
                a -> {
                    a[1] = 1e30f;
                    return a;
                });
    }
}
