package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.Shape;
import com.google.common.collect.ImmutableMap;
import io.fairlora.ndarray.HostTensor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Map;
import java.util.TreeMap;

/**
 * A low-rank change to a backbone, as an immutable value in Java memory: what is trained, stored
 * and exchanged.
 *
 * @param config the configuration it was made with; the layers' own ranks and scales count
 * @param layers the factors by the path of their layer
 * @param savedModules tensors saved whole beside the factors, such as {@code classifier.weight}
 * @param provenance how the adapter came to be: free-form, for people and records
 */
public record LoraAdapter(
        LoraConfig config,
        Map<String, Factors> layers,
        Map<String, HostTensor> savedModules,
        Map<String, String> provenance) {

    /**
     * The change {@code scale * B A} to one layer's weight.
     *
     * @param a A, of shape (r, in)
     * @param b B, of shape (out, r)
     * @param scale any finite number
     */
    public record Factors(HostTensor a, HostTensor b, double scale) {

        /** Refuses shapes that do not belong together and a scale that is not finite. */
        public Factors {
            Shape shapeA = a.shape();
            Shape shapeB = b.shape();
            checkArgument(
                    shapeA.dimension() == 2
                            && shapeB.dimension() == 2
                            && shapeA.get(0) == shapeB.get(1)
                            && shapeA.size() > 0
                            && shapeB.size() > 0,
                    "A is %s and B is %s, expected (r, in) and (out, r)",
                    shapeA,
                    shapeB);
            checkArgument(Double.isFinite(scale), "scale must be finite, found %s", scale);
        }

        /**
         * The number of rows of A.
         *
         * @return r, at least 1
         */
        public int rank() {
            return (int) a.shape().get(0);
        }

        /**
         * The number of columns of A.
         *
         * @return in, at least 1
         */
        public int inputSize() {
            return (int) a.shape().get(1);
        }

        /**
         * The number of rows of B.
         *
         * @return out, at least 1
         */
        public int outputSize() {
            return (int) b.shape().get(0);
        }

        /**
         * The same factors under another scale.
         *
         * @param newScale any finite number
         * @return factors
         */
        public Factors withScale(double newScale) {
            return new Factors(a, b, newScale);
        }
    }

    /** Copies the maps, and refuses an adapter without layers. */
    public LoraAdapter {
        checkArgument(!layers.isEmpty(), "an adapter needs at least one layer");
        layers = ImmutableMap.copyOf(layers);
        savedModules = ImmutableMap.copyOf(savedModules);
        provenance = ImmutableMap.copyOf(provenance);
    }

    /**
     * An adapter without saved modules and provenance.
     *
     * @param config the configuration
     * @param layers the factors by the path of their layer, at least one
     * @return the adapter
     */
    public static LoraAdapter of(LoraConfig config, Map<String, Factors> layers) {
        return new LoraAdapter(config, layers, Map.of(), Map.of());
    }

    /**
     * The factors of one layer.
     *
     * @param path the path of a layer of this adapter
     * @return its factors
     * @throws IllegalArgumentException if the adapter has no such layer
     */
    public Factors layer(String path) {
        Factors factors = layers.get(path);
        checkArgument(factors != null, "the adapter has no layer %s", path);
        return factors;
    }

    /**
     * The same adapter with other layers.
     *
     * @param newLayers the factors by the path of their layer, at least one
     * @return an adapter
     */
    public LoraAdapter withLayers(Map<String, Factors> newLayers) {
        return new LoraAdapter(config, newLayers, savedModules, provenance);
    }

    /**
     * The same adapter with other saved modules.
     *
     * @param newSavedModules tensors by name, such as {@code classifier.weight}
     * @return an adapter
     */
    public LoraAdapter withSavedModules(Map<String, HostTensor> newSavedModules) {
        return new LoraAdapter(config, layers, newSavedModules, provenance);
    }

    /**
     * The same adapter with another provenance.
     *
     * @param newProvenance free-form entries
     * @return an adapter
     */
    public LoraAdapter withProvenance(Map<String, String> newProvenance) {
        return new LoraAdapter(config, layers, savedModules, newProvenance);
    }

    /**
     * The Frobenius norm of the change to all weights together, sqrt(sum over layers of ||scale * B
     * A||_F^2), which does not depend on how a product is split into its factors.
     *
     * @return at least 0; not a number if an element is not finite
     */
    public double norm() {
        double sum = 0;
        for (Factors factors : layers.values()) {
            sum += factors.scale() * factors.scale() * AdapterMath.squaredNorm(factors);
        }
        return Math.sqrt(sum);
    }

    /**
     * Whether every element of every tensor is a finite number.
     *
     * @return false if any is infinite or not a number
     */
    public boolean isFinite() {
        return layers.values().stream().allMatch(f -> f.a().isFinite() && f.b().isFinite())
                && savedModules.values().stream().allMatch(HostTensor::isFinite);
    }

    /**
     * The size of the tensors in single precision.
     *
     * @return bytes
     */
    public long byteSize() {
        long elements = 0;
        for (Factors factors : layers.values()) {
            elements += (long) factors.a().size() + factors.b().size();
        }
        for (HostTensor tensor : savedModules.values()) {
            elements += tensor.size();
        }
        return elements * Float.BYTES;
    }

    /**
     * Identifies what the adapter computes: paths, scales, factors, saved modules. How it came to
     * be (configuration and provenance) does not enter.
     *
     * @return 64 hexadecimal digits of SHA-256
     */
    public String digest() {
        MessageDigest digest = sha256();
        ByteBuffer eight = ByteBuffer.allocate(Long.BYTES);
        digest.update(eight.putLong(0, layers.size()).array());
        // Sorted, because adapters are equal whatever the order of their layers.
        new TreeMap<>(layers)
                .forEach(
                        (path, factors) -> {
                            update(digest, path);
                            digest.update(eight.putDouble(0, factors.scale()).array());
                            factors.a().update(digest);
                            factors.b().update(digest);
                        });
        new TreeMap<>(savedModules)
                .forEach(
                        (name, tensor) -> {
                            update(digest, name);
                            tensor.update(digest);
                        });
        StringBuilder hex = new StringBuilder();
        for (byte b : digest.digest()) {
            hex.append(Character.forDigit((b >> 4) & 0xf, 16))
                    .append(Character.forDigit(b & 0xf, 16));
        }
        return hex.toString();
    }

    private static void update(MessageDigest digest, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        // The length keeps one text's end from being another's beginning.
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array());
        digest.update(bytes);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    @Override
    public String toString() {
        return "LoraAdapter{"
                + layers.size()
                + " layers, "
                + byteSize()
                + " bytes, "
                + config
                + "}";
    }
}
