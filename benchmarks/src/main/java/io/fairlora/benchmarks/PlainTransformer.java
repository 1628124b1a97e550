package io.fairlora.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The same transformer from DJL's own {@code Linear} and {@code LayerNorm}, the way a user of DJL
 * writes it: patches (batch, N, 3 p^2) in, logits (batch, classes) out.
 */
final class PlainTransformer extends AbstractBlock {

    private static final int PIXELS = 3 * TinyVit.PATCH * TinyVit.PATCH;

    private final Block projection = child("projection", linear(TinyVit.HIDDEN));
    private final List<Layer> layers = new ArrayList<>();
    private final Block norm = child("norm", norm());
    private final Block head;

    PlainTransformer(int classes) {
        for (int i = 0; i < TinyVit.LAYERS; i++) {
            layers.add(new Layer(i));
        }
        head = child("head", linear(classes));
    }

    /** One layer, pre-norm as in the vision transformer. */
    private final class Layer {
        private final Block before;
        private final Block query;
        private final Block key;
        private final Block value;
        private final Block output;
        private final Block after;
        private final Block fc1;
        private final Block fc2;

        Layer(int index) {
            before = child(index + "before", norm());
            query = child(index + "query", linear(TinyVit.HIDDEN));
            key = child(index + "key", linear(TinyVit.HIDDEN));
            value = child(index + "value", linear(TinyVit.HIDDEN));
            output = child(index + "output", linear(TinyVit.HIDDEN));
            after = child(index + "after", norm());
            fc1 = child(index + "fc1", linear(4 * TinyVit.HIDDEN));
            fc2 = child(index + "fc2", linear(TinyVit.HIDDEN));
        }

        NDArray apply(ParameterStore store, NDArray x, boolean training) {
            NDArray normed = call(before, store, x, training);
            NDArray q = heads(call(query, store, normed, training));
            NDArray k = heads(call(key, store, normed, training));
            NDArray v = heads(call(value, store, normed, training));
            double scale = 1 / Math.sqrt((double) TinyVit.HIDDEN / TinyVit.HEADS);
            NDArray attended =
                    q.matMul(k.transpose(0, 1, 3, 2))
                            .mul(scale)
                            .softmax(-1)
                            .matMul(v)
                            .transpose(0, 2, 1, 3)
                            .reshape(x.getShape());
            NDArray middle = x.add(call(output, store, attended, training));
            NDArray hidden = call(fc1, store, call(after, store, middle, training), training);
            return middle.add(call(fc2, store, Activation.gelu(hidden), training));
        }

        private NDArray heads(NDArray x) {
            Shape shape = x.getShape();
            return x.reshape(
                            shape.get(0),
                            shape.get(1),
                            TinyVit.HEADS,
                            TinyVit.HIDDEN / TinyVit.HEADS)
                    .transpose(0, 2, 1, 3);
        }
    }

    private Block child(String name, Block block) {
        return addChildBlock(name, block);
    }

    private static Block linear(int units) {
        return Linear.builder().setUnits(units).build();
    }

    private static Block norm() {
        return LayerNorm.builder().axis(2).build();
    }

    private static NDArray call(Block block, ParameterStore store, NDArray x, boolean training) {
        return block.forward(store, new NDList(x), training).singletonOrThrow();
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore store,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        NDArray x = call(projection, store, inputs.head(), training);
        for (Layer layer : layers) {
            x = layer.apply(store, x, training);
        }
        NDArray pooled = call(norm, store, x, training).mean(new int[] {1});
        return new NDList(call(head, store, pooled, training));
    }

    @Override
    protected void initializeChildBlocks(
            NDManager manager, DataType dataType, Shape... inputShapes) {
        Shape input = inputShapes[0];
        Shape tokens = new Shape(input.get(0), input.get(1), TinyVit.HIDDEN);
        Shape wide = new Shape(input.get(0), input.get(1), 4 * TinyVit.HIDDEN);
        projection.initialize(manager, dataType, input);
        for (Layer layer : layers) {
            for (Block block :
                    List.of(
                            layer.before,
                            layer.query,
                            layer.key,
                            layer.value,
                            layer.output,
                            layer.after,
                            layer.fc1)) {
                block.initialize(manager, dataType, tokens);
            }
            layer.fc2.initialize(manager, dataType, wide);
        }
        norm.initialize(manager, dataType, tokens);
        head.initialize(manager, dataType, new Shape(input.get(0), TinyVit.HIDDEN));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
        return new Shape[] {head.getOutputShapes(new Shape[] {new Shape(1, TinyVit.HIDDEN)})[0]};
    }

    /** The shape of a batch of patches. */
    static Shape input(int batch) {
        return new Shape(batch, TinyVit.CONFIG.patches(), PIXELS);
    }
}
