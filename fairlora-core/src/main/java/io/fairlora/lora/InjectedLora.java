package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import io.fairlora.lora.LoraAdapter.Factors;
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
    private final AdapterSites sites;
    private double factor = 1;
    private boolean trainable;
    private boolean enabled;
    private boolean closed;

    private InjectedLora(Backbone backbone, String name, LoraConfig config) {
        this.backbone = backbone;
        this.name = name;
        this.config = config;
        sites = new AdapterSites(backbone.manager().newSubManager());
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
        InjectedLora injected = new InjectedLora(backbone, name, adapter.config());
        try {
            layers.forEach(
                    (path, layer) ->
                            injected.sites.add(
                                    path, layer, adapter.layer(path), principals.get(path)));
            biased.forEach((bias, layer) -> injected.sites.addBias(bias, layer, adapter));
            injected.setScale(factor);
            injected.setTrainable(trainable);
            return injected;
        } catch (RuntimeException e) {
            injected.close();
            throw e;
        }
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
        return sites.parameters();
    }

    /**
     * A and B and the scale at work in each layer.
     *
     * @return an immutable map by the layers' paths, in their order; the arrays stay this object's
     */
    public Map<String, LoraLayer.Adapter> factors() {
        return sites.factors(factor);
    }

    /** Whether one of {@link #parameters} stands for a bias of the backbone's own. */
    boolean isBackboneBias(String parameter) {
        return sites.biases().containsKey(parameter);
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
        LoraAdapter adapter = sites.toAdapter(config, factor, provenance);
        checkState(
                factor == 1 || adapter.isAdditive(),
                "adapter %s has the scale %s, which DoRA, trained biases and the initialisations"
                        + " from the base weights cannot hold; set it to 1",
                name,
                factor);
        return adapter;
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
        sites.assign(adapter, config, factor);
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
        sites.layers().values().forEach(site -> site.placed().setFactor(factor));
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
        AdapterSites.Site site = sites.layers().get(path);
        return site == null ? null : site.placed();
    }

    /** What replaces the bias of one layer, if something does. */
    @Nullable NDArray biasIn(String path) {
        AdapterSites.BiasSite site = sites.biases().get(AdapterBiases.nameOf(path));
        return site == null ? null : site.bias();
    }

    /** Whether every bias that is replaced is that of a layer that carries the adapter. */
    boolean biasesAreInAdaptedLayers() {
        return sites.biases().keySet().stream()
                .allMatch(name -> sites.layers().containsKey(AdapterBiases.pathOf(name)));
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
            sites.place(name);
        } else {
            sites.withdraw(name);
        }
        this.enabled = enabled;
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
        for (AdapterSites.Site site : sites.layers().values()) {
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
        sites.layers().values().forEach(site -> site.placed().setDropout(0, 0));
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
            sites.withdraw(name);
            enabled = false;
        }
        closed = true;
        sites.close();
    }
}
