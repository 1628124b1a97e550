package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
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

/** The arrays of an adapter on a device, and the layers that they are for. */
final class AdapterSites implements AutoCloseable {

    private final NDManager manager;
    private final Map<String, Site> layers = new LinkedHashMap<>();
    private final Map<String, BiasSite> biases = new LinkedHashMap<>();

    /** One layer that carries the adapter. */
    record Site(LoraLayer layer, LayerAdapter placed) {

        LoraLayer.Adapter adapter() {
            return placed.adapter();
        }
    }

    /** One layer whose bias the adapter replaces. */
    record BiasSite(BiasedLayer layer, NDArray bias) {}

    /**
     * No sites yet.
     *
     * @param manager the owner of the arrays, which is closed with this
     */
    AdapterSites(NDManager manager) {
        this.manager = manager;
    }

    /** The layers that carry the adapter by path. */
    Map<String, Site> layers() {
        return layers;
    }

    /** The layers whose bias is replaced by the biases' names. */
    Map<String, BiasSite> biases() {
        return biases;
    }

    /** Copies the factors of one layer to its device. */
    void add(String path, LoraLayer layer, Factors factors, @Nullable Factors principal) {
        DataType type = layer.weight().getArray().getDataType();
        LoraLayer.Residual residual = null;
        if (principal != null) {
            NDArray c = create(principal.b(), type).muli(-principal.scale());
            residual = new LoraLayer.Residual(create(principal.a(), type), c);
        }
        LoraLayer.Adapter adapter =
                new LoraLayer.Adapter(
                        create(factors.a(), type),
                        create(factors.b(), type),
                        factors.scale(),
                        factors.bias() == null ? null : create(factors.bias(), type),
                        factors.magnitude() == null ? null : create(factors.magnitude(), type),
                        residual);
        layers.put(path, new Site(layer, new LayerAdapter(adapter, 1)));
    }

    /** Copies what replaces one bias, or the bias itself if the adapter does not bring it. */
    void addBias(String bias, BiasedLayer layer, LoraAdapter adapter) {
        NDArray frozen = AdapterBiases.frozen(layer).getArray();
        HostTensor values = adapter.biases().get(bias);
        NDArray own =
                create(values == null ? HostTensor.copyOf(frozen) : values, frozen.getDataType());
        biases.put(bias, new BiasSite(layer, own));
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

    /** All trained arrays by name. */
    Map<String, NDArray> parameters() {
        Map<String, NDArray> parameters = new LinkedHashMap<>();
        layers.forEach(
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

    /** A and B and the scale at work in each layer. */
    Map<String, LoraLayer.Adapter> factors(double factor) {
        Map<String, LoraLayer.Adapter> factors = new LinkedHashMap<>();
        layers.forEach(
                (path, site) ->
                        factors.put(
                                path,
                                new LoraLayer.Adapter(
                                        site.adapter().a(),
                                        site.adapter().b(),
                                        factor * site.adapter().scale())));
        return Collections.unmodifiableMap(factors);
    }

    /** Copies the arrays into a value, whose scales hold a factor. */
    LoraAdapter toAdapter(LoraConfig config, double factor, Map<String, String> provenance) {
        Map<String, Factors> values = new LinkedHashMap<>();
        layers.forEach((path, site) -> values.put(path, toFactors(site, factor)));
        Map<String, HostTensor> replaced = new LinkedHashMap<>();
        biases.forEach((bias, site) -> replaced.put(bias, HostTensor.copyOf(site.bias())));
        return new LoraAdapter(config, values, replaced, Map.of(), provenance);
    }

    private static Factors toFactors(Site site, double factor) {
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

    /** Overwrites the arrays in place, if the adapter is the same but for its values. */
    void assign(LoraAdapter adapter, LoraConfig config, double factor) {
        checkArgument(
                adapter.layers().keySet().equals(layers.keySet()),
                "the adapter has the layers %s, expected %s",
                adapter.layers().keySet(),
                layers.keySet());
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
        layers.forEach((path, site) -> checkSame(path, site, adapter.layer(path), factor));
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

    private static void checkSame(String path, Site site, Factors factors, double factor) {
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
                factors.kind().equals(site.layer().kind()),
                "layer %s is %s, expected %s",
                path,
                factors.kind(),
                site.layer().kind());
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

    /** Lets the layers apply the adapter under a name; changes nothing if one refuses. */
    void place(String name) {
        Map<String, Site> placed = new LinkedHashMap<>();
        Map<String, BiasSite> replaced = new LinkedHashMap<>();
        try {
            layers.forEach(
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
            withdraw(name, placed, replaced);
            throw e;
        }
    }

    /** Takes the adapter out of the layers. */
    void withdraw(String name) {
        withdraw(name, layers, biases);
    }

    private static void withdraw(
            String name, Map<String, Site> placed, Map<String, BiasSite> replaced) {
        placed.values().forEach(site -> site.layer().removeAdapter(name));
        replaced.values().forEach(site -> site.layer().replaceBias(null));
    }

    @Override
    public void close() {
        manager.close();
    }
}
