package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The layers of DJL's own classes in a tree of blocks. */
final class DjlLayers {

    private DjlLayers() {}

    /** A layer at its place; {@code inSequence} if nothing but plain sequences stands above it. */
    private record Place(String path, Block layer, boolean inSequence) {}

    /**
     * Finds the layers that can be adapted.
     *
     * @return layers over the parameters of the blocks, by path: a {@link LoraLinear} where {@link
     *     #withLinears} can put it in the block's place, else a {@link LoraWeight}
     * @throws IllegalArgumentException if one has no weights yet
     */
    static Map<String, LoraLayer> of(Block root) {
        List<Place> places = new ArrayList<>();
        collect(root, "", true, places);
        IdentityHashMap<Parameter, Integer> uses = new IdentityHashMap<>();
        places.forEach(place -> uses.merge(weight(place), 1, Integer::sum));
        Map<String, LoraLayer> layers = new LinkedHashMap<>();
        // A layer that is used twice is one layer, under its first path.
        places.forEach(
                place -> {
                    Integer times = uses.remove(weight(place));
                    if (times != null) {
                        layers.put(place.path(), layer(place, times == 1));
                    }
                });
        return layers;
    }

    private static void collect(Block block, String path, boolean inSequence, List<Place> places) {
        if (isLayer(block)) {
            String name = path.isEmpty() ? block.getClass().getSimpleName() : path;
            places.add(new Place(name, block, inSequence));
            return;
        }
        boolean sequence = inSequence && block.getClass() == SequentialBlock.class;
        for (Pair<String, Block> child : block.getChildren()) {
            collect(child.getValue(), below(path, child.getKey()), sequence, places);
        }
    }

    private static String below(String path, String child) {
        return path.isEmpty() ? child : path + "." + child;
    }

    private static boolean isLayer(Block block) {
        return block instanceof Linear
                || block instanceof Embedding
                || (block instanceof Convolution convolution && convolution.getGroups() == 1);
    }

    private static Parameter weight(Place place) {
        Map<String, Parameter> parameters = parameters(place.layer());
        Parameter weight =
                parameters.get(place.layer() instanceof Embedding ? "embedding" : "weight");
        checkArgument(
                weight != null && weight.isInitialized(),
                "layer %s has no weights yet; initialise or load the block first",
                place.path());
        return weight;
    }

    private static Map<String, Parameter> parameters(Block layer) {
        Map<String, Parameter> parameters = new LinkedHashMap<>();
        layer.getDirectParameters().forEach(p -> parameters.put(p.getKey(), p.getValue()));
        return parameters;
    }

    private static LoraLayer layer(Place place, boolean alone) {
        Parameter weight = weight(place);
        Parameter bias = parameters(place.layer()).get("bias");
        if (place.layer() instanceof Linear linear) {
            return alone && place.inSequence() && linear.getClass() == Linear.class
                    ? LoraLinear.over(weight, bias)
                    : new LoraWeight(LayerKind.LINEAR, weight, bias);
        }
        if (place.layer() instanceof Embedding) {
            return new LoraWeight(LayerKind.EMBEDDING, weight, null);
        }
        Shape shape = weight.getArray().getShape();
        return new LoraWeight(LayerKind.convolution(shape.slice(1).getShape()), weight, bias);
    }

    /**
     * The block with each linear layer of its sequences in the place of DJL's own.
     *
     * @param layers as {@link #of} found them, or forks
     */
    static Block withLinears(Block root, Map<String, LoraLayer> layers) {
        return root instanceof Linear
                ? replaced(root, root.getClass().getSimpleName(), layers)
                : replaced(root, "", layers);
    }

    private static Block replaced(Block block, String path, Map<String, LoraLayer> layers) {
        if (layers.get(path) instanceof LoraLinear linear) {
            return linear;
        }
        if (block.getClass() != SequentialBlock.class) {
            return block;
        }
        SequentialBlock sequence = new SequentialBlock();
        sequence.setReturnIntermediate(((SequentialBlock) block).isReturnIntermediate());
        for (Pair<String, Block> child : block.getChildren()) {
            sequence.add(replaced(child.getValue(), below(path, child.getKey()), layers));
        }
        return sequence;
    }
}
