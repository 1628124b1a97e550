package io.fairlora.vision.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.lora.BiasedLayer;
import io.fairlora.lora.LoraLinear;
import io.fairlora.ndarray.AdaptedLinear;
import io.fairlora.ndarray.Kernels;
import io.fairlora.ndarray.Scalars;
import io.fairlora.ndarray.Scope;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One pre-norm transformer layer: {@code x += s1 O attn(LN x); x += s2 fc2(gelu(fc1(LN x)))}, or
 * with another feed-forward part; the scales s1 and s2 are 1 unless the model has layer scale.
 *
 * <p>Everything but its output is freed before it returns; what back-propagation needs, the engine
 * keeps by itself.
 */
final class TransformerLayer extends AbstractBlock {

    final Norm normBefore;
    final LoraLinear query;
    final LoraLinear key;
    final LoraLinear value;
    final LoraLinear output;
    final @Nullable Parameter attentionScale;
    final Norm normAfter;
    final LoraLinear intermediate;
    final LoraLinear mlpOutput;
    final @Nullable Parameter feedForwardScale;
    private final int heads;
    private final VitConfig.Activation activation;
    private final VitConfig.FeedForward feedForward;

    TransformerLayer(VitConfig config) {
        int d = config.hiddenSize();
        normBefore = addChildBlock("layernorm_before", new Norm(d, config.layerNormEps()));
        query = addChildBlock("query", new LoraLinear(d, d, config.qkvBias()));
        key = addChildBlock("key", new LoraLinear(d, d, config.qkvBias()));
        value = addChildBlock("value", new LoraLinear(d, d, config.qkvBias()));
        output = addChildBlock("output", new LoraLinear(d, d, true));
        attentionScale = config.layerScale() ? scale("layer_scale1", d) : null;
        normAfter = addChildBlock("layernorm_after", new Norm(d, config.layerNormEps()));
        feedForward = config.feedForward();
        int wide = config.intermediateSize();
        int gated = feedForward == VitConfig.FeedForward.SWIGLU ? 2 * wide : wide;
        intermediate = addChildBlock("fc1", new LoraLinear(d, gated, true));
        mlpOutput = addChildBlock("fc2", new LoraLinear(wide, d, true));
        feedForwardScale = config.layerScale() ? scale("layer_scale2", d) : null;
        heads = config.heads();
        activation = config.activation();
    }

    private TransformerLayer(TransformerLayer shared) {
        normBefore = addChildBlock("layernorm_before", shared.normBefore.fork());
        query = addChildBlock("query", shared.query.fork());
        key = addChildBlock("key", shared.key.fork());
        value = addChildBlock("value", shared.value.fork());
        output = addChildBlock("output", shared.output.fork());
        attentionScale = shared.attentionScale;
        normAfter = addChildBlock("layernorm_after", shared.normAfter.fork());
        intermediate = addChildBlock("fc1", shared.intermediate.fork());
        mlpOutput = addChildBlock("fc2", shared.mlpOutput.fork());
        feedForwardScale = shared.feedForwardScale;
        parameters.putAll(shared.parameters);
        heads = shared.heads;
        activation = shared.activation;
        feedForward = shared.feedForward;
    }

    private Parameter scale(String name, int size) {
        return addParameter(
                Parameter.builder()
                        .setName(name)
                        .setType(Parameter.Type.GAMMA)
                        .optShape(new Shape(size))
                        .build());
    }

    TransformerLayer fork() {
        return new TransformerLayer(this);
    }

    /** All parts that adapters can change. */
    List<BiasedLayer> changeable() {
        return List.of(normBefore, query, key, value, output, normAfter, intermediate, mlpOutput);
    }

    /** Maps tokens (batch, n, D) to tokens of the same shape, owned by the manager of {@code x}. */
    NDArray apply(ParameterStore store, NDArray x, boolean training) {
        return apply(store, x, training, false);
    }

    /**
     * Maps tokens (batch, n, D) to the first token of what {@link #apply} gives, (batch, 1, D).
     *
     * <p>The other tokens are read by its attention, but not carried on themselves.
     */
    NDArray applyToFirst(ParameterStore store, NDArray x, boolean training) {
        return apply(store, x, training, true);
    }

    private NDArray apply(ParameterStore store, NDArray x, boolean training, boolean firstOnly) {
        return Scope.keep(
                () -> {
                    NDArray normed = normBefore.apply(store, x, training);
                    NDArray mixed = attention(store, normed, training, firstOnly);
                    NDArray h =
                            first(x, firstOnly).add(scaled(store, mixed, attentionScale, training));
                    NDArray local =
                            feedForward(store, normAfter.apply(store, h, training), training);
                    return h.add(scaled(store, local, feedForwardScale, training));
                });
    }

    private static NDArray first(NDArray x, boolean firstOnly) {
        return firstOnly ? x.get(":, :1") : x;
    }

    private static NDArray scaled(
            ParameterStore store, NDArray x, @Nullable Parameter scale, boolean training) {
        return scale == null ? x : x.mul(store.getValue(scale, x.getDevice(), training));
    }

    private NDArray feedForward(ParameterStore store, NDArray x, boolean training) {
        if (feedForward == VitConfig.FeedForward.SWIGLU) {
            NDArray wide = intermediate.apply(store, x, training);
            NDList halves = wide.split(2, wide.getShape().dimension() - 1);
            NDArray gate = halves.get(0);
            NDArray gated = gate.mul(Activation.sigmoid(gate)).mul(halves.get(1));
            return mlpOutput.apply(store, gated, training);
        }
        boolean exact = activation == VitConfig.Activation.GELU;
        if (exact || activation == VitConfig.Activation.GELU_TANH) {
            Optional<AdaptedLinear> first = intermediate.fused(store, x, training);
            Optional<AdaptedLinear> second = mlpOutput.fused(store, x, training);
            if (first.isPresent() && second.isPresent()) {
                return Kernels.mlp(x, first.get(), second.get(), !exact);
            }
        }
        NDArray wide = intermediate.apply(store, x, training);
        return mlpOutput.apply(store, activate(wide), training);
    }

    private NDArray attention(
            ParameterStore store, NDArray x, boolean training, boolean firstOnly) {
        Optional<AdaptedLinear> fusedQuery = query.fused(store, x, training);
        Optional<AdaptedLinear> fusedKey = key.fused(store, x, training);
        Optional<AdaptedLinear> fusedValue = value.fused(store, x, training);
        Optional<AdaptedLinear> fusedOutput = output.fused(store, x, training);
        if (fusedQuery.isPresent()
                && fusedKey.isPresent()
                && fusedValue.isPresent()
                && fusedOutput.isPresent()) {
            return Kernels.attention(
                    x,
                    heads,
                    fusedQuery.get(),
                    fusedKey.get(),
                    fusedValue.get(),
                    fusedOutput.get(),
                    firstOnly);
        }
        long batch = x.getShape().get(0);
        long d = x.getShape().get(2);
        Shape split = new Shape(batch, -1, heads, d / heads);
        NDArray q =
                Scalars.multiply(
                        query.apply(store, first(x, firstOnly), training),
                        1 / Math.sqrt((double) d / heads));
        NDArray k = key.apply(store, x, training);
        NDArray v = value.apply(store, x, training);
        NDArray weights =
                q.reshape(split)
                        .transpose(0, 2, 1, 3)
                        .matMul(k.reshape(split).transpose(0, 2, 3, 1))
                        .softmax(-1);
        NDArray mixed = weights.matMul(v.reshape(split).transpose(0, 2, 1, 3));
        return output.apply(store, mixed.transpose(0, 2, 1, 3).reshape(batch, -1, d), training);
    }

    private NDArray activate(NDArray x) {
        return switch (activation) {
            case GELU -> Activation.gelu(x);
            case GELU_TANH -> {
                // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
                NDArray cubic = Scalars.multiply(x.mul(x).mul(x), 0.044715);
                NDArray inner = Scalars.multiply(x.add(cubic), Math.sqrt(2 / Math.PI));
                yield Scalars.multiply(x, 0.5).mul(inner.tanh().add(1));
            }
            case QUICK_GELU -> x.mul(Activation.sigmoid(Scalars.multiply(x, 1.702)));
            case RELU -> Activation.relu(x);
            case SILU -> x.mul(Activation.sigmoid(x));
        };
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
        return inputs;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... shapes) {
        Shape wide = shapes[0].slice(0, shapes[0].dimension() - 1).add(mlpOutput.inputSize());
        getChildren()
                .forEach(
                        child ->
                                child.getValue()
                                        .initialize(
                                                manager,
                                                dataType,
                                                child.getValue() == mlpOutput ? wide : shapes[0]));
    }
}
