package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.fairlora.ndarray.HostTensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A perceptron of three layers on the images of {@code TinyFaces}: as a block of DJL's, and as a
 * backbone of {@link LoraLinear}s over the parameters of that block.
 */
public final class TinyPerceptron implements Backbone {

    private static final Shape INPUT = new Shape(1, 3, TinyBackbone.SIZE, TinyBackbone.SIZE);
    private static final int WIDTH = 10;

    private final NDManager manager;
    private final Map<String, LoraLinear> layers;

    private TinyPerceptron(NDManager manager, Map<String, LoraLinear> layers) {
        this.manager = manager;
        this.layers = layers;
    }

    private static NDArray flat(NDArray pixels) {
        return pixels.toType(DataType.FLOAT32, false).div(255).sub(0.5).reshape(-1, INPUT.size());
    }

    /** The block with random weights. */
    public static SequentialBlock block(NDManager manager, long seed) {
        SequentialBlock block = new SequentialBlock().add(LambdaBlock.singleton(x -> flat(x)));
        block.add(Linear.builder().setUnits(WIDTH).build()).add(Activation.tanhBlock());
        // One of them in a sequence of its own.
        block.add(
                new SequentialBlock()
                        .add(Linear.builder().setUnits(WIDTH).optBias(false).build())
                        .add(Activation.tanhBlock()));
        block.add(Linear.builder().setUnits(WIDTH).build());
        block.initialize(manager, DataType.FLOAT32, INPUT);
        SplittableRandom random = new SplittableRandom(seed);
        block.getParameters()
                .values()
                .forEach(
                        parameter -> {
                            float[] values = new float[(int) parameter.getArray().size()];
                            for (int i = 0; i < values.length; i++) {
                                values[i] = (float) (0.4 * random.nextGaussian());
                            }
                            parameter.getArray().set(values);
                        });
        return block;
    }

    /** The block as any block of DJL's. */
    public static BlockBackbone foreign(Block block) {
        return BlockBackbone.of(block, INPUT);
    }

    /** The same layers as a network of one's own would have them. */
    public static TinyPerceptron over(SequentialBlock block, NDManager manager) {
        Map<String, LoraLinear> layers = new LinkedHashMap<>();
        DjlLayers.of(block)
                .forEach(
                        (path, layer) ->
                                layers.put(path, LoraLinear.over(layer.weight(), layer.bias())));
        return new TinyPerceptron(manager, layers);
    }

    @Override
    public Map<String, LoraLayer> loraLayers() {
        return Collections.unmodifiableMap(layers);
    }

    @Override
    public NDArray features(NDArray pixels) {
        ParameterStore store = new ParameterStore(manager, false);
        NDArray x = flat(pixels);
        int left = layers.size();
        for (LoraLinear layer : layers.values()) {
            x = layer.apply(store, x, false);
            x = --left == 0 ? x : x.tanh();
        }
        return x;
    }

    @Override
    public int featureSize() {
        return WIDTH;
    }

    @Override
    public InputSpec input() {
        return new InputSpec(TinyBackbone.SIZE, TinyBackbone.SIZE, Interpolation.BILINEAR);
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public String digest() {
        StringBuilder digest = new StringBuilder();
        layers.values()
                .forEach(l -> digest.append(HostTensor.copyOf(l.weight().getArray()).hashCode()));
        return digest.toString();
    }

    @Override
    public Backbone fork() {
        Map<String, LoraLinear> forks = new LinkedHashMap<>();
        layers.forEach((path, layer) -> forks.put(path, layer.fork()));
        return new TinyPerceptron(manager.newSubManager(), forks);
    }

    @Override
    public void close() {
        manager.close();
    }
}
