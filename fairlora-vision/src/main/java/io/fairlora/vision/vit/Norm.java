package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.lora.BiasedLayer;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Layer norm over the last axis, with an epsilon in double precision. */
final class Norm extends AbstractBlock implements BiasedLayer {

    final Parameter gamma;
    final Parameter beta;
    private final Shape normalized;
    private final double eps;
    private final AtomicLong revision;
    private @Nullable NDArray replacedBias;

    Norm(int size, double eps) {
        normalized = new Shape(size);
        this.eps = eps;
        revision = new AtomicLong();
        gamma = addParameter(parameter("gamma", Parameter.Type.GAMMA, normalized));
        beta = addParameter(parameter("beta", Parameter.Type.BETA, normalized));
    }

    private Norm(Norm shared) {
        normalized = shared.normalized;
        eps = shared.eps;
        revision = shared.revision;
        gamma = shared.gamma;
        beta = shared.beta;
        parameters.putAll(shared.parameters);
    }

    private static Parameter parameter(String name, Parameter.Type type, Shape shape) {
        return Parameter.builder().setName(name).setType(type).optShape(shape).build();
    }

    /** A norm over the same frozen parameters, with a bias of its own to replace. */
    Norm fork() {
        return new Norm(this);
    }

    @Override
    public Parameter bias() {
        return beta;
    }

    @Override
    public void replaceBias(@Nullable NDArray bias) {
        if (bias != null) {
            checkArgument(
                    replacedBias == null, "the bias is already replaced by that of an adapter");
            checkArgument(
                    bias.getShape().equals(normalized),
                    "the bias is %s, expected %s",
                    bias.getShape(),
                    normalized);
        }
        replacedBias = bias;
    }

    @Override
    public boolean isPlain() {
        return replacedBias == null;
    }

    @Override
    public void weightChanged() {
        revision.incrementAndGet();
    }

    /**
     * {@inheritDoc}
     *
     * @return a number that grows with every {@link #weightChanged()}, and with every pass through
     *     a norm that is itself being trained
     */
    @Override
    public long weightRevision() {
        return revision.get();
    }

    NDArray apply(ParameterStore store, NDArray x, boolean training) {
        NDArray scale = store.getValue(gamma, x.getDevice(), training);
        NDArray frozen = store.getValue(beta, x.getDevice(), training);
        if (scale.hasGradient() || frozen.hasGradient()) {
            // Whoever trains them overwrites them in place.
            weightChanged();
        }
        NDArray bias = replacedBias == null ? frozen : replacedBias;
        return LayerNorm.layerNorm(x, normalized, scale, bias, (float) eps).singletonOrThrow();
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
        // no children
    }
}
