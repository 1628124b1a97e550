package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Any DJL block as a backbone: the {@link Linear}s, {@link Convolution}s of one group and {@link
 * Embedding}s anywhere in its tree can carry adapters, though the blocks around them know nothing
 * of it.
 *
 * <pre>{@code
 * ZooModel<Image, Classifications> model = criteria.loadModel();
 * BlockBackbone backbone = BlockBackbone.of(model.getBlock(), new Shape(1, 3, 224, 224));
 * LoraConfig config = LoraConfig.builder().targetRegex(".*Linear").build();
 * InjectedLora lora = LoraInjector.inject(backbone, config, "mine", 7);
 * model.setBlock(backbone); // predictors made from now on see the adapter
 * }</pre>
 *
 * <p>A layer's path is made of the names that its parents give their children, as in {@code
 * 02SequentialBlock.01Linear}. A {@link Linear} that only {@link SequentialBlock}s stand above is
 * computed as {@link LoraLinear} does. Any other layer is adapted through its weight: the block
 * asks its {@link ParameterStore}, and gets W0 + s B A instead of W0. That works through blocks
 * whose parts are private, and costs what {@link LoraLinear} does not: the product B A is formed in
 * every pass, and so is the gradient of the whole weight. Dropout of such an adapter's input and
 * one adapter an example are refused there. Blocks that do not ask the store, such as scripted
 * models, have no layers to adapt. A convolution of several groups has none either: the product
 * that PEFT adds to it is no change of its weight. The tree is read once, when the backbone is
 * made.
 *
 * <p>The weights stay the block's, are frozen, and keep their values. Not safe for use from several
 * threads: give each a {@link #fork()}.
 */
public final class BlockBackbone extends AbstractBlock implements Backbone {

    private final Block block;
    private final NDManager manager;
    private final Shape inputShape;
    private final InputSpec input;
    private final UnaryOperator<NDArray> preprocessing;
    private final int featureSize;
    private final Map<String, LoraLayer> layers;
    private final Block adapted;
    private final IdentityHashMap<Parameter, Adapted> weights = new IdentityHashMap<>();
    private final IdentityHashMap<Parameter, LoraWeight> biases = new IdentityHashMap<>();

    /** A layer that is adapted through what its block asks the store for. */
    private record Adapted(String path, LoraWeight layer) {}

    @SuppressWarnings("this-escape")
    private BlockBackbone(
            Block block,
            NDManager parent,
            Shape inputShape,
            InputSpec input,
            UnaryOperator<NDArray> preprocessing,
            Map<String, LoraLayer> layers) {
        this.block = addChildBlock("block", block);
        manager = parent.newSubManager();
        this.inputShape = inputShape;
        this.input = input;
        this.preprocessing = preprocessing;
        this.layers = Collections.unmodifiableMap(layers);
        adapted = DjlLayers.withLinears(block, layers);
        layers.forEach(
                (path, layer) -> {
                    if (layer instanceof LoraWeight weight) {
                        weights.put(weight.weight(), new Adapted(path, weight));
                        if (weight.bias() != null) {
                            biases.put(weight.bias(), weight);
                        }
                    }
                });
        Shape output = block.getOutputShapes(new Shape[] {inputShape})[0];
        featureSize = Math.toIntExact(output.get(output.dimension() - 1));
        inputShapes = new Shape[] {inputShape};
    }

    /**
     * A backbone over a block.
     *
     * @param block an initialised block of one input and one output (batch, D), which stays the
     *     caller's; its parameters are frozen
     * @param inputShape the shape of an input, with any batch; the last two sizes are taken for the
     *     height and width of images
     * @return the backbone, which is closed before the block's weights are
     * @throws IllegalArgumentException if the block holds no layer that can be adapted, or its
     *     weights are not there yet
     */
    public static BlockBackbone of(Block block, Shape inputShape) {
        return of(block, inputShape, UnaryOperator.identity());
    }

    /**
     * A backbone over a block that does not take pixels as they are.
     *
     * @param block an initialised block of one input and one output (batch, D), which stays the
     *     caller's; its parameters are frozen
     * @param inputShape the shape of an input, with any batch; the last two sizes are taken for the
     *     height and width of images
     * @param preprocessing makes of what {@link #features} is given what the block takes, such as
     *     normalised floats of unsigned bytes
     * @return the backbone, which is closed before the block's weights are
     * @throws IllegalArgumentException as for {@link #of(Block, Shape)}
     */
    public static BlockBackbone of(
            Block block, Shape inputShape, UnaryOperator<NDArray> preprocessing) {
        Map<String, LoraLayer> layers = DjlLayers.of(block);
        checkArgument(
                !layers.isEmpty(),
                "the block %s holds no Linear, Convolution or Embedding of ai.djl.nn; layers of"
                        + " other kinds and of scripted models cannot be adapted",
                block.getClass().getName());
        block.freezeParameters(true);
        NDManager owner = layers.values().iterator().next().weight().getArray().getManager();
        int rank = inputShape.dimension();
        InputSpec spec =
                new InputSpec(
                        rank < 2 ? 1 : (int) Math.max(1, inputShape.get(rank - 2)),
                        rank < 1 ? 1 : (int) Math.max(1, inputShape.get(rank - 1)),
                        Interpolation.BILINEAR);
        return new BlockBackbone(block, owner, inputShape, spec, preprocessing, layers);
    }

    @Override
    public Map<String, LoraLayer> loraLayers() {
        return layers;
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalStateException if an adapter has dropout at work, or a bias of B in a layer
     *     without a bias, which this way of adapting cannot do
     */
    @Override
    public NDArray features(NDArray pixels) {
        return Scope.keep(
                () ->
                        throughBlock(
                                new ParameterStore(manager, false),
                                new NDList(preprocessing.apply(pixels)),
                                false,
                                null));
    }

    private NDArray throughBlock(
            ParameterStore store,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        ParameterStore adapting = new AdaptedStore(store, inputs.head().getManager());
        return adapted.forward(adapting, inputs, training, params).singletonOrThrow();
    }

    /** Hands out adapted weights and biases in place of those of the block. */
    private final class AdaptedStore extends ParameterStore {

        private final ParameterStore store;
        private final NDManager owner;

        AdaptedStore(ParameterStore store, NDManager owner) {
            super(store.getManager(), false);
            this.store = store;
            this.owner = owner;
        }

        @Override
        public @Nullable NDArray getValue(
                @Nullable Parameter parameter, Device device, boolean training) {
            NDArray value = store.getValue(parameter, device, training);
            if (parameter == null || value == null) {
                return value;
            }
            Adapted weight = weights.get(parameter);
            if (weight != null) {
                return weight.layer().adapted(weight.path(), value, owner);
            }
            LoraWeight biased = biases.get(parameter);
            return biased == null ? value : biased.adaptedBias(value, owner);
        }
    }

    @Override
    public int featureSize() {
        return featureSize;
    }

    @Override
    public InputSpec input() {
        return input;
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public String digest() {
        MessageDigest sha;
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
        for (Pair<String, Parameter> parameter : block.getParameters()) {
            sha.update(parameter.getKey().getBytes(StandardCharsets.UTF_8));
            HostTensor.copyOf(parameter.getValue().getArray()).update(sha);
        }
        return HexFormat.of().formatHex(sha.digest());
    }

    @Override
    public BlockBackbone fork() {
        Map<String, LoraLayer> forks = new LinkedHashMap<>();
        layers.forEach((path, layer) -> forks.put(path, layer.fork()));
        return new BlockBackbone(block, manager, inputShape, input, preprocessing, forks);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return new NDList(throughBlock(parameterStore, inputs, training, params));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return block.getOutputShapes(inputs);
    }

    @Override
    protected void initializeChildBlocks(NDManager owner, DataType dataType, Shape... shapes) {
        // the block has its weights
    }

    /** Frees what adapters left; the block and its weights stay. */
    @Override
    public void close() {
        manager.close();
    }
}
