package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import org.jspecify.annotations.Nullable;

/**
 * A frozen weight that is adapted as a whole before others use it: a table of embeddings of which
 * every row is read, or the weight of a block that multiplies by itself. The product B A is formed
 * in every pass.
 *
 * <p>As a block it takes no account of its input and gives the adapted weight.
 */
public final class LoraWeight extends LoraLayer {

    /**
     * A weight without adapters.
     *
     * @param kind how the weight is used
     * @param weight the frozen weight, whose shape is known
     * @param bias the frozen bias beside it, if there is one
     */
    public LoraWeight(LayerKind kind, Parameter weight, @Nullable Parameter bias) {
        super(kind, weight, bias);
    }

    private LoraWeight(LoraWeight shared) {
        super(shared);
    }

    @Override
    public LoraWeight fork() {
        return new LoraWeight(this);
    }

    /**
     * The adapted weight.
     *
     * @param store gives the frozen weight
     * @param x what the weight is going to be used with; its manager owns what is made
     * @param training passed to the store
     * @return an array of the weight's shape; the frozen one itself if there is no adapter
     * @throws IllegalStateException if an adapter has dropout at work and this is no embedding
     */
    public NDArray apply(ParameterStore store, NDArray x, boolean training) {
        NDArray frozen = store.getValue(weight(), x.getDevice(), training);
        if (frozen.hasGradient()) {
            // Whoever trains the weight overwrites it in place.
            weightChanged();
        }
        return adapted(weight().getName(), frozen, x.getManager());
    }

    /**
     * The weight that the frozen one and the adapters amount to.
     *
     * @param path the layer's path, for messages
     * @param frozen the frozen weight on the device of the pass
     * @param owner the owner of what is made
     * @throws IllegalStateException if an adapter does what no weight and bias can
     */
    NDArray adapted(String path, NDArray frozen, NDManager owner) {
        if (adapters().isEmpty()) {
            return frozen;
        }
        NDArray matrix = kind().matrix(frozen, owner);
        NDArray adapted = matrix;
        for (LayerAdapter adapter : adapters()) {
            checkState(
                    kind().isEmbedding() || !adapter.dropsInput(),
                    "layer %s is adapted through its weight, by which the input of an adapter"
                            + " cannot be dropped; train it without dropout",
                    path);
            checkState(
                    bias() != null || adapter.adapter().bias() == null,
                    "layer %s is adapted through its weight and has no bias, to which that of B"
                            + " could be added",
                    path);
            adapted = adapter.addToWeight(adapted, matrix, owner);
        }
        return kind().weight(adapted, frozen.getShape());
    }

    /** The bias that the frozen one and the adapters amount to. */
    NDArray adaptedBias(NDArray frozen, NDManager owner) {
        NDArray replaced = replacedBias();
        NDArray adapted = replaced == null ? frozen : replaced;
        for (LayerAdapter adapter : adapters()) {
            adapted = adapter.addToBias(adapted, owner);
        }
        return adapted;
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return new NDList(apply(parameterStore, inputs.head(), training));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return new Shape[] {weight().getArray().getShape()};
    }
}
