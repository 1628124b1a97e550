package io.fairlora.vision.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.lora.LoraLinear;
import io.fairlora.ndarray.AdaptedLinear;
import io.fairlora.ndarray.Kernels;
import io.fairlora.ndarray.Scalars;
import io.fairlora.ndarray.Scope;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One pre-norm transformer layer: {@code x += O attn(LN x); x += fc2(gelu(fc1(LN x)))}.
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
    final Norm normAfter;
    final LoraLinear intermediate;
    final LoraLinear mlpOutput;
    private final int heads;
    private final VitConfig.Activation activation;

    TransformerLayer(VitConfig config) {
        int d = config.hiddenSize();
        normBefore = addChildBlock("layernorm_before", new Norm(d, config.layerNormEps()));
        query = addChildBlock("query", new LoraLinear(d, d, config.qkvBias()));
        key = addChildBlock("key", new LoraLinear(d, d, config.qkvBias()));
        value = addChildBlock("value", new LoraLinear(d, d, config.qkvBias()));
        output = addChildBlock("output", new LoraLinear(d, d, true));
        normAfter = addChildBlock("layernorm_after", new Norm(d, config.layerNormEps()));
        intermediate = addChildBlock("fc1", new LoraLinear(d, config.intermediateSize(), true));
        mlpOutput = addChildBlock("fc2", new LoraLinear(config.intermediateSize(), d, true));
        heads = config.heads();
        activation = config.activation();
    }

    private TransformerLayer(TransformerLayer shared) {
        normBefore = addChildBlock("layernorm_before", shared.normBefore);
        query = addChildBlock("query", shared.query.fork());
        key = addChildBlock("key", shared.key.fork());
        value = addChildBlock("value", shared.value.fork());
        output = addChildBlock("output", shared.output.fork());
        normAfter = addChildBlock("layernorm_after", shared.normAfter);
        intermediate = addChildBlock("fc1", shared.intermediate.fork());
        mlpOutput = addChildBlock("fc2", shared.mlpOutput.fork());
        heads = shared.heads;
        activation = shared.activation;
    }

    TransformerLayer fork() {
        return new TransformerLayer(this);
    }

    /** All linear layers, in the order of application. */
    List<LoraLinear> linears() {
        return List.of(query, key, value, output, intermediate, mlpOutput);
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
                    NDArray h =
                            first(x, firstOnly).add(attention(store, normed, training, firstOnly));
                    return h.add(mlp(store, normAfter.apply(store, h, training), training));
                });
    }

    private static NDArray first(NDArray x, boolean firstOnly) {
        return firstOnly ? x.get(":, :1") : x;
    }

    private NDArray mlp(ParameterStore store, NDArray x, boolean training) {
        Optional<AdaptedLinear> first = intermediate.fused(store, x, training);
        Optional<AdaptedLinear> second = mlpOutput.fused(store, x, training);
        if (first.isPresent() && second.isPresent()) {
            boolean tanh = activation != VitConfig.Activation.GELU;
            return Kernels.mlp(x, first.get(), second.get(), tanh);
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
        if (activation == VitConfig.Activation.GELU) {
            return Activation.gelu(x);
        }
        // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
        NDArray cubic = Scalars.multiply(x.mul(x).mul(x), 0.044715);
        NDArray inner = Scalars.multiply(x.add(cubic), Math.sqrt(2 / Math.PI));
        return Scalars.multiply(x, 0.5).mul(inner.tanh().add(1));
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
        Shape wide = intermediate.getOutputShapes(shapes)[0];
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
