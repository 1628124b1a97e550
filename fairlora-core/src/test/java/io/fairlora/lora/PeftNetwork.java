package io.fairlora.lora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.training.ParameterStore;
import io.fairlora.safetensors.SafetensorsFile;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The network of {@code tools/golden/peft_variants.py}; its input is no image but (batch, 10). */
final class PeftNetwork implements Backbone {

    static final int INPUT = 10;
    static final int HIDDEN = 8;

    private final NDManager manager;
    private final Map<String, LoraLinear> linears = new LinkedHashMap<>();
    private final Map<String, Norm> norms = new LinkedHashMap<>();

    /** A layer normalisation whose bias can be replaced. */
    private static final class Norm implements BiasedLayer {

        private final NDArray gamma;
        private final Parameter beta;
        private @Nullable NDArray replaced;

        Norm(NDArray gamma, Parameter beta) {
            this.gamma = gamma;
            this.beta = beta;
        }

        NDArray apply(NDArray x) {
            NDArray bias = replaced == null ? beta.getArray() : replaced;
            return LayerNorm.layerNorm(x, new Shape(HIDDEN), gamma, bias, 1e-5f).singletonOrThrow();
        }

        @Override
        public Parameter bias() {
            return beta;
        }

        @Override
        public void replaceBias(@Nullable NDArray bias) {
            replaced = bias;
        }

        @Override
        public boolean isPlain() {
            return replaced == null;
        }

        @Override
        public void weightChanged() {
            // nothing is computed from it ahead
        }

        @Override
        public long weightRevision() {
            return 0;
        }
    }

    private PeftNetwork(NDManager manager) {
        this.manager = manager;
    }

    static PeftNetwork load(SafetensorsFile weights) throws IOException {
        return load(weights, DataType.FLOAT32);
    }

    static PeftNetwork load(SafetensorsFile weights, DataType type) throws IOException {
        PeftNetwork network = new PeftNetwork(NDManager.newBaseManager(Device.cpu(), "PyTorch"));
        for (int i = 0; i < 2; i++) {
            String layer = "encoder.layer." + i;
            int in = i == 0 ? INPUT : HIDDEN;
            network.add(layer + ".attention.query", in, true, weights, type);
            network.add(layer + ".attention.value", in, false, weights, type);
            network.add(layer + ".output.dense", HIDDEN, true, weights, type);
            NDArray gamma = network.read(layer + ".norm.weight", weights, type);
            Parameter beta =
                    Parameter.builder().setName("bias").setType(Parameter.Type.BIAS).build();
            beta.setArray(network.read(layer + ".norm.bias", weights, type));
            network.norms.put(layer + ".norm", new Norm(gamma, beta));
        }
        return network;
    }

    private void add(String path, int in, boolean hasBias, SafetensorsFile weights, DataType type)
            throws IOException {
        LoraLinear linear = new LoraLinear(in, HIDDEN, hasBias);
        set(linear.weight(), read(path + ".weight", weights, type));
        if (linear.bias() != null) {
            set(linear.bias(), read(path + ".bias", weights, type));
        }
        linears.put(path, linear);
    }

    private NDArray read(String name, SafetensorsFile weights, DataType type) throws IOException {
        return weights.read(name).toNDArray(manager).toType(type, false);
    }

    private static void set(Parameter parameter, NDArray array) {
        parameter.setShape(null);
        parameter.setArray(array);
        parameter.freeze(true);
    }

    @Override
    public Map<String, LoraLayer> loraLayers() {
        return Collections.unmodifiableMap(linears);
    }

    @Override
    public Map<String, BiasedLayer> biasedLayers() {
        Map<String, BiasedLayer> layers = new LinkedHashMap<>(norms);
        layers.putAll(linears);
        return layers;
    }

    @Override
    public long parameterCount() {
        long count = 2L * 2 * HIDDEN;
        for (LoraLinear linear : linears.values()) {
            count += linear.weight().getArray().size();
            count += linear.bias() == null ? 0 : HIDDEN;
        }
        return count;
    }

    @Override
    public NDArray features(NDArray x) {
        ParameterStore store = new ParameterStore(manager, false);
        NDArray h = x;
        for (int i = 0; i < 2; i++) {
            String layer = "encoder.layer." + i;
            NDArray query = linears.get(layer + ".attention.query").apply(store, h, false);
            NDArray value = linears.get(layer + ".attention.value").apply(store, h, false);
            NDArray mixed =
                    linears.get(layer + ".output.dense")
                            .apply(store, query.tanh().mul(value), false);
            h = norms.get(layer + ".norm").apply(mixed).tanh();
        }
        return h;
    }

    @Override
    public int featureSize() {
        return HIDDEN;
    }

    @Override
    public InputSpec input() {
        return new InputSpec(1, 1, Interpolation.BILINEAR);
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public String digest() {
        return "";
    }

    @Override
    public Backbone fork() {
        PeftNetwork fork = new PeftNetwork(manager.newSubManager());
        linears.forEach((path, linear) -> fork.linears.put(path, linear.fork()));
        norms.forEach((path, norm) -> fork.norms.put(path, new Norm(norm.gamma, norm.beta)));
        return fork;
    }

    @Override
    public void close() {
        manager.close();
    }
}
