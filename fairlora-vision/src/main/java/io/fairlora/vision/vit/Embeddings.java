package io.fairlora.vision.vit;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.fairlora.lora.BiasedLayer;
import io.fairlora.lora.LayerKind;
import io.fairlora.lora.LoraLinear;
import io.fairlora.lora.LoraWeight;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What makes tokens of patches: their projection and positions, and the tokens before them, in the
 * order class token, distillation token, registers.
 */
final class Embeddings extends AbstractBlock {

    final @Nullable Parameter classToken;
    final @Nullable Parameter distillationToken;
    final @Nullable Parameter registers;
    final LoraWeight positions;
    final LoraLinear projection;
    final @Nullable Norm norm;
    private final List<Parameter> prefix;
    private final VitConfig.Stem stem;
    private final int patches;

    Embeddings(VitConfig config) {
        long d = config.hiddenSize();
        long p = config.patchSize();
        stem = config.stem();
        patches = config.patches();
        classToken = stem.classToken() ? token("cls_token", 1, d) : null;
        distillationToken = stem.distillationToken() ? token("distillation_token", 1, d) : null;
        registers = stem.registers() > 0 ? token("register_tokens", stem.registers(), d) : null;
        prefix =
                Stream.of(classToken, distillationToken, registers)
                        .flatMap(Stream::ofNullable)
                        .toList();
        Shape table = new Shape(1, stem.positions() + patches, d);
        positions =
                addChildBlock(
                        "positions",
                        new LoraWeight(
                                LayerKind.EMBEDDING,
                                parameter("position_embeddings", table),
                                null));
        projection =
                addChildBlock(
                        "projection",
                        new LoraLinear(LayerKind.convolution(3, p, p), 3 * p * p, d, !stem.norm()));
        norm = stem.norm() ? addChildBlock("norm", new Norm((int) d, config.layerNormEps())) : null;
    }

    private Embeddings(Embeddings shared) {
        stem = shared.stem;
        patches = shared.patches;
        classToken = shared.classToken;
        distillationToken = shared.distillationToken;
        registers = shared.registers;
        prefix = shared.prefix;
        positions = addChildBlock("positions", shared.positions.fork());
        parameters.putAll(shared.parameters);
        projection = addChildBlock("projection", shared.projection.fork());
        norm = shared.norm == null ? null : addChildBlock("norm", shared.norm.fork());
    }

    Embeddings fork() {
        return new Embeddings(this);
    }

    /** All parts that adapters can change. */
    List<BiasedLayer> changeable() {
        return norm == null ? List.of(positions, projection) : List.of(positions, projection, norm);
    }

    private Parameter token(String name, long count, long d) {
        return addParameter(parameter(name, new Shape(1, count, d)));
    }

    private static Parameter parameter(String name, Shape shape) {
        return Parameter.builder()
                .setName(name)
                .setType(Parameter.Type.OTHER)
                .optShape(shape)
                .build();
    }

    /** Projects patches (batch, N, 3 p^2) to tokens (batch, N, D) with their positions. */
    NDArray embed(ParameterStore store, NDArray pixels, boolean training) {
        NDArray position = positions.apply(store, pixels, training);
        NDArray tokens = projection.apply(store, pixels, training);
        return tokens.add(
                position.get(pixels.getManager(), new NDIndex(":, {}:", stem.positions())));
    }

    /** Puts the other tokens before those of any number of patches, and normalises if need be. */
    NDArray complete(ParameterStore store, NDArray tokens, boolean training) {
        NDManager scope = tokens.getManager();
        Shape shape = tokens.getShape();
        NDArray blank = scope.zeros(new Shape(shape.get(0), 1, shape.get(2)), tokens.getDataType());
        NDArray position = positions.apply(store, tokens, training);
        NDList all = new NDList();
        int at = 0;
        for (Parameter token : prefix) {
            NDArray value = blank.add(store.getValue(token, tokens.getDevice(), training));
            long end = at + value.getShape().get(1);
            all.add(
                    end <= stem.positions()
                            ? value.add(position.get(scope, new NDIndex(":, {}:{}", at, end)))
                            : value);
            at = Math.toIntExact(end);
        }
        all.add(tokens);
        // One array alone would come back as a copy, cut off from what computed it.
        NDArray x = prefix.isEmpty() ? tokens : NDArrays.concat(all, 1);
        return norm == null ? x : norm.apply(store, x, training);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray tokens = embed(parameterStore, inputs.singletonOrThrow(), training);
        return new NDList(complete(parameterStore, tokens, training));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return new Shape[] {
            new Shape(inputs[0].get(0), stem.tokens() + patches, projection.outputSize())
        };
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... shapes) {
        projection.initialize(manager, dataType, shapes[0]);
    }
}
