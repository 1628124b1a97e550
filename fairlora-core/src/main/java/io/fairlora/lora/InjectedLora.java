package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import com.google.common.collect.ImmutableMap;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An adapter in the layers of a backbone. Owns its arrays on the device; closing it takes the
 * adapter out of the layers and frees them.
 *
 * <p>Not safe for use from several threads.
 */
public final class InjectedLora implements AutoCloseable {

    private final String name;
    private final LoraConfig config;
    private final NDManager manager;
    private final Map<String, Site> sites = new LinkedHashMap<>();
    private double factor;
    private boolean trainable;
    private boolean closed;

    /** One layer that carries the adapter. */
    private record Site(LoraLinear layer, NDArray a, NDArray b, double scale) {}

    private InjectedLora(
            NDManager manager, String name, LoraConfig config, double factor, boolean trainable) {
        this.manager = manager;
        this.name = name;
        this.config = config;
        this.factor = factor;
        this.trainable = trainable;
    }

    /** Puts checked factors into layers; leaves nothing behind if it fails. */
    static InjectedLora put(
            NDManager parent,
            Map<String, LoraLinear> layers,
            LoraAdapter adapter,
            String name,
            double factor,
            boolean trainable) {
        InjectedLora injected =
                new InjectedLora(parent.newSubManager(), name, adapter.config(), factor, trainable);
        try {
            layers.forEach((path, layer) -> injected.add(path, layer, adapter.layer(path)));
            return injected;
        } catch (RuntimeException e) {
            injected.close();
            throw e;
        }
    }

    private void add(String path, LoraLinear layer, LoraAdapter.Factors factors) {
        DataType type = layer.weight().getArray().getDataType();
        NDArray a = create(factors.a(), type);
        NDArray b = create(factors.b(), type);
        a.setRequiresGradient(trainable);
        b.setRequiresGradient(trainable);
        layer.addAdapter(name, new LoraLinear.Adapter(a, b, factor * factors.scale()));
        sites.put(path, new Site(layer, a, b, factors.scale()));
    }

    private NDArray create(HostTensor tensor, DataType type) {
        NDArray single = tensor.toNDArray(manager);
        if (type == DataType.FLOAT32) {
            return single;
        }
        try (single) {
            return single.toType(type, true);
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
     *     then {@code PATH.lora_B} of shape (out, r); the arrays stay this object's
     */
    public Map<String, NDArray> parameters() {
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        sites.forEach(
                (path, site) -> {
                    parameters.put(path + ".lora_A", site.a());
                    parameters.put(path + ".lora_B", site.b());
                });
        return Collections.unmodifiableMap(parameters);
    }

    /**
     * The arrays and the scale at work in each layer.
     *
     * @return an immutable map by the layers' paths, in their order; the arrays stay this object's
     */
    public Map<String, LoraLinear.Adapter> factors() {
        Map<String, LoraLinear.Adapter> factors = new LinkedHashMap<>();
        sites.forEach(
                (path, site) ->
                        factors.put(
                                path,
                                new LoraLinear.Adapter(site.a(), site.b(), factor * site.scale())));
        return Collections.unmodifiableMap(factors);
    }

    /**
     * Copies the arrays into a value.
     *
     * @param provenance how the adapter came to be
     * @return an adapter of single precision, without saved modules, whose scales hold the factor
     * @throws IllegalStateException if this is closed
     */
    public LoraAdapter toAdapter(Map<String, String> provenance) {
        checkOpen();
        ImmutableMap.Builder<String, LoraAdapter.Factors> layers = ImmutableMap.builder();
        sites.forEach(
                (path, site) ->
                        layers.put(
                                path,
                                new LoraAdapter.Factors(
                                        HostTensor.copyOf(site.a()),
                                        HostTensor.copyOf(site.b()),
                                        factor * site.scale())));
        return new LoraAdapter(config, layers.buildOrThrow(), Map.of(), provenance);
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
        checkArgument(adapter.isFinite(), "the adapter has elements that are not finite");
        sites.forEach((path, site) -> checkSame(path, site, adapter.layer(path)));
        GradientMode.OFF.run(
                () ->
                        sites.forEach(
                                (path, site) -> {
                                    overwrite(site.a(), adapter.layer(path).a());
                                    overwrite(site.b(), adapter.layer(path).b());
                                }));
    }

    private void checkSame(String path, Site site, LoraAdapter.Factors factors) {
        checkArgument(
                factors.a().shape().equals(site.a().getShape())
                        && factors.b().shape().equals(site.b().getShape()),
                "layer %s has A %s and B %s, expected %s and %s",
                path,
                factors.a().shape(),
                factors.b().shape(),
                site.a().getShape(),
                site.b().getShape());
        checkArgument(
                factors.scale() == factor * site.scale(),
                "layer %s has the scale %s, expected %s",
                path,
                factors.scale(),
                factor * site.scale());
    }

    private void overwrite(NDArray target, HostTensor values) {
        try (NDManager scratch = manager.newSubManager()) {
            NDArray source = values.toNDArray(scratch).toType(target.getDataType(), false);
            target.set(new NDIndex(":"), source);
        }
    }

    /**
     * Multiplies every layer's own scale by a factor, which replaces the one set before.
     *
     * @param factor any finite number; 1 is the adapter as it was put in, -1 subtracts it
     * @throws IllegalStateException if this is closed
     */
    public void setScale(double factor) {
        checkOpen();
        checkArgument(Double.isFinite(factor), "factor must be finite, found %s", factor);
        this.factor = factor;
        for (Site site : sites.values()) {
            site.layer().setScale(name, factor * site.scale());
        }
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
            site.layer().setDropout(name, config.dropout(), layerSeed);
        }
    }

    /**
     * Drops nothing in the passes that follow, as is the case before {@link #startDropout}.
     *
     * @throws IllegalStateException if this is closed
     */
    public void stopDropout() {
        checkOpen();
        for (Site site : sites.values()) {
            site.layer().setDropout(name, 0, 0);
        }
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
        closed = true;
        for (Site site : sites.values()) {
            site.layer().removeAdapter(name);
        }
        manager.close();
    }
}
