package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.Shape;
import com.google.common.collect.ImmutableMap;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A low-rank change to a backbone, as an immutable value in Java memory: what is trained, stored
 * and exchanged.
 *
 * @param config the configuration it was made with; the layers' own ranks and scales count
 * @param layers the factors by the path of their layer
 * @param biases trained biases of the backbone by their names, such as {@code
 *     vit.encoder.layer.0.attention.attention.query.bias}, which replace the backbone's; none
 *     unless {@link LoraConfig#bias} says so
 * @param savedModules tensors saved whole beside the factors, such as {@code classifier.weight}
 * @param provenance how the adapter came to be: free-form, for people and records
 */
public record LoraAdapter(
        LoraConfig config,
        Map<String, Factors> layers,
        Map<String, HostTensor> biases,
        Map<String, HostTensor> savedModules,
        Map<String, String> provenance) {

    /**
     * The change {@code scale * B A} to one layer's weight, and what its variants add.
     *
     * @param a A, of shape (r, in)
     * @param b B, of shape (out, r)
     * @param scale any finite number
     * @param bias b_B, of shape (out), with {@link LoraConfig#loraBias}: {@code scale * b_B} is
     *     added to the layer's output
     * @param magnitude m, of shape (out), with {@link LoraConfig#dora}: the lengths of the rows of
     *     the changed weight
     * @param kind what the layer does with its weight
     */
    public record Factors(
            HostTensor a,
            HostTensor b,
            double scale,
            @Nullable HostTensor bias,
            @Nullable HostTensor magnitude,
            LayerKind kind) {

        /**
         * The change {@code scale * B A} to a linear layer and nothing else.
         *
         * @param a A, of shape (r, in)
         * @param b B, of shape (out, r)
         * @param scale any finite number
         */
        public Factors(HostTensor a, HostTensor b, double scale) {
            this(a, b, scale, null, null, LayerKind.LINEAR);
        }

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
            checkVector("the bias of B", bias, shapeB);
            checkVector("the magnitude", magnitude, shapeB);
            checkArgument(
                    !kind.isConvolution() || kind.window().size() == shapeA.get(1),
                    "A is %s for a convolution with the window %s",
                    shapeA,
                    kind.window());
            checkArgument(
                    bias == null || !kind.isEmbedding(),
                    "the B of an embedding has no bias, as in PEFT");
        }

        private static void checkVector(String what, @Nullable HostTensor vector, Shape shapeB) {
            checkArgument(
                    vector == null || vector.shape().equals(new Shape(shapeB.get(0))),
                    "%s is %s, expected (%s)",
                    what,
                    vector == null ? "" : vector.shape(),
                    shapeB.get(0));
        }

        /** All tensors as they are here, by the ends of their names, in a fixed order. */
        Map<String, HostTensor> parameters() {
            Map<String, HostTensor> parameters = new LinkedHashMap<>();
            parameters.put(kind.nameOfA(), a);
            parameters.put(kind.nameOfB(), b);
            if (bias != null) {
                parameters.put(LayerKind.BIAS_OF_B, bias);
            }
            if (magnitude != null) {
                parameters.put(LayerKind.MAGNITUDE, magnitude);
            }
            return parameters;
        }

        /** All tensors as PEFT's files have them, by the ends of their names there. */
        Map<String, HostTensor> tensors() {
            Map<String, HostTensor> tensors = new LinkedHashMap<>();
            parameters()
                    .forEach(
                            (name, tensor) ->
                                    tensors.put(kind.inFile(name), kind.stored(name, tensor)));
            return tensors;
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
            return new Factors(a, b, newScale, bias, magnitude, kind);
        }

        /** Refuses factors that cannot be of the same layer. */
        void checkSameLayer(String path, Factors other) {
            checkArgument(
                    other.inputSize() == inputSize()
                            && other.outputSize() == outputSize()
                            && other.kind.equals(kind),
                    "layer %s is (%s, %s) in one adapter and (%s, %s) in another%s",
                    path,
                    outputSize(),
                    inputSize(),
                    other.outputSize(),
                    other.inputSize(),
                    other.kind.equals(kind) ? "" : ", here " + kind + ", there " + other.kind);
        }

        /**
         * The same change with other factors.
         *
         * @param newA of shape (r, in), for any r
         * @param newB of shape (out, r)
         * @param newScale any finite number
         * @param newBias of shape (out), or {@code null} for none
         * @return factors for a layer of the same kind, without a magnitude
         */
        Factors with(
                HostTensor newA, HostTensor newB, double newScale, @Nullable HostTensor newBias) {
            return new Factors(newA, newB, newScale, newBias, null, kind);
        }
    }

    /** Copies the maps, and refuses an adapter without layers or unlike its configuration. */
    public LoraAdapter {
        checkArgument(!layers.isEmpty(), "an adapter needs at least one layer");
        layers = ImmutableMap.copyOf(layers);
        biases = ImmutableMap.copyOf(biases);
        layers.forEach(
                (path, factors) -> {
                    checkHas(path, "magnitude", config.dora(), factors.magnitude());
                    checkHas(path, "bias of B", config.loraBias(), factors.bias());
                });
        checkArgument(
                biases.isEmpty() || config.bias() != TrainedBias.NONE,
                "the adapter brings the biases %s, but its configuration trains none",
                biases.keySet());
        savedModules = ImmutableMap.copyOf(savedModules);
        provenance = ImmutableMap.copyOf(provenance);
    }

    private static void checkHas(
            String path, String what, boolean expected, @Nullable HostTensor found) {
        checkArgument(
                expected == (found != null),
                "layer %s of the adapter has %s %s, its configuration asks for %s",
                path,
                found == null ? "no" : "a",
                what,
                expected ? "one" : "none");
    }

    /**
     * An adapter without trained biases of the backbone.
     *
     * @param config the configuration
     * @param layers the factors by the path of their layer
     * @param savedModules tensors saved whole beside the factors
     * @param provenance how the adapter came to be
     */
    public LoraAdapter(
            LoraConfig config,
            Map<String, Factors> layers,
            Map<String, HostTensor> savedModules,
            Map<String, String> provenance) {
        this(config, layers, Map.of(), savedModules, provenance);
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

    /** All trained tensors, by the names of {@link InjectedLora#parameters} and in its order. */
    Map<String, HostTensor> parameters() {
        Map<String, HostTensor> parameters = new LinkedHashMap<>();
        layers.forEach(
                (path, factors) ->
                        factors.parameters()
                                .forEach(
                                        (end, tensor) -> parameters.put(path + "." + end, tensor)));
        parameters.putAll(biases);
        return parameters;
    }

    /**
     * The same adapter with other layers.
     *
     * @param newLayers the factors by the path of their layer, at least one
     * @return an adapter
     */
    public LoraAdapter withLayers(Map<String, Factors> newLayers) {
        return new LoraAdapter(config, newLayers, biases, savedModules, provenance);
    }

    /**
     * The same adapter with other saved modules.
     *
     * @param newSavedModules tensors by name, such as {@code classifier.weight}
     * @return an adapter
     */
    public LoraAdapter withSavedModules(Map<String, HostTensor> newSavedModules) {
        return new LoraAdapter(config, layers, biases, newSavedModules, provenance);
    }

    /**
     * The same adapter with another provenance.
     *
     * @param newProvenance free-form entries
     * @return an adapter
     */
    public LoraAdapter withProvenance(Map<String, String> newProvenance) {
        return new LoraAdapter(config, layers, biases, savedModules, newProvenance);
    }

    /**
     * Whether the adapter may be scaled, negated and added to others.
     *
     * @return as {@link LoraConfig#isAdditive} says
     */
    public boolean isAdditive() {
        return config.isAdditive();
    }

    /** Refuses what is no sum of changes, saying what was to be done with it. */
    void requireAdditive(String done) {
        String kind =
                config.dora()
                        ? "DoRA magnitudes"
                        : config.bias() != TrainedBias.NONE
                                ? "trained biases of the backbone"
                                : "the initialisation " + config.initialization();
        checkArgument(
                isAdditive(),
                "an adapter with %s cannot be %s%s",
                kind,
                done,
                kind.startsWith("the") ? "; make it standalone first" : "");
    }

    /**
     * The Euclidean norm of the elements of all A and B together, which training moves.
     *
     * @return at least 0; not a number if an element is not
     */
    public double factorNorm() {
        double sum = 0;
        for (Factors factors : layers.values()) {
            sum += Math.pow(factors.a().norm(), 2) + Math.pow(factors.b().norm(), 2);
        }
        return Math.sqrt(sum);
    }

    /**
     * The Frobenius norm of the change to all weights together, sqrt(sum over layers of ||scale * B
     * A||_F^2), which does not depend on how a product is split into its factors.
     *
     * @return at least 0; not a number if an element is not finite
     * @throws IllegalArgumentException if the adapter is not {@link #isAdditive additive}
     */
    public double norm() {
        requireAdditive("measured without its backbone");
        double sum = 0;
        for (Factors factors : layers.values()) {
            sum += factors.scale() * factors.scale() * FactorMath.squaredNorm(factors);
        }
        return Math.sqrt(sum);
    }

    /**
     * Whether every element of every tensor is a finite number.
     *
     * @return false if any is infinite or not a number
     */
    public boolean isFinite() {
        return layers.values().stream()
                        .flatMap(factors -> factors.parameters().values().stream())
                        .allMatch(HostTensor::isFinite)
                && biases.values().stream().allMatch(HostTensor::isFinite)
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
            for (HostTensor tensor : factors.parameters().values()) {
                elements += tensor.size();
            }
        }
        for (HostTensor tensor : biases.values()) {
            elements += tensor.size();
        }
        for (HostTensor tensor : savedModules.values()) {
            elements += tensor.size();
        }
        return elements * Float.BYTES;
    }

    /**
     * Identifies what the adapter computes: paths, scales, factors, biases, saved modules, and what
     * it is relative to. How it came to be (the rest of the configuration, provenance) does not
     * enter.
     *
     * @return 64 hexadecimal digits of SHA-256
     */
    public String digest() {
        return AdapterDigest.of(this);
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
