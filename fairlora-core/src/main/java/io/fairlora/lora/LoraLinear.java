package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.ndarray.AdaptedLinear;
import io.fairlora.ndarray.FrozenLinear;
import io.fairlora.ndarray.Kernels;
import io.fairlora.ndarray.Precision;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A frozen linear layer with any number of named low-rank adapters:
 *
 * <pre>y = x W0^T + b + sum over adapters i of scale_i (x A_i^T) B_i^T</pre>
 *
 * with W0 (out, in), A_i (r_i, in), B_i (out, r_i), and what {@link LoraLayer.Adapter} adds to it.
 * The product B A is never formed.
 *
 * <p>Input {@code (..., in)}, output {@code (..., out)}.
 */
public final class LoraLinear extends LoraLayer {

    private @Nullable ExampleAdapters examples;
    private Precision precision = Precision.SINGLE;

    /**
     * A layer whose weights are still to be set.
     *
     * @param inputSize the number of input features
     * @param outputSize the number of output features
     * @param hasBias whether a bias is added
     */
    public LoraLinear(long inputSize, long outputSize, boolean hasBias) {
        this(LayerKind.LINEAR, inputSize, outputSize, hasBias);
    }

    /**
     * A layer of another kind that is computed as a linear one: a convolution whose windows do not
     * overlap, as a product with every window. Its weights are still to be set.
     *
     * @param kind the kind, whose window has {@code inputSize} elements
     * @param inputSize the number of input features
     * @param outputSize the number of output features
     * @param hasBias whether a bias is added
     */
    public LoraLinear(LayerKind kind, long inputSize, long outputSize, boolean hasBias) {
        super(
                kind,
                Parameter.builder()
                        .setName("weight")
                        .setType(Parameter.Type.WEIGHT)
                        .optShape(new Shape(outputSize, inputSize))
                        .build(),
                hasBias
                        ? Parameter.builder()
                                .setName("bias")
                                .setType(Parameter.Type.BIAS)
                                .optShape(new Shape(outputSize))
                                .build()
                        : null);
    }

    /** A layer over parameters of a layer of another class, which have their values. */
    static LoraLinear over(Parameter weight, @Nullable Parameter bias) {
        return new LoraLinear(weight, bias);
    }

    private LoraLinear(Parameter weight, @Nullable Parameter bias) {
        super(LayerKind.LINEAR, weight, bias);
    }

    private LoraLinear(LoraLinear shared) {
        super(shared);
        precision = shared.precision;
    }

    /**
     * {@inheritDoc}
     *
     * @return a layer of the same precision
     */
    @Override
    public LoraLinear fork() {
        return new LoraLinear(this);
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

    /** Applies one adapter an example, and none of the layer's own, until set to {@code null}. */
    void setExamples(@Nullable ExampleAdapters examples) {
        this.examples = examples;
    }

    /**
     * {@inheritDoc}
     *
     * @return false if it carries an adapter, its bias is replaced, or examples have adapters of
     *     their own
     */
    @Override
    public boolean isPlain() {
        return super.isPlain() && examples == null;
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
        NDArray w = store.getValue(weight(), x.getDevice(), training);
        NDArray frozenBias = frozenBias(store, x, training);
        boolean copied = !requiresGradient(w, frozenBias) && precision != Precision.SINGLE;
        if (examples != null) {
            NDArray product = product(x, w, frozenBias, copied);
            return examples.apply(x, product, frozenBias);
        }
        NDArray replaced = replacedBias();
        NDArray c = replaced == null ? frozenBias : replaced;
        NDArray y = base(x, w, frozenBias, c, copied);
        for (LayerAdapter adapter : adapters()) {
            y = adapter.addTo(y, x, w, c, input -> product(input, w, frozenBias, copied));
        }
        return y;
    }

    private @Nullable NDArray frozenBias(ParameterStore store, NDArray x, boolean training) {
        Parameter bias = bias();
        return bias == null ? null : store.getValue(bias, x.getDevice(), training);
    }

    /** x W0^T + c, from the rounded copy or not. */
    private NDArray base(
            NDArray x, NDArray w, @Nullable NDArray frozen, @Nullable NDArray c, boolean copied) {
        if (!copied) {
            return Kernels.linear(x, w, c, precision);
        }
        NDArray y = Kernels.linear(x, AdaptedLinear.plain(rounded().get(w, frozen)));
        return c == frozen || c == null || frozen == null
                ? y
                : y.add(LayerAdapter.owned(c.sub(frozen), x));
    }

    /** x W0^T, from the rounded copy or not. */
    private NDArray product(NDArray x, NDArray w, @Nullable NDArray frozen, boolean copied) {
        if (!copied) {
            return Kernels.linear(x, w, null, precision);
        }
        NDArray y = Kernels.linear(x, AdaptedLinear.plain(rounded().get(w, frozen)));
        return frozen == null ? y : y.sub(frozen);
    }

    private boolean requiresGradient(NDArray w, @Nullable NDArray c) {
        boolean trained = w.hasGradient() || (c != null && c.hasGradient());
        if (trained) {
            // Whoever trains the weight overwrites it in place.
            rounded().changed();
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
                || replacedBias() != null
                || !adapters().stream().allMatch(LayerAdapter::isLowRank)) {
            return Optional.empty();
        }
        NDArray w = store.getValue(weight(), x.getDevice(), training);
        NDArray c = frozenBias(store, x, training);
        if (requiresGradient(w, c)) {
            return Optional.empty();
        }
        FrozenLinear frozen = rounded().get(w, c);
        if (adapters().isEmpty()) {
            return Optional.of(AdaptedLinear.plain(frozen));
        }
        NDList down = new NDList();
        NDList up = new NDList();
        for (LayerAdapter adapter : adapters()) {
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
        return new Shape[] {inputs[0].slice(0, inputs[0].dimension() - 1).add(outputSize())};
    }
}
