package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An adapter in the layers of a backbone. Owns its arrays on the device; closing it takes the
 * adapter out of the layers and frees them.
 *
 * <p>Not safe for use from several threads.
 */
public final class InjectedLora implements AutoCloseable {

    private final String name;
    private final LoraConfig config;
    private final Backbone backbone;
    private final NDManager manager;
    private final Map<String, Site> sites = new LinkedHashMap<>();
    private final Map<String, BiasSite> biases = new LinkedHashMap<>();
    private double factor;
    private boolean trainable;
    private boolean enabled;
    private boolean closed;

    /** One layer that carries the adapter. */
    private record Site(LoraLayer layer, LayerAdapter placed) {

        LoraLayer.Adapter adapter() {
            return placed.adapter();
        }
    }

    /** One layer whose bias the adapter replaces. */
    private record BiasSite(BiasedLayer layer, NDArray bias) {}

    private InjectedLora(
            Backbone backbone, String name, LoraConfig config, double factor, boolean trainable) {
        this.backbone = backbone;
        this.manager = backbone.manager().newSubManager();
        this.name = name;
        this.config = config;
        this.factor = factor;
        this.trainable = trainable;
    }

    /**
     * Brings a checked adapter beside its layers, which do not apply it yet; leaves nothing behind
     * if it fails.
     *
     * @param layers the layers of the adapter by path
     * @param biased the layers of the adapter's biases by the biases' names
     * @param principals B0 and A0 by path, for an adapter that is relative to W0 - s B0 A0
     */
    static InjectedLora load(
            Backbone backbone,
            Map<String, LoraLayer> layers,
            Map<String, BiasedLayer> biased,
            Map<String, Factors> principals,
            LoraAdapter adapter,
            String name,
            double factor,
            boolean trainable) {
        InjectedLora injected =
                new InjectedLora(backbone, name, adapter.config(), factor, trainable);
        try {
            layers.forEach(
                    (path, layer) ->
                            injected.add(path, layer, adapter.layer(path), principals.get(path)));
            biased.forEach((path, layer) -> injected.addBias(path, layer, adapter));
            return injected;
        } catch (RuntimeException e) {
            injected.close();
            throw e;
        }
    }

    private void add(String path, LoraLayer layer, Factors factors, @Nullable Factors principal) {
        DataType type = layer.weight().getArray().getDataType();
        LoraLayer.Residual residual = null;
        if (principal != null) {
            NDArray c = create(principal.b(), type).muli(-principal.scale());
            residual = new LoraLayer.Residual(create(principal.a(), type), c);
        }
        LoraLayer.Adapter adapter =
                new LoraLayer.Adapter(
                        leaf(factors.a(), type),
                        leaf(factors.b(), type),
                        factors.scale(),
                        factors.bias() == null ? null : leaf(factors.bias(), type),
                        factors.magnitude() == null ? null : leaf(factors.magnitude(), type),
                        residual);
        sites.put(path, new Site(layer, new LayerAdapter(adapter, factor)));
    }

    private void addBias(String bias, BiasedLayer layer, LoraAdapter adapter) {
        NDArray frozen = AdapterBiases.frozen(layer).getArray();
        HostTensor values = adapter.biases().get(bias);
        NDArray own =
                leaf(values == null ? HostTensor.copyOf(frozen) : values, frozen.getDataType());
        biases.put(bias, new BiasSite(layer, own));
    }

    private NDArray leaf(HostTensor tensor, DataType type) {
        NDArray array = create(tensor, type);
        array.setRequiresGradient(trainable);
        return array;
    }

    private NDArray create(HostTensor tensor, DataType type) {
        NDArray array = tensor.toNDArray(manager);
        if (type != DataType.FLOAT32) {
            try (NDArray single = array) {
                array = single.toType(type, true);
            }
        }
        // It outlives a scope that happens to be open.
        NDScope.unregister(array);
        return array;
    }

    /**
     * The name under which the layers carry the adapter.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * The configuration the adapter was made with.
     *
     * @return the configuration
     */
    public LoraConfig config() {
        return config;
    }

    /**
     * The arrays by name, whether or not they are being trained.
     *
     * @return an immutable map in the order of the layers: {@code PATH.lora_A} of shape (r, in),
     *     {@code PATH.lora_B} of shape (out, r) (of an embedding {@code lora_embedding_A} and
     *     {@code lora_embedding_B}), and of shape (out), where the configuration has them, {@code
     *     PATH.lora_B.bias} and {@code PATH.lora_magnitude_vector}; then the backbone's trained
     *     biases, {@code PATH.bias}; the arrays stay this object's
     */
    public Map<String, NDArray> parameters() {
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        sites.forEach(
                (path, site) -> {
                    LoraLayer.Adapter adapter = site.adapter();
                    LayerKind kind = site.layer().kind();
                    parameters.put(path + "." + kind.nameOfA(), adapter.a());
                    parameters.put(path + "." + kind.nameOfB(), adapter.b());
                    if (adapter.bias() != null) {
                        parameters.put(path + "." + LayerKind.BIAS_OF_B, adapter.bias());
                    }
                    if (adapter.magnitude() != null) {
                        parameters.put(path + "." + LayerKind.MAGNITUDE, adapter.magnitude());
                    }
                });
        biases.forEach((bias, site) -> parameters.put(bias, site.bias()));
        return Collections.unmodifiableMap(parameters);
    }

    /**
     * A and B and the scale at work in each layer.
     *
     * @return an immutable map by the layers' paths, in their order; the arrays stay this object's
     */
    public Map<String, LoraLayer.Adapter> factors() {
        Map<String, LoraLayer.Adapter> factors = new LinkedHashMap<>();
        sites.forEach(
                (path, site) ->
                        factors.put(
                                path,
                                new LoraLayer.Adapter(
                                        site.adapter().a(),
                                        site.adapter().b(),
                                        factor * site.adapter().scale())));
        return Collections.unmodifiableMap(factors);
    }

    /** Whether one of {@link #parameters} stands for a bias of the backbone's own. */
    boolean isBackboneBias(String parameter) {
        return biases.containsKey(parameter);
    }

    /**
     * How much is trained, by layer.
     *
     * @return the arrays of this adapter beside the parameters of the backbone
     */
    public TrainableParameters trainableParameters() {
        return TrainableParameters.of(backbone, this);
    }

    /**
     * Copies the arrays into a value.
     *
     * @param provenance how the adapter came to be
     * @return an adapter of single precision, without saved modules, whose scales hold the factor
     * @throws IllegalStateException if this is closed, or its factor is not 1 and it is more than a
     *     sum of products, so that no adapter has the factor in it
     */
    public LoraAdapter toAdapter(Map<String, String> provenance) {
        checkOpen();
        Map<String, Factors> layers = new LinkedHashMap<>();
        sites.forEach((path, site) -> layers.put(path, toFactors(site)));
        Map<String, HostTensor> values = new LinkedHashMap<>();
        biases.forEach((bias, site) -> values.put(bias, HostTensor.copyOf(site.bias())));
        LoraAdapter adapter = new LoraAdapter(config, layers, values, Map.of(), provenance);
        checkState(
                factor == 1 || adapter.isAdditive(),
                "adapter %s has the scale %s, which DoRA, trained biases and the initialisations"
                        + " from the base weights cannot hold; set it to 1",
                name,
                factor);
        return adapter;
    }

    private Factors toFactors(Site site) {
        LoraLayer.Adapter adapter = site.adapter();
        NDArray bias = adapter.bias();
        NDArray magnitude = adapter.magnitude();
        return new Factors(
                HostTensor.copyOf(adapter.a()),
                HostTensor.copyOf(adapter.b()),
                factor * adapter.scale(),
                bias == null ? null : HostTensor.copyOf(bias),
                magnitude == null ? null : HostTensor.copyOf(magnitude),
                site.layer().kind());
    }

    /**
     * Overwrites the arrays in place, which keeps them leaves of the graph and known to an
     * optimizer.
     *
     * @param adapter an adapter with the same layers, shapes and scales
     * @throws IllegalArgumentException if a layer is missing or surplus, a shape or a scale
     *     differs, or an element is not finite; then nothing has changed
     * @throws IllegalStateException if this is closed
     */
    public void assign(LoraAdapter adapter) {
        checkOpen();
        checkArgument(
                adapter.layers().keySet().equals(sites.keySet()),
                "the adapter has the layers %s, expected %s",
                adapter.layers().keySet(),
                sites.keySet());
        checkArgument(
                adapter.biases().keySet().equals(biases.keySet()),
                "the adapter has the biases %s, expected %s",
                adapter.biases().keySet(),
                biases.keySet());
        checkArgument(
                adapter.config().hasBaseOf(config),
                "the adapter has the initialisation %s, expected %s",
                adapter.config().initializationText(),
                config.initializationText());
        checkArgument(adapter.isFinite(), "the adapter has elements that are not finite");
        sites.forEach((path, site) -> checkSame(path, site, adapter.layer(path)));
        Map<String, HostTensor> values = adapter.parameters();
        Map<String, NDArray> targets = parameters();
        checkArgument(
                values.keySet().equals(targets.keySet()),
                "the adapter has the tensors %s, expected %s",
                values.keySet(),
                targets.keySet());
        targets.forEach((key, target) -> checkShape(key, requireNonNull(values.get(key)), target));
        GradientMode.OFF.run(
                () ->
                        targets.forEach(
                                (key, target) ->
                                        overwrite(target, requireNonNull(values.get(key)))));
    }

    private static void checkShape(String key, HostTensor value, NDArray target) {
        checkArgument(
                value.shape().equals(target.getShape()),
                "%s is %s, expected %s",
                key,
                value.shape(),
                target.getShape());
    }

    private void checkSame(String path, Site site, Factors factors) {
        LoraLayer.Adapter adapter = site.adapter();
        checkArgument(
                factors.a().shape().equals(adapter.a().getShape())
                        && factors.b().shape().equals(adapter.b().getShape()),
                "layer %s has A %s and B %s, expected %s and %s",
                path,
                factors.a().shape(),
                factors.b().shape(),
                adapter.a().getShape(),
                adapter.b().getShape());
        checkArgument(
                factors.scale() == factor * adapter.scale(),
                "layer %s has the scale %s, expected %s",
                path,
                factors.scale(),
                factor * adapter.scale());
    }

    private void overwrite(NDArray target, HostTensor values) {
        try (NDManager scratch = manager.newSubManager()) {
            NDArray source = values.toNDArray(scratch).toType(target.getDataType(), false);
            target.set(new NDIndex(":"), source);
        }
    }

    /**
     * Multiplies what the adapter adds to every layer's output by a factor, which replaces the one
     * set before. Trained biases of the backbone are not touched.
     *
     * <p>For DoRA and for the initialisations from the base weights the whole change is multiplied,
     * so that 0 is the backbone and 1 the adapter; PEFT's {@code set_scale} multiplies B A alone.
     *
     * @param factor any finite number; 1 is the adapter as it was put in, -1 subtracts it
     * @throws IllegalStateException if this is closed
     */
    public void setScale(double factor) {
        checkOpen();
        checkArgument(Double.isFinite(factor), "factor must be finite, found %s", factor);
        this.factor = factor;
        sites.values().forEach(site -> site.placed().setFactor(factor));
    }

    /**
     * What the adapter's change is multiplied by.
     *
     * @return the factor it was put in with, or the last one set
     */
    public double scale() {
        return factor;
    }

    /** The adapter in one layer, if it is there. */
    @Nullable LayerAdapter in(String path) {
        Site site = sites.get(path);
        return site == null ? null : site.placed();
    }

    /** What replaces the bias of one layer, if something does. */
    @Nullable NDArray biasIn(String path) {
        BiasSite site = biases.get(AdapterBiases.nameOf(path));
        return site == null ? null : site.bias();
    }

    /** Whether every bias that is replaced is that of a layer that carries the adapter. */
    boolean biasesAreInAdaptedLayers() {
        return biases.keySet().stream()
                .allMatch(name -> sites.containsKey(AdapterBiases.pathOf(name)));
    }

    /**
     * Whether the layers apply the adapter.
     *
     * @return whether they do
     */
    public boolean isEnabled() {
        return enabled;
    }

    /**
     * Lets the layers apply the adapter, or not: out of use it keeps its arrays, and the backbone
     * computes what it would without it. Back in use it comes last in every layer.
     *
     * @param enabled whether they do
     * @throws IllegalArgumentException if a layer has another adapter of this name by now, or a
     *     bias is replaced by another adapter; then it stays out of use
     * @throws IllegalStateException if this is closed
     */
    public void setEnabled(boolean enabled) {
        checkOpen();
        if (this.enabled == enabled) {
            return;
        }
        if (enabled) {
            place();
        } else {
            withdraw();
        }
        this.enabled = enabled;
    }

    private void place() {
        Map<String, Site> placed = new LinkedHashMap<>();
        Map<String, BiasSite> replaced = new LinkedHashMap<>();
        try {
            sites.forEach(
                    (path, site) -> {
                        site.layer().place(name, site.placed());
                        placed.put(path, site);
                    });
            biases.forEach(
                    (bias, site) -> {
                        site.layer().replaceBias(site.bias());
                        replaced.put(bias, site);
                    });
        } catch (RuntimeException e) {
            withdraw(placed, replaced);
            throw e;
        }
    }

    private void withdraw() {
        withdraw(sites, biases);
    }

    private void withdraw(Map<String, Site> placed, Map<String, BiasSite> replaced) {
        placed.values().forEach(site -> site.layer().removeAdapter(name));
        replaced.values().forEach(site -> site.layer().replaceBias(null));
    }

    /**
     * Whether the arrays receive gradients.
     *
     * @return whether they do
     */
    public boolean isTrainable() {
        return trainable;
    }

    /**
     * Lets the arrays receive gradients, or not.
     *
     * @param trainable whether they do
     * @throws IllegalStateException if this is closed
     */
    public void setTrainable(boolean trainable) {
        checkOpen();
        this.trainable = trainable;
        for (NDArray array : parameters().values()) {
            array.setRequiresGradient(trainable);
        }
    }

    /**
     * Drops elements of the adapter's inputs in the passes that follow, with the probability of the
     * configuration; does nothing if that is 0.
     *
     * @param seed decides, with the order of the passes, which elements; a training loop gives
     *     every step its own
     * @throws IllegalStateException if this is closed
     */
    public void startDropout(long seed) {
        checkOpen();
        int index = 0;
        for (Site site : sites.values()) {
            // The golden ratio's odd multiples keep the layers' seeds apart.
            long layerSeed = seed + 0x9e3779b97f4a7c15L * ++index;
            site.placed().setDropout(config.dropout(), layerSeed);
        }
    }

    /**
     * Drops nothing in the passes that follow, as is the case before {@link #startDropout}.
     *
     * @throws IllegalStateException if this is closed
     */
    public void stopDropout() {
        checkOpen();
        sites.values().forEach(site -> site.placed().setDropout(0, 0));
    }

    private void checkOpen() {
        checkState(!closed, "adapter %s has been taken out of its backbone", name);
    }

    /** Takes the adapter out of the layers and frees its arrays; does nothing the second time. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        if (enabled) {
            withdraw();
            enabled = false;
        }
        closed = true;
        manager.close();
    }
}
