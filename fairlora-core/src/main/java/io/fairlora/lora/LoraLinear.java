package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer with any number of named low-rank adapters:
 *
 * <pre>y = x W0^T + b + sum over adapters i of scale_i (x A_i^T) B_i^T</pre>
 *
 * with W0 (out, in), A_i (r_i, in), B_i (out, r_i). A scale may be negative. Without adapters it is
 * a plain linear layer. Only the adapters' arrays can receive gradients, and the product B A is
 * never formed.
 *
 * <p>Input {@code (..., in)}, output {@code (..., out)}. Not safe for use from several threads
 * while adapters are added or removed.
 */
public final class LoraLinear extends AbstractBlock {

    private final long inputSize;
    private final long outputSize;
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final Map<String, Adapter> adapters = new LinkedHashMap<>();
    private final Map<String, Dropout> dropouts = new HashMap<>();

    /**
     * One adapter in this layer; the arrays stay the caller's.
     *
     * @param a A, of shape (r, in)
     * @param b B, of shape (out, r)
     * @param scale what B A is multiplied by
     */
    public record Adapter(NDArray a, NDArray b, double scale) {}

    /** What decides which elements of an adapter's input are dropped. */
    private record Dropout(double probability, SplittableRandom random) {

        /** Sets elements to zero and divides the others by the probability of being kept. */
        NDArray apply(NDArray x) {
            float[] mask = new float[Math.toIntExact(x.size())];
            float kept = (float) (1 / (1 - probability));
            for (int i = 0; i < mask.length; i++) {
                mask[i] = random.nextDouble() < probability ? 0 : kept;
            }
            NDArray factors =
                    x.getManager().create(mask, x.getShape()).toType(x.getDataType(), false);
            return x.mul(factors);
        }
    }

    /**
     * A layer whose weights are still to be set.
     *
     * @param inputSize the number of input features
     * @param outputSize the number of output features
     * @param hasBias whether a bias is added
     */
    @SuppressWarnings("this-escape")
    public LoraLinear(long inputSize, long outputSize, boolean hasBias) {
        this.inputSize = inputSize;
        this.outputSize = outputSize;
        weight =
                addParameter(
                        Parameter.builder()
                                .setName("weight")
                                .setType(Parameter.Type.WEIGHT)
                                .optShape(new Shape(outputSize, inputSize))
                                .build());
        bias =
                hasBias
                        ? addParameter(
                                Parameter.builder()
                                        .setName("bias")
                                        .setType(Parameter.Type.BIAS)
                                        .optShape(new Shape(outputSize))
                                        .build())
                        : null;
    }

    private LoraLinear(LoraLinear shared) {
        inputSize = shared.inputSize;
        outputSize = shared.outputSize;
        weight = shared.weight;
        bias = shared.bias;
        inputShapes = shared.inputShapes;
        parameters.putAll(shared.parameters);
    }

    /**
     * A layer over the same frozen weights with adapters of its own.
     *
     * @return a layer without adapters; it must not outlive this one's weights
     */
    public LoraLinear fork() {
        return new LoraLinear(this);
    }

    /**
     * The number of input features.
     *
     * @return in
     */
    public long inputSize() {
        return inputSize;
    }

    /**
     * The number of output features.
     *
     * @return out
     */
    public long outputSize() {
        return outputSize;
    }

    /**
     * The frozen weight W0.
     *
     * @return a parameter of shape (out, in)
     */
    public Parameter weight() {
        return weight;
    }

    /**
     * The frozen bias.
     *
     * @return a parameter of shape (out), or {@code null} if the layer has none
     */
    public @Nullable Parameter bias() {
        return bias;
    }

    /**
     * Adds an adapter. Outputs are summed in the order in which adapters were added.
     *
     * @param name a name not in use in this layer
     * @param adapter the adapter; its arrays stay the caller's, who removes it before closing them
     * @throws IllegalArgumentException if the name is taken or a shape does not fit
     */
    public void addAdapter(String name, Adapter adapter) {
        checkArgument(!adapters.containsKey(name), "adapter %s is already in this layer", name);
        checkFits(name, adapter);
        adapters.put(name, adapter);
    }

    /**
     * Changes what an adapter's product is multiplied by.
     *
     * @param name an adapter in this layer
     * @param scale any finite number
     * @throws IllegalArgumentException if there is no such adapter
     */
    public void setScale(String name, double scale) {
        Adapter adapter = adapters.get(name);
        checkArgument(adapter != null, "no adapter %s in this layer, found %s", name, names());
        adapters.put(name, new Adapter(adapter.a(), adapter.b(), scale));
    }

    /**
     * Sets elements of one adapter's input to zero in the passes that follow and scales the others
     * up, so that the expectation stays (Srivastava et al. 2014).
     *
     * @param name an adapter in this layer
     * @param probability with which an element is dropped, in [0, 1); 0 ends it
     * @param seed decides, with the order of the passes, which elements
     * @throws IllegalArgumentException if there is no such adapter or the probability is outside
     *     its range
     */
    public void setDropout(String name, double probability, long seed) {
        checkArgument(
                adapters.containsKey(name), "no adapter %s in this layer, found %s", name, names());
        checkArgument(
                probability >= 0 && probability < 1,
                "the probability must be at least 0 and below 1, found %s",
                probability);
        if (probability == 0) {
            dropouts.remove(name);
        } else {
            dropouts.put(name, new Dropout(probability, new SplittableRandom(seed)));
        }
    }

    /**
     * Takes an adapter out of the layer.
     *
     * @param name the adapter
     * @return whether it was there
     */
    public boolean removeAdapter(String name) {
        dropouts.remove(name);
        return adapters.remove(name) != null;
    }

    /**
     * The names of the adapters in this layer.
     *
     * @return an immutable copy in the order of addition
     */
    public Set<String> names() {
        return Collections.unmodifiableSet(new LinkedHashSet<>(adapters.keySet()));
    }

    private void checkFits(String name, Adapter adapter) {
        Shape a = adapter.a().getShape();
        Shape b = adapter.b().getShape();
        checkArgument(
                a.dimension() == 2
                        && b.dimension() == 2
                        && a.get(1) == inputSize
                        && b.get(0) == outputSize
                        && a.get(0) == b.get(1),
                "adapter %s has A %s and B %s, expected (r, %s) and (%s, r)",
                name,
                a,
                b,
                inputSize,
                outputSize);
    }

    /**
     * Applies the layer.
     *
     * @param store gives the frozen weights
     * @param x input of shape (..., in)
     * @param training passed to the store
     * @return output of shape (..., out), owned by the manager of {@code x}
     */
    public NDArray apply(ParameterStore store, NDArray x, boolean training) {
        NDArray w = store.getValue(weight, x.getDevice(), training);
        NDArray c = bias == null ? null : store.getValue(bias, x.getDevice(), training);
        NDArray y = Linear.linear(x, w, c).singletonOrThrow();
        for (Map.Entry<String, Adapter> entry : adapters.entrySet()) {
            Adapter adapter = entry.getValue();
            Dropout dropout = dropouts.get(entry.getKey());
            NDArray input = dropout == null ? x : dropout.apply(x);
            NDArray low = Linear.linear(input, adapter.a()).singletonOrThrow();
            if (adapter.scale() != 1.0) {
                low = low.mul(adapter.scale());
            }
            y = y.add(Linear.linear(low, adapter.b()).singletonOrThrow());
        }
        return y;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return new NDList(apply(parameterStore, inputs.singletonOrThrow(), training));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return new Shape[] {inputs[0].slice(0, inputs[0].dimension() - 1).add(outputSize)};
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... shapes) {
        // no children
    }
}
