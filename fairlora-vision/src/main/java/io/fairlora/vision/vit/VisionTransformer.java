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
import io.fairlora.lora.BiasedLayer;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LayeredBackbone;
import io.fairlora.lora.LoraLayer;
import io.fairlora.lora.LoraLinear;
import io.fairlora.ndarray.Precision;
import io.fairlora.ndarray.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A vision transformer (Dosovitskiy et al. 2020), frozen, with layers that can carry adapters: ViT,
 * DeiT, DINOv2 and the like as Hugging Face's transformers or timm compute it.
 *
 * <p>As a DJL block it maps pixels (batch, 3, height, width), unsigned bytes or any type in 0..255,
 * to features (batch, {@link #featureSize()}). Not safe for use from several threads: give each a
 * {@link #fork()}.
 */
public final class VisionTransformer extends AbstractBlock implements LayeredBackbone {

    private final VitConfig config;
    private final VitPreprocessing preprocessing;
    private final NDManager manager;
    private final boolean owner;
    private final WeightNames names;
    private final Embeddings embeddings;
    private final List<TransformerLayer> layers = new ArrayList<>();
    private final Norm finalNorm;
    private final NamedWeights named;
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
        embeddings = addChildBlock("embeddings", new Embeddings(config));
        for (int i = 0; i < config.layers(); i++) {
            layers.add(addChildBlock("layer" + i, new TransformerLayer(config)));
        }
        finalNorm =
                addChildBlock("layernorm", new Norm(config.hiddenSize(), config.layerNormEps()));
        named = new NamedWeights(config, names, embeddings, layers, finalNorm);
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
        embeddings = addChildBlock("embeddings", shared.embeddings.fork());
        for (int i = 0; i < config.layers(); i++) {
            layers.add(addChildBlock("layer" + i, shared.layers.get(i).fork()));
        }
        finalNorm = addChildBlock("layernorm", shared.finalNorm.fork());
        named = new NamedWeights(config, names, embeddings, layers, finalNorm);
        store = shared.store;
        pixelScale = shared.pixelScale;
        pixelShift = shared.pixelShift;
        precision = shared.precision;
        inputShapes = shared.inputShapes;
    }

    private Shape inputShape() {
        return new Shape(1, 3, config.imageHeight(), config.imageWidth());
    }

    /**
     * Loads a model as its files describe it; as {@link #load(Path, Device, LoadOptions)} with
     * {@link LoadOptions#DEFAULT}.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @param device where the weights go
     * @return the model, which the caller closes
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weights and configuration do not fit together; every
     *     missing, unexpected or mis-shaped weight is named
     */
    public static VisionTransformer load(Path path, Device device) throws IOException {
        return load(path, device, LoadOptions.DEFAULT);
    }

    /**
     * Loads a model: {@code config.json}, {@code model.safetensors} or the index of its shards
     * ({@code model.safetensors.index.json}) and, if there, {@code preprocessor_config.json}.
     *
     * <p>Reads ViT, DeiT and DINOv2 of Hugging Face, with the names of transformers before and
     * since 5.9, the vision towers of its CLIP and SigLIP, and timm's {@code vit}, {@code deit},
     * {@code deit3} and {@code flexivit}. A classifier, a pooler and a mask token in the file are
     * left aside. The images are of the size that {@code config.json} names; those of DINOv2 of the
     * size that {@code preprocessor_config.json} makes, as in transformers.
     *
     * <p>Layers have the names of the file, but timm's fused {@code attn.qkv} becomes {@code
     * attn.q_proj}, {@code attn.k_proj} and {@code attn.v_proj}; {@link FusedQkv} turns PEFT's
     * adapters on the one into adapters on the three and back.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @param device where the weights go
     * @param options what is to be other than the files say
     * @return the model, which the caller closes
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weights and configuration do not fit together; every
     *     missing, unexpected or mis-shaped weight is named
     */
    public static VisionTransformer load(Path path, Device device, LoadOptions options)
            throws IOException {
        return VitFiles.load(path, device, options);
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
        return RandomWeights.transformer(config, dataType, device, seed);
    }

    /** Gives a parameter of known shape its frozen array. */
    static void setWeight(Parameter parameter, NDArray array) {
        // DJL takes either a shape or an array: the shape, already checked, gives way.
        parameter.setShape(null);
        parameter.setArray(array);
        parameter.freeze(true);
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
     * LoraLayer#weightChanged()} on its layer.
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
        for (LoraLayer layer : named.loraLayers().values()) {
            if (layer instanceof LoraLinear linear) {
                linear.setPrecision(precision);
            }
        }
    }

    /**
     * All weights by the name that {@link #save} gives them, in the order of application.
     *
     * @return an immutable map; the arrays stay this model's
     */
    public Map<String, Parameter> weights() {
        return named.weights();
    }

    WeightNames names() {
        return names;
    }

    /**
     * Writes the model as a directory that Hugging Face's transformers reads as {@code ViTModel},
     * {@code DeiTModel} or {@code Dinov2Model}, or that timm reads, if it was loaded from timm's
     * files. (Transformers itself wants square images of DINOv2 and CLIP.)
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
        long rows = config.patchRows();
        long columns = config.patchColumns();
        boolean whole = rows * p == shape.get(2) && columns * p == shape.get(3);
        return (whole ? pixels : pixels.get(new NDIndex(":, :, :{}, :{}", rows * p, columns * p)))
                .toType(pixelScale.getDataType(), false)
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
        return embeddings.embed(store, patches, false);
    }

    /**
     * Puts the class token, and the distillation token and the registers if the model has them,
     * before the given tokens and applies all layers and the final norm. The norm is left out if
     * the pooling is {@link Pooling#MEAN_NORM}, which applies it to the mean, or {@link
     * Pooling#MEAN_UNNORMED}.
     *
     * @param tokens (batch, n, D) for any n, as {@link #embed} makes them
     * @return (batch, k + n, D), those k tokens first
     */
    public NDArray encode(NDArray tokens) {
        return Scope.keep(
                () -> {
                    NDArray x = through(embeddings.complete(store, tokens, false), 0, layers());
                    return config.pooling().normsTokens() ? norm(x) : x;
                });
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

    private NDArray norm(NDArray x) {
        return finalNorm.apply(store, x, false);
    }

    @Override
    public NDArray features(NDArray pixels) {
        return Scope.keep(() -> featuresFrom(embedded(pixels), 0));
    }

    private NDArray embedded(NDArray pixels) {
        return embeddings.complete(store, embed(patches(pixels)), false);
    }

    @Override
    public int layers() {
        return layers.size();
    }

    @Override
    public NDArray hidden(NDArray pixels, int layer) {
        checkLayer(layer);
        return Scope.keep(() -> through(embedded(pixels), 0, layer));
    }

    @Override
    public NDArray featuresFrom(NDArray hidden, int layer) {
        checkLayer(layer);
        return Scope.keep(
                () -> {
                    if (config.pooling() != Pooling.CLS) {
                        return pool(through(hidden, layer, layers()));
                    }
                    if (layer == layers()) {
                        return norm(hidden.get(":, 0"));
                    }
                    // Nobody reads the last layer's other tokens.
                    NDArray x = through(hidden, layer, layers() - 1);
                    NDArray cls = layers.get(layers() - 1).applyToFirst(store, x, false);
                    return norm(cls.get(":, 0"));
                });
    }

    private NDArray pool(NDArray tokens) {
        return switch (config.pooling()) {
            case CLS -> norm(tokens.get(":, 0"));
            case MEAN -> mean(norm(tokens));
            case CLS_MEAN -> {
                NDArray normed = norm(tokens);
                yield NDArrays.concat(new NDList(normed.get(":, 0"), mean(normed)), 1);
            }
            case CLS_DISTILLATION -> norm(tokens.get(":, :2")).reshape(-1, featureSize());
            case MEAN_NORM -> norm(mean(tokens));
            case MEAN_UNNORMED -> mean(tokens);
        };
    }

    private NDArray mean(NDArray tokens) {
        return tokens.get(new NDIndex(":, {}:", config.stem().tokens())).mean(new int[] {1});
    }

    @Override
    public Object stem(int layer) {
        checkLayer(layer);
        List<BiasedLayer> below = new ArrayList<>(embeddings.changeable());
        layers.subList(0, layer).forEach(each -> below.addAll(each.changeable()));
        if (!below.stream().allMatch(BiasedLayer::isPlain)) {
            return new Object();
        }
        long revisions = below.stream().mapToLong(BiasedLayer::weightRevision).sum();
        return new Stem(embeddings.positions.weight(), layer, precision, revisions);
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
    public Map<String, LoraLayer> loraLayers() {
        return named.loraLayers();
    }

    @Override
    public Map<String, BiasedLayer> biasedLayers() {
        return named.biased();
    }

    @Override
    public int featureSize() {
        return config.pooling().vectors() * config.hiddenSize();
    }

    @Override
    public InputSpec input() {
        return new InputSpec(
                config.imageHeight(),
                config.imageWidth(),
                preprocessing.interpolation(),
                preprocessing.crop());
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
        return new Shape[] {new Shape(inputs[0].get(0), featureSize())};
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
