package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.ndarray.AdaptedLinear;
import io.fairlora.ndarray.FrozenLinear;
import io.fairlora.ndarray.Kernels;
import io.fairlora.ndarray.Precision;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer with any number of named low-rank adapters:
 *
 * <pre>y = x W0^T + b + sum over adapters i of scale_i (x A_i^T) B_i^T</pre>
 *
 * with W0 (out, in), A_i (r_i, in), B_i (out, r_i), and what {@link Adapter} adds to it. A scale
 * may be negative. Without adapters it is a plain linear layer. Only the adapters' arrays can
 * receive gradients, and the product B A is never formed.
 *
 * <p>Input {@code (..., in)}, output {@code (..., out)}. Not safe for use from several threads
 * while adapters are added or removed.
 */
public final class LoraLinear extends AbstractBlock implements BiasedLayer {

    private final long inputSize;
    private final long outputSize;
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final RoundedWeight rounded;
    private final Map<String, LayerAdapter> adapters = new LinkedHashMap<>();
    private @Nullable NDArray replacedBias;
    private @Nullable ExampleAdapters examples;
    private Precision precision = Precision.SINGLE;

    /**
     * One adapter in this layer; the arrays stay the caller's. With a magnitude m the layer
     * computes {@code y = x W'^T + b} with {@code W' = m (W + s B A) / n} and n the lengths of the
     * rows of {@code W + s B A}, through which no gradient passes.
     *
     * @param a A, of shape (r, in)
     * @param b B, of shape (out, r)
     * @param scale s, what B A is multiplied by
     * @param bias b_B, of shape (out), if s b_B is added to the output
     * @param magnitude m, of shape (out), if the weight's rows have lengths of their own
     * @param residual what W is relative to W0, if it is not W0
     */
    public record Adapter(
            NDArray a,
            NDArray b,
            double scale,
            @Nullable NDArray bias,
            @Nullable NDArray magnitude,
            @Nullable Residual residual) {

        /**
         * A product and nothing else.
         *
         * @param a A, of shape (r, in)
         * @param b B, of shape (out, r)
         * @param scale what B A is multiplied by
         */
        public Adapter(NDArray a, NDArray b, double scale) {
            this(a, b, scale, null, null, null);
        }
    }

    /**
     * What an adapter's initialisation did to the base: W = W0 + C A0.
     *
     * @param a A0, of shape (r, in)
     * @param c C, of shape (out, r)
     */
    public record Residual(NDArray a, NDArray c) {}

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

    /** A layer over parameters of a layer of another kind, which have their values. */
    static LoraLinear over(Parameter weight, @Nullable Parameter bias) {
        return new LoraLinear(weight, bias);
    }

    @SuppressWarnings("this-escape")
    private LoraLinear(Parameter weight, @Nullable Parameter bias) {
        outputSize = weight.getArray().getShape().get(0);
        inputSize = weight.getArray().getShape().get(1);
        rounded = new RoundedWeight();
        this.weight = addParameter(weight);
        this.bias = bias == null ? null : addParameter(bias);
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

    @Override
    public @Nullable Parameter bias() {
        return bias;
    }

    @Override
    public void replaceBias(@Nullable NDArray replacement) {
        if (replacement != null) {
            checkArgument(bias != null, "the layer has no bias to replace");
            checkArgument(
                    replacedBias == null, "the bias is already replaced by that of an adapter");
            checkArgument(
                    replacement.getShape().equals(new Shape(outputSize)),
                    "the bias is %s, expected (%s)",
                    replacement.getShape(),
                    outputSize);
        }
        replacedBias = replacement;
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

    @Override
    public void weightChanged() {
        rounded.changed();
    }

    /**
     * {@inheritDoc}
     *
     * @return a number that grows with every {@link #weightChanged()}, and with every pass through
     *     a layer whose own weight is being trained
     */
    @Override
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
        place(name, new LayerAdapter(adapter, 1));
    }

    void place(String name, LayerAdapter adapter) {
        checkArgument(!adapters.containsKey(name), "adapter %s is already in this layer", name);
        checkFits(name, adapter.adapter());
        adapters.put(name, adapter);
    }

    /**
     * Takes an adapter out of the layer.
     *
     * @param name the adapter
     * @return whether it was there
     */
    public boolean removeAdapter(String name) {
        return adapters.remove(name) != null;
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
        LayerAdapter adapter = adapters.get(name);
        checkArgument(adapter != null, "no adapter %s in this layer, found %s", name, names());
        checkArgument(
                probability >= 0 && probability < 1,
                "the probability must be at least 0 and below 1, found %s",
                probability);
        adapter.setDropout(probability, seed);
    }

    /** Applies one adapter an example, and none of the layer's own, until set to {@code null}. */
    void setExamples(@Nullable ExampleAdapters examples) {
        this.examples = examples;
    }

    /**
     * The names of the adapters in this layer.
     *
     * @return an immutable copy in the order of addition
     */
    public Set<String> names() {
        return Collections.unmodifiableSet(new LinkedHashSet<>(adapters.keySet()));
    }

    /**
     * {@inheritDoc}
     *
     * @return false if it carries an adapter, its bias is replaced, or examples have adapters of
     *     their own
     */
    @Override
    public boolean isPlain() {
        return adapters.isEmpty() && replacedBias == null && examples == null;
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
        checkVector(name, "bias", adapter.bias());
        checkVector(name, "magnitude", adapter.magnitude());
    }

    private void checkVector(String name, String what, @Nullable NDArray vector) {
        checkArgument(
                vector == null || vector.getShape().equals(new Shape(outputSize)),
                "adapter %s has the %s %s, expected (%s)",
                name,
                what,
                vector == null ? "" : vector.getShape(),
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
        NDArray w = store.getValue(weight, x.getDevice(), training);
        NDArray frozenBias = bias == null ? null : store.getValue(bias, x.getDevice(), training);
        if (examples != null) {
            NDArray product = product(x, w, frozenBias);
            return examples.apply(x, product, frozenBias);
        }
        NDArray c = replacedBias == null ? frozenBias : replacedBias;
        NDArray y = base(x, w, frozenBias, c);
        for (LayerAdapter adapter : adapters.values()) {
            y = adapter.addTo(y, x, w, c, input -> product(input, w, frozenBias));
        }
        return y;
    }

    /** x W0^T + c. */
    private NDArray base(NDArray x, NDArray w, @Nullable NDArray frozen, @Nullable NDArray c) {
        if (precision == Precision.SINGLE || requiresGradient(w, frozen)) {
            return Kernels.linear(x, w, c, precision);
        }
        NDArray y = Kernels.linear(x, AdaptedLinear.plain(rounded.get(w, frozen)));
        return c == frozen || c == null || frozen == null
                ? y
                : y.add(LayerAdapter.owned(c.sub(frozen), x));
    }

    /** x W0^T. */
    private NDArray product(NDArray x, NDArray w, @Nullable NDArray frozen) {
        if (precision == Precision.SINGLE || requiresGradient(w, frozen)) {
            return Kernels.linear(x, w, null, precision);
        }
        NDArray y = Kernels.linear(x, AdaptedLinear.plain(rounded.get(w, frozen)));
        return frozen == null ? y : y.sub(frozen);
    }

    /**
     * The weight that the layer and its adapters amount to, for a block that multiplies by itself.
     *
     * @param path the layer's path, for messages
     * @param w W0 on the device of the pass
     * @param owner the owner of what is made
     * @throws IllegalStateException if an adapter does what no weight and bias can
     */
    NDArray adaptedWeight(String path, NDArray w, NDManager owner) {
        checkState(
                examples == null,
                "layer %s is of a foreign block, in which examples cannot have adapters of their"
                        + " own",
                path);
        NDArray adapted = w;
        for (Map.Entry<String, LayerAdapter> entry : adapters.entrySet()) {
            LayerAdapter adapter = entry.getValue();
            checkState(
                    !adapter.dropsInput(),
                    "layer %s is of a foreign block, in which the input of adapter %s cannot be"
                            + " dropped; train it without dropout",
                    path,
                    entry.getKey());
            checkState(
                    bias != null || adapter.adapter().bias() == null,
                    "layer %s is of a foreign block and has no bias, to which that of adapter %s"
                            + " could be added",
                    path,
                    entry.getKey());
            adapted = adapter.addToWeight(adapted, w, owner);
        }
        return adapted;
    }

    /** The bias that the layer and its adapters amount to. */
    NDArray adaptedBias(NDArray frozen, NDManager owner) {
        NDArray adapted = replacedBias == null ? frozen : replacedBias;
        for (LayerAdapter adapter : adapters.values()) {
            adapted = adapter.addToBias(adapted, owner);
        }
        return adapted;
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
     *     requires gradients or is replaced, examples have adapters of their own, or an adapter is
     *     more than a product: has dropout, a bias or a magnitude
     * @throws IllegalArgumentException if the precision is {@code BF16} and the weight is not of
     *     type {@code FLOAT32}
     */
    public Optional<AdaptedLinear> fused(ParameterStore store, NDArray x, boolean training) {
        if (precision == Precision.SINGLE
                || examples != null
                || replacedBias != null
                || !adapters.values().stream().allMatch(LayerAdapter::isLowRank)) {
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
        NDList down = new NDList();
        NDList up = new NDList();
        for (LayerAdapter adapter : adapters.values()) {
            adapter.addFactors(down, up, x);
        }
        if (down.size() == 1) {
            return Optional.of(new AdaptedLinear(frozen, down.get(0), up.get(0)));
        }
        return Optional.of(
                new AdaptedLinear(
                        frozen,
                        LayerAdapter.owned(NDArrays.concat(down, 0), x),
                        LayerAdapter.owned(NDArrays.concat(up, 1), x)));
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
