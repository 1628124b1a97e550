package io.fairlora.vision.vit;

import ai.djl.Device;
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
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LayeredBackbone;
import io.fairlora.lora.LoraLinear;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scope;
import io.fairlora.vision.vit.WeightNames.Part;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A vision transformer (Dosovitskiy et al. 2020) as Hugging Face's {@code ViTModel} computes it,
 * frozen, with linear layers that can carry adapters.
 *
 * <p>As a DJL block it maps pixels (batch, 3, height, width), unsigned bytes or any type in 0..255,
 * to features (batch, D). Not safe for use from several threads: give each a {@link #fork()}.
 */
public final class VisionTransformer extends AbstractBlock implements LayeredBackbone {

    private final VitConfig config;
    private final VitPreprocessing preprocessing;
    private final NDManager manager;
    private final boolean owner;
    private final WeightNames names;
    private final Parameter clsToken;
    private final Parameter positions;
    private final LoraLinear patchProjection;
    private final List<TransformerLayer> layers = new ArrayList<>();
    private final Norm finalNorm;
    private final Map<String, LoraLinear> linears;
    private final ParameterStore store;
    private final NDArray pixelScale;
    private final NDArray pixelShift;
    private Precision precision = Precision.SINGLE;

    /** A transformer without weights; {@link VitFiles} or {@link #random} sets them. */
    @SuppressWarnings("this-escape")
    VisionTransformer(
            VitConfig config,
            VitPreprocessing preprocessing,
            WeightNames names,
            DataType dataType,
            NDManager manager) {
        this.config = config;
        this.preprocessing = preprocessing;
        this.manager = manager;
        this.names = names;
        owner = true;
        int d = config.hiddenSize();
        int p = config.patchSize();
        clsToken = addParameter(parameter("cls_token", new Shape(1, 1, d)));
        positions =
                addParameter(
                        parameter("position_embeddings", new Shape(1, 1 + config.patches(), d)));
        patchProjection = addChildBlock("patch", new LoraLinear(3L * p * p, d, true));
        for (int i = 0; i < config.layers(); i++) {
            layers.add(addChildBlock("layer" + i, new TransformerLayer(config)));
        }
        finalNorm = addChildBlock("layernorm", new Norm(d, config.layerNormEps()));
        linears = linearsByPath();
        store = new ParameterStore(manager, false);
        pixelScale = preprocessing.normalization().scale(manager).toType(dataType, false);
        pixelShift = preprocessing.normalization().shift(manager).toType(dataType, false);
        inputShapes = new Shape[] {inputShape()};
    }

    @SuppressWarnings("this-escape")
    private VisionTransformer(VisionTransformer shared) {
        config = shared.config;
        preprocessing = shared.preprocessing;
        manager = shared.manager.newSubManager();
        names = shared.names;
        owner = false;
        clsToken = addParameter(shared.clsToken);
        positions = addParameter(shared.positions);
        patchProjection = addChildBlock("patch", shared.patchProjection.fork());
        for (int i = 0; i < config.layers(); i++) {
            layers.add(addChildBlock("layer" + i, shared.layers.get(i).fork()));
        }
        finalNorm = addChildBlock("layernorm", shared.finalNorm);
        linears = linearsByPath();
        store = shared.store;
        pixelScale = shared.pixelScale;
        pixelShift = shared.pixelShift;
        precision = shared.precision;
        inputShapes = shared.inputShapes;
    }

    private static Parameter parameter(String name, Shape shape) {
        return Parameter.builder()
                .setName(name)
                .setType(Parameter.Type.OTHER)
                .optShape(shape)
                .build();
    }

    private Shape inputShape() {
        return new Shape(1, 3, config.imageHeight(), config.imageWidth());
    }

    private Map<String, LoraLinear> linearsByPath() {
        Map<String, LoraLinear> found = new LinkedHashMap<>();
        for (int i = 0; i < layers.size(); i++) {
            TransformerLayer layer = layers.get(i);
            found.put(names.layer(i, Part.QUERY), layer.query);
            found.put(names.layer(i, Part.KEY), layer.key);
            found.put(names.layer(i, Part.VALUE), layer.value);
            found.put(names.layer(i, Part.OUTPUT), layer.output);
            found.put(names.layer(i, Part.FC1), layer.intermediate);
            found.put(names.layer(i, Part.FC2), layer.mlpOutput);
        }
        return Collections.unmodifiableMap(found);
    }

    /**
     * Loads a model directory of Hugging Face: {@code config.json}, {@code model.safetensors} and,
     * if there, {@code preprocessor_config.json}.
     *
     * <p>Reads the names of {@code ViTModel} and {@code ViTForImageClassification}, of transformers
     * before and since 5.9. A classifier or pooler in the file is left aside.
     *
     * @param directory the directory
     * @param device where the weights go
     * @return the model, which the caller closes
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weights and configuration do not fit together; every
     *     missing or mis-shaped weight is named
     */
    public static VisionTransformer load(Path directory, Device device) throws IOException {
        return VitFiles.load(directory, device);
    }

    /**
     * Makes a model with random weights: normal with standard deviation 0.02, cut at two
     * deviations, biases 0, norms 1.
     *
     * @param config the shape
     * @param dataType {@code FLOAT32}, or {@code FLOAT64} for finite differences
     * @param device where the weights go
     * @param seed the seed; the same seed gives the same weights
     * @return the model, which the caller closes
     */
    public static VisionTransformer random(
            VitConfig config, DataType dataType, Device device, long seed) {
        NDManager manager = NDManager.newBaseManager(device, "PyTorch");
        VisionTransformer vit =
                new VisionTransformer(
                        config,
                        VitPreprocessing.DEFAULT,
                        new WeightNames("", WeightNames.Layout.CLASSIC),
                        dataType,
                        manager);
        RandomGenerator random = new SplittableRandom(seed);
        vit.weights()
                .forEach(
                        (name, parameter) -> {
                            Shape shape = parameter.getShape();
                            float[] values = new float[Math.toIntExact(shape.size())];
                            for (int i = 0; i < values.length; i++) {
                                values[i] = initial(parameter.getType(), random);
                            }
                            NDArray single =
                                    HostTensor.of(values, shape.getShape()).toNDArray(manager);
                            setWeight(parameter, single.toType(dataType, false));
                        });
        return vit;
    }

    /** Gives a parameter of known shape its frozen array. */
    static void setWeight(Parameter parameter, NDArray array) {
        // DJL takes either a shape or an array: the shape, already checked, gives way.
        parameter.setShape(null);
        parameter.setArray(array);
        parameter.freeze(true);
    }

    private static float initial(Parameter.Type type, RandomGenerator random) {
        return switch (type) {
            case GAMMA -> 1;
            case BETA, BIAS -> 0;
            default -> {
                double z;
                do {
                    z = random.nextGaussian();
                } while (Math.abs(z) > 2);
                yield (float) (0.02 * z);
            }
        };
    }

    /**
     * The shape of the model.
     *
     * @return the configuration
     */
    public VitConfig config() {
        return config;
    }

    /**
     * What happens to an image before the first layer.
     *
     * @return the preprocessing
     */
    public VitPreprocessing preprocessing() {
        return preprocessing;
    }

    /**
     * In what the matrix products are computed.
     *
     * @return {@link Precision#SINGLE} unless set otherwise
     */
    public Precision precision() {
        return precision;
    }

    /**
     * Chooses in what the matrix products of all layers, and the attention and the activation
     * between them, are computed. Weights, {@link #save}, {@link #digest} and the adapters' arrays
     * stay in single precision. {@link #fork} copies the choice; forks made earlier keep theirs.
     *
     * <p>{@link Precision#BF16} is for inference and for training adapters. It keeps a second copy
     * of the frozen weights at half the size. After writing into a weight, call {@link
     * LoraLinear#weightChanged()} on its layer.
     *
     * @param precision the precision
     * @throws IllegalArgumentException if {@code precision} is {@code BF16} and the weights are not
     *     of type {@code FLOAT32}
     */
    public void setPrecision(Precision precision) {
        DataType type = pixelScale.getDataType();
        if (precision == Precision.BF16 && type != DataType.FLOAT32) {
            throw new IllegalArgumentException(
                    "precision BF16 takes weights of type float32, found "
                            + type
                            + "; use precision SINGLE");
        }
        this.precision = precision;
        patchProjection.setPrecision(precision);
        linears.values().forEach(linear -> linear.setPrecision(precision));
    }

    /**
     * All weights by the name that {@link #save} gives them, in the order of application.
     *
     * @return an immutable map; the arrays stay this model's
     */
    public Map<String, Parameter> weights() {
        Map<String, Parameter> found = new LinkedHashMap<>();
        found.put(names.embeddings("cls_token"), clsToken);
        found.put(names.embeddings("position_embeddings"), positions);
        put(found, names.embeddings("patch_embeddings.projection"), patchProjection);
        for (int i = 0; i < layers.size(); i++) {
            TransformerLayer layer = layers.get(i);
            put(found, names.layer(i, Part.NORM_BEFORE), layer.normBefore);
            put(found, names.layer(i, Part.QUERY), layer.query);
            put(found, names.layer(i, Part.KEY), layer.key);
            put(found, names.layer(i, Part.VALUE), layer.value);
            put(found, names.layer(i, Part.OUTPUT), layer.output);
            put(found, names.layer(i, Part.NORM_AFTER), layer.normAfter);
            put(found, names.layer(i, Part.FC1), layer.intermediate);
            put(found, names.layer(i, Part.FC2), layer.mlpOutput);
        }
        put(found, names.finalNorm(), finalNorm);
        return Collections.unmodifiableMap(found);
    }

    private static void put(Map<String, Parameter> map, String path, LoraLinear linear) {
        map.put(path + ".weight", linear.weight());
        Parameter bias = linear.bias();
        if (bias != null) {
            map.put(path + ".bias", bias);
        }
    }

    private static void put(Map<String, Parameter> map, String path, Norm norm) {
        map.put(path + ".weight", norm.gamma);
        map.put(path + ".bias", norm.beta);
    }

    WeightNames names() {
        return names;
    }

    /**
     * Writes the model as a directory that Hugging Face's transformers reads as {@code ViTModel}.
     *
     * @param directory the directory; made if absent
     * @param half whether weights are stored in half precision (F16) rather than single
     * @throws IOException if a file cannot be written
     */
    public void save(Path directory, boolean half) throws IOException {
        VitFiles.save(this, directory, half);
    }

    /**
     * Cuts images into patches and normalises their pixels.
     *
     * @param pixels (batch, 3, height, width) in 0..255
     * @return (batch, N, 3 p^2), each patch in the order channel, row, column
     */
    public NDArray patches(NDArray pixels) {
        Shape shape = pixels.getShape();
        if (shape.dimension() != 4
                || shape.get(1) != 3
                || shape.get(2) != config.imageHeight()
                || shape.get(3) != config.imageWidth()) {
            throw new IllegalArgumentException(
                    "expected pixels (batch, 3, "
                            + config.imageHeight()
                            + ", "
                            + config.imageWidth()
                            + "), found "
                            + shape);
        }
        long batch = shape.get(0);
        long p = config.patchSize();
        long rows = config.imageHeight() / p;
        long columns = config.imageWidth() / p;
        return pixels.toType(pixelScale.getDataType(), false)
                .mul(pixelScale)
                .add(pixelShift)
                .reshape(batch, 3, rows, p, columns, p)
                .transpose(0, 2, 4, 1, 3, 5)
                .reshape(batch, rows * columns, 3 * p * p);
    }

    /**
     * Projects patches to tokens and adds their positions.
     *
     * @param patches (batch, N, 3 p^2)
     * @return (batch, N, D), without the class token
     */
    public NDArray embed(NDArray patches) {
        NDArray position = store.getValue(positions, patches.getDevice(), false);
        return patchProjection
                .apply(store, patches, false)
                .add(position.get(patches.getManager(), new NDIndex(":, 1:")));
    }

    /**
     * Puts the class token before the given tokens and applies all layers and the final norm.
     *
     * @param tokens (batch, n, D) for any n, as {@link #embed} makes them
     * @return (batch, 1 + n, D), the class token first
     */
    public NDArray encode(NDArray tokens) {
        return Scope.keep(
                () -> finalNorm.apply(store, through(withClassToken(tokens), 0, layers()), false));
    }

    private NDArray withClassToken(NDArray tokens) {
        NDManager scope = tokens.getManager();
        Shape shape = tokens.getShape();
        NDArray position = store.getValue(positions, tokens.getDevice(), false);
        NDArray cls =
                scope.zeros(new Shape(shape.get(0), 1, shape.get(2)), tokens.getDataType())
                        .add(store.getValue(clsToken, tokens.getDevice(), false))
                        .add(position.get(scope, new NDIndex(":, :1")));
        return NDArrays.concat(new NDList(cls, tokens), 1);
    }

    /** Applies the layers {@code from} (inclusive) to {@code to} (exclusive). */
    private NDArray through(NDArray tokens, int from, int to) {
        NDArray x = tokens;
        for (TransformerLayer layer : layers.subList(from, to)) {
            NDArray y = layer.apply(store, x, false);
            if (x != tokens) {
                x.close();
            }
            x = y;
        }
        return x;
    }

    @Override
    public NDArray features(NDArray pixels) {
        return Scope.keep(() -> featuresFrom(withClassToken(embed(patches(pixels))), 0));
    }

    @Override
    public int layers() {
        return layers.size();
    }

    @Override
    public NDArray hidden(NDArray pixels, int layer) {
        checkLayer(layer);
        return Scope.keep(() -> through(withClassToken(embed(patches(pixels))), 0, layer));
    }

    @Override
    public NDArray featuresFrom(NDArray hidden, int layer) {
        checkLayer(layer);
        return Scope.keep(
                () -> {
                    if (config.pooling() == Pooling.MEAN) {
                        NDArray x = through(hidden, layer, layers());
                        return finalNorm.apply(store, x, false).get(":, 1:").mean(new int[] {1});
                    }
                    if (layer == layers()) {
                        return finalNorm.apply(store, hidden.get(":, 0"), false);
                    }
                    // Nobody reads the last layer's other tokens.
                    NDArray x = through(hidden, layer, layers() - 1);
                    NDArray cls = layers.get(layers() - 1).applyToFirst(store, x, false);
                    return finalNorm.apply(store, cls.get(":, 0"), false);
                });
    }

    @Override
    public Object stem(int layer) {
        checkLayer(layer);
        long revisions = patchProjection.weightRevision();
        for (TransformerLayer below : layers.subList(0, layer)) {
            for (LoraLinear linear : below.linears()) {
                if (!linear.names().isEmpty()) {
                    return new Object();
                }
                revisions += linear.weightRevision();
            }
        }
        return new Stem(clsToken, layer, precision, revisions);
    }

    /** Equal where the same weights, unchanged, compute what a layer takes in. */
    private record Stem(Parameter weights, int layer, Precision precision, long revisions) {}

    private void checkLayer(int layer) {
        if (layer < 0 || layer > layers()) {
            throw new IllegalArgumentException(
                    "layer must be in 0.." + layers() + ", found " + layer);
        }
    }

    @Override
    public Map<String, LoraLinear> linears() {
        return linears;
    }

    @Override
    public int featureSize() {
        return config.hiddenSize();
    }

    @Override
    public InputSpec input() {
        return preprocessing.input(config.imageHeight(), config.imageWidth());
    }

    @Override
    public Device device() {
        return manager.getDevice();
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public String digest() {
        // Not remembered: merging an adapter changes the weights in place.
        return VitFiles.digest(this);
    }

    @Override
    public VisionTransformer fork() {
        return new VisionTransformer(this);
    }

    @Override
    protected NDList forwardInternal(
            ParameterStore parameterStore,
            NDList inputs,
            boolean training,
            @Nullable PairList<String, Object> params) {
        return new NDList(features(inputs.singletonOrThrow()));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
        return new Shape[] {new Shape(inputs[0].get(0), config.hiddenSize())};
    }

    @Override
    protected void initializeChildBlocks(NDManager owner, DataType dataType, Shape... shapes) {
        // weights are set before the block is handed out
    }

    @Override
    public void close() {
        if (owner) {
            clear();
        }
        manager.close();
    }
}
