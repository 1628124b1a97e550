package io.fairlora.vision.vit;

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
import org.jspecify.annotations.Nullable;

/** Layer norm over the last axis, with an epsilon in double precision. */
final class Norm extends AbstractBlock {

    final Parameter gamma;
    final Parameter beta;
    private final Shape normalized;
    private final double eps;

    Norm(int size, double eps) {
        normalized = new Shape(size);
        this.eps = eps;
        gamma =
                addParameter(
                        Parameter.builder()
                                .setName("gamma")
                                .setType(Parameter.Type.GAMMA)
                                .optShape(normalized)
                                .build());
        beta =
                addParameter(
                        Parameter.builder()
                                .setName("beta")
                                .setType(Parameter.Type.BETA)
                                .optShape(normalized)
                                .build());
    }

    NDArray apply(ParameterStore store, NDArray x, boolean training) {
        return LayerNorm.layerNorm(
                        x,
                        normalized,
                        store.getValue(gamma, x.getDevice(), training),
                        store.getValue(beta, x.getDevice(), training),
                        (float) eps)
                .singletonOrThrow();
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
