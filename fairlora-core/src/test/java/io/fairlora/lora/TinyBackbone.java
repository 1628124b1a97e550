package io.fairlora.lora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.fairlora.ndarray.HostTensor;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A frozen network of two small layers with a transformer's names, for tests:
 *
 * <pre>h = x / 255 - 1/2; twice h = tanh(dense(tanh(query(h)) * value(h)))</pre>
 */
public final class TinyBackbone implements LayeredBackbone {

    /** Rows and columns of the images. */
    public static final int SIZE = 4;

    private static final int INPUT = 3 * SIZE * SIZE;
    private static final int HIDDEN = 12;
    private static final int LAYERS = 2;

    private final NDManager manager;
    private final DataType type;
    private final Map<String, LoraLinear> linears;

    private TinyBackbone(NDManager manager, DataType type, Map<String, LoraLinear> linears) {
        this.manager = manager;
        this.type = type;
        this.linears = Collections.unmodifiableMap(linears);
    }

    /** A network with random weights. */
    public static TinyBackbone random(DataType type, long seed) {
        NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        Map<String, LoraLinear> linears = new LinkedHashMap<>();
        for (int i = 0; i < LAYERS; i++) {
            int in = i == 0 ? INPUT : HIDDEN;
            linears.put(path(i, "attention.query"), new LoraLinear(in, HIDDEN, true));
            linears.put(path(i, "attention.value"), new LoraLinear(in, HIDDEN, true));
            linears.put(path(i, "output.dense"), new LoraLinear(HIDDEN, HIDDEN, false));
        }
        SplittableRandom random = new SplittableRandom(seed);
        for (LoraLinear linear : linears.values()) {
            setRandom(linear.weight(), manager, type, random);
            if (linear.bias() != null) {
                setRandom(linear.bias(), manager, type, random);
            }
        }
        return new TinyBackbone(manager, type, linears);
    }

    private static String path(int layer, String name) {
        return "encoder.layer." + layer + "." + name;
    }

    private static void setRandom(
            Parameter parameter, NDManager manager, DataType type, SplittableRandom random) {
        long[] shape = parameter.getShape().getShape();
        float[] values = new float[(int) parameter.getShape().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (2 * random.nextDouble() - 1) / (float) Math.sqrt(HIDDEN);
        }
        parameter.setShape(null);
        NDArray single = HostTensor.of(values, shape).toNDArray(manager);
        parameter.setArray(single.toType(type, false));
        parameter.freeze(true);
    }

    /** Random pixels of shape (batch, 3, SIZE, SIZE). */
    public static NDArray pixels(NDManager owner, int batch, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[batch * INPUT];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(256);
        }
        return HostTensor.of(values, batch, 3, SIZE, SIZE)
                .toNDArray(owner)
                .toType(DataType.UINT8, false);
    }

    @Override
    public Map<String, LoraLayer> loraLayers() {
        return Collections.unmodifiableMap(linears);
    }

    LoraLinear linear(String path) {
        return linears.get(path);
    }

    Collection<LoraLinear> linears() {
        return linears.values();
    }

    @Override
    public NDArray features(NDArray pixels) {
        return featuresFrom(hidden(pixels, 0), 0);
    }

    @Override
    public int layers() {
        return LAYERS;
    }

    @Override
    public NDArray hidden(NDArray pixels, int layer) {
        return through(pixels.toType(type, false).div(255).sub(0.5).reshape(-1, INPUT), 0, layer);
    }

    @Override
    public NDArray featuresFrom(NDArray hidden, int layer) {
        return through(hidden, layer, LAYERS);
    }

    @Override
    public Object stem(int layer) {
        List<Object> parts = new ArrayList<>();
        linears.forEach(
                (path, linear) -> {
                    if (Integer.parseInt(path.split("\\.", -1)[2]) < layer) {
                        parts.add(linear.isPlain() ? linear.weight() : new Object());
                        parts.add(linear.weightRevision());
                    }
                });
        return parts;
    }

    private NDArray through(NDArray x, int from, int to) {
        ParameterStore store = new ParameterStore(manager, false);
        NDArray h = x;
        for (int i = from; i < to; i++) {
            NDArray query = apply(store, path(i, "attention.query"), h);
            NDArray value = apply(store, path(i, "attention.value"), h);
            h = apply(store, path(i, "output.dense"), query.tanh().mul(value)).tanh();
        }
        return h;
    }

    private NDArray apply(ParameterStore store, String path, NDArray x) {
        return linears.get(path).apply(store, x, false);
    }

    @Override
    public int featureSize() {
        return HIDDEN;
    }

    @Override
    public InputSpec input() {
        return new InputSpec(SIZE, SIZE, Interpolation.BILINEAR);
    }

    @Override
    public NDManager manager() {
        return manager;
    }

    @Override
    public String digest() {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (LoraLinear linear : linears.values()) {
                HostTensor.copyOf(linear.weight().getArray()).update(digest);
                if (linear.bias() != null) {
                    HostTensor.copyOf(linear.bias().getArray()).update(digest);
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public TinyBackbone fork() {
        Map<String, LoraLinear> forks = new LinkedHashMap<>();
        linears.forEach((path, linear) -> forks.put(path, linear.fork()));
        return new TinyBackbone(manager.newSubManager(), type, forks);
    }

    @Override
    public void close() {
        manager.close();
    }
}
