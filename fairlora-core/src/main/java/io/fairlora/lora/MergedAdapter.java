package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * An adapter that has been written into a backbone's weights by {@link AdapterMath#merge}, and what
 * takes it out again. Holds Java memory only, about the adapter's own size.
 */
public final class MergedAdapter {

    private final NDManager manager;
    private final LoraAdapter adapter;
    private final Map<String, Factors> principals;
    private final Map<String, LoraLayer> layers;
    private final Map<String, HostTensor> gains = new LinkedHashMap<>();
    private final Map<String, BiasedLayer> biased;
    private final Map<String, HostTensor> biasesBefore = new LinkedHashMap<>();
    private boolean undone;

    private MergedAdapter(Backbone backbone, LoraAdapter adapter) {
        manager = backbone.manager();
        this.adapter = adapter;
        layers = LoraInjector.layersOf(backbone, adapter);
        principals = PrincipalFactors.of(layers, adapter);
        biased = AdapterBiases.chosen(backbone, layers, adapter.config());
        biased.keySet().retainAll(adapter.biases().keySet());
        layers.forEach(
                (path, layer) -> {
                    if (adapter.layer(path).bias() != null) {
                        checkArgument(
                                layer.bias() != null,
                                "layer %s has no bias into which that of B could be merged",
                                path);
                        biased.put(AdapterBiases.nameOf(path), layer);
                    }
                });
    }

    static MergedAdapter merge(Backbone backbone, LoraAdapter adapter, int sign) {
        MergedAdapter merged = new MergedAdapter(backbone, adapter);
        // All are checked before the first is changed.
        merged.layers.forEach((path, layer) -> merged.change(path, layer, sign, false));
        merged.biased.forEach((name, layer) -> merged.changeBias(name, layer, sign, false));
        merged.layers.forEach((path, layer) -> merged.change(path, layer, sign, true));
        merged.biased.forEach((name, layer) -> merged.changeBias(name, layer, sign, true));
        merged.changed();
        return merged;
    }

    private void change(String path, LoraLayer layer, int sign, boolean write) {
        NDArray weight = layer.weight().getArray();
        inScratch(
                scratch -> {
                    NDArray changed = matrix(layer, scratch);
                    changed.addi(delta(path, weight.getDataType(), sign, scratch));
                    HostTensor magnitude = adapter.layer(path).magnitude();
                    if (magnitude != null) {
                        NDArray norms = changed.square().sum(new int[] {1}).sqrt();
                        NDArray gain = create(magnitude, weight.getDataType(), scratch).div(norms);
                        gains.put(path, HostTensor.copyOf(gain));
                        changed.muli(gain.reshape(-1, 1));
                    }
                    checkFinite(changed, "weights", path);
                    if (write) {
                        weight.set(
                                new NDIndex(":"), layer.kind().weight(changed, weight.getShape()));
                    }
                });
    }

    /** A copy of the layer's W. */
    private static NDArray matrix(LoraLayer layer, NDManager scratch) {
        NDArray copy = layer.weight().getArray().duplicate();
        copy.attach(scratch);
        return layer.kind().matrix(copy, scratch);
    }

    /** The sum of products that is added to a weight, times a sign. */
    private NDArray delta(String path, DataType type, int sign, NDManager scratch) {
        NDArray delta = product(adapter.layer(path), type, scratch).muli(sign);
        Factors principal = principals.get(path);
        return principal == null ? delta : delta.subi(product(principal, type, scratch).muli(sign));
    }

    private static NDArray product(Factors factors, DataType type, NDManager scratch) {
        return create(factors.b(), type, scratch)
                .matMul(create(factors.a(), type, scratch))
                .muli(factors.scale());
    }

    private void changeBias(String name, BiasedLayer layer, int sign, boolean write) {
        NDArray bias = AdapterBiases.frozen(layer).getArray();
        inScratch(
                scratch -> {
                    HostTensor replacement = adapter.biases().get(name);
                    NDArray changed;
                    if (replacement == null) {
                        changed = bias.duplicate();
                        changed.attach(scratch);
                    } else {
                        changed = create(replacement, bias.getDataType(), scratch);
                    }
                    Factors factors = adapter.layers().get(AdapterBiases.pathOf(name));
                    HostTensor own = factors == null ? null : factors.bias();
                    if (factors != null && own != null) {
                        changed.addi(
                                create(own, bias.getDataType(), scratch)
                                        .muli(sign * factors.scale()));
                    }
                    checkFinite(changed, "a bias", name);
                    if (write) {
                        biasesBefore.put(name, HostTensor.copyOf(bias));
                        bias.set(new NDIndex(":"), changed);
                    }
                });
    }

    /**
     * Takes the adapter out of the weights again. Weights return to what they were up to rounding,
     * biases exactly.
     *
     * @throws IllegalStateException if it has been taken out already, or a row of a weight has the
     *     trained length 0, from which there is no way back; then no weight has changed
     */
    public void unmerge() {
        checkState(!undone, "the adapter has been taken out already");
        gains.forEach(
                (path, gain) -> {
                    for (int i = 0; i < gain.size(); i++) {
                        checkState(
                                gain.get(i) != 0,
                                "row %s of layer %s was merged with the length 0 and is lost",
                                i,
                                path);
                    }
                });
        undone = true;
        layers.forEach(this::undo);
        biasesBefore.forEach(
                (name, before) -> {
                    BiasedLayer layer = biased.get(name);
                    if (layer != null) {
                        restore(AdapterBiases.frozen(layer), before);
                    }
                });
        changed();
    }

    private void changed() {
        layers.values().forEach(LoraLayer::weightChanged);
        biased.values().forEach(BiasedLayer::weightChanged);
    }

    private void undo(String path, LoraLayer layer) {
        NDArray weight = layer.weight().getArray();
        inScratch(
                scratch -> {
                    HostTensor gain = gains.get(path);
                    NDArray before = matrix(layer, scratch);
                    if (gain != null) {
                        before.divi(create(gain, weight.getDataType(), scratch).reshape(-1, 1));
                    }
                    before.subi(delta(path, weight.getDataType(), 1, scratch));
                    weight.set(new NDIndex(":"), layer.kind().weight(before, weight.getShape()));
                });
    }

    private void restore(Parameter bias, HostTensor before) {
        inScratch(
                scratch ->
                        bias.getArray()
                                .set(
                                        new NDIndex(":"),
                                        create(before, bias.getArray().getDataType(), scratch)));
    }

    private static NDArray create(HostTensor tensor, DataType type, NDManager scratch) {
        return tensor.toNDArray(scratch).toType(type, false);
    }

    /** Does something with memory of its own. */
    private void inScratch(Consumer<NDManager> step) {
        GradientMode.OFF.run(
                () -> {
                    try (NDManager scratch = manager.newSubManager()) {
                        step.accept(scratch);
                    }
                });
    }

    private static void checkFinite(NDArray array, String what, String path) {
        // Zero times a sum is zero unless an element is infinite or not a number.
        checkArgument(
                HostTensor.copyOf(array.mul(0).sum()).isFinite(),
                "merging would make %s of %s infinite or not a number",
                what,
                path);
    }
}
