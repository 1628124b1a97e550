package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.ndarray.AdaptedLinear;
import io.fairlora.ndarray.FrozenLinear;
import io.fairlora.ndarray.Kernels;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scalars;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
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
    private final RoundedWeight rounded;
    private final Map<String, Adapter> adapters = new LinkedHashMap<>();
    private final Map<String, Dropout> dropouts = new HashMap<>();
    private Precision precision = Precision.SINGLE;

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
                    Scalars.owned(
                            x.getManager()
                                    .create(mask, x.getShape())
                                    .toType(x.getDataType(), false));
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
        rounded = new RoundedWeight();
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
        rounded = shared.rounded;
        precision = shared.precision;
        inputShapes = shared.inputShapes;
        parameters.putAll(shared.parameters);
    }

    /**
     * A layer over the same frozen weights, of the same precision, with adapters of its own.
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
     * In what the products are computed.
     *
     * @return {@link Precision#SINGLE} unless set otherwise
     */
    public Precision precision() {
        return precision;
    }

    /**
     * Chooses in what the products are computed. In {@link Precision#BF16} the frozen weight is
     * rounded once, on the next use, and the copy kept; whoever then writes into the weight calls
     * {@link #weightChanged()}. A weight that requires gradients is rounded at every use.
     *
     * @param precision the precision of this layer; forks made earlier keep theirs
     */
    public void setPrecision(Precision precision) {
        this.precision = precision;
    }

    /**
     * Says that the elements of the weight or bias were overwritten in place, as merging an adapter
     * does: rounded copies are made anew, in this layer and all its forks.
     *
     * <p>As for the writing itself, no thread may be applying the layer or a fork meanwhile.
     */
    public void weightChanged() {
        rounded.changed();
    }

    /**
     * Counts how often the weight or bias was said to be overwritten, in this layer and its forks.
     *
     * @return a number that grows with every {@link #weightChanged()}, and with every pass through
     *     a layer whose own weight is being trained
     */
    public long weightRevision() {
        return rounded.revision();
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
        Optional<AdaptedLinear> fused = fused(store, x, training);
        if (fused.isPresent()) {
            return Kernels.linear(x, fused.get());
        }
        NDArray y = base(store, x, training);
        for (Map.Entry<String, Adapter> entry : adapters.entrySet()) {
            Adapter adapter = entry.getValue();
            Dropout dropout = dropouts.get(entry.getKey());
            NDArray input = dropout == null ? x : dropout.apply(x);
            NDArray low = Linear.linear(input, adapter.a()).singletonOrThrow();
            if (adapter.scale() != 1.0) {
                low = Scalars.multiply(low, adapter.scale());
            }
            y = y.add(Linear.linear(low, adapter.b()).singletonOrThrow());
        }
        return y;
    }

    private NDArray base(ParameterStore store, NDArray x, boolean training) {
        NDArray w = store.getValue(weight, x.getDevice(), training);
        NDArray c = bias == null ? null : store.getValue(bias, x.getDevice(), training);
        if (precision == Precision.SINGLE || requiresGradient(w, c)) {
            return Kernels.linear(x, w, c, precision);
        }
        return Kernels.linear(x, AdaptedLinear.plain(rounded.get(w, c)));
    }

    private boolean requiresGradient(NDArray w, @Nullable NDArray c) {
        boolean trained = w.hasGradient() || (c != null && c.hasGradient());
        if (trained) {
            // Whoever trains the weight overwrites it in place.
            rounded.changed();
        }
        return trained;
    }

    /**
     * The layer with all its adapters as an argument of the functions of {@link Kernels} that
     * compute several layers at once.
     *
     * @param store gives the frozen weights
     * @param x what the layer is going to be applied to; its manager owns what is made
     * @param training passed to the store
     * @return the layer, or nothing if its precision is {@code SINGLE}, its own weight or bias
     *     requires gradients, or an adapter has dropout
     * @throws IllegalArgumentException if the precision is {@code BF16} and the weight is not of
     *     type {@code FLOAT32}
     */
    public Optional<AdaptedLinear> fused(ParameterStore store, NDArray x, boolean training) {
        if (precision == Precision.SINGLE || !dropouts.isEmpty()) {
            return Optional.empty();
        }
        NDArray w = store.getValue(weight, x.getDevice(), training);
        NDArray c = bias == null ? null : store.getValue(bias, x.getDevice(), training);
        if (requiresGradient(w, c)) {
            return Optional.empty();
        }
        FrozenLinear frozen = rounded.get(w, c);
        if (adapters.isEmpty()) {
            return Optional.of(AdaptedLinear.plain(frozen));
        }
        NDList down = new NDList(adapters.size());
        NDList up = new NDList(adapters.size());
        for (Adapter adapter : adapters.values()) {
            down.add(adapter.a());
            up.add(
                    adapter.scale() == 1.0
                            ? adapter.b()
                            : owned(Scalars.multiply(adapter.b(), adapter.scale()), x));
        }
        if (adapters.size() == 1) {
            return Optional.of(new AdaptedLinear(frozen, down.get(0), up.get(0)));
        }
        return Optional.of(
                new AdaptedLinear(
                        frozen,
                        owned(NDArrays.concat(down, 0), x),
                        owned(NDArrays.concat(up, 1), x)));
    }

    /** Moves what an operation on an adapter made from the adapter's manager to that of x. */
    private static NDArray owned(NDArray result, NDArray x) {
        result.attach(x.getManager());
        return result;
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
