package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A frozen layer with any number of named low-rank adapters: its weight W0, a matrix (out, in) as
 * its {@link LayerKind} reads it, becomes
 *
 * <pre>W0 + sum over adapters i of scale_i B_i A_i</pre>
 *
 * with A_i (r_i, in), B_i (out, r_i), and what {@link Adapter} adds to it. A scale may be negative.
 * Without adapters it is a plain layer. Only the adapters' arrays can receive gradients.
 *
 * <p>Not safe for use from several threads while adapters are added or removed.
 */
public abstract sealed class LoraLayer extends AbstractBlock implements BiasedLayer
        permits LoraLinear, LoraWeight {

    private final LayerKind kind;
    private final long inputSize;
    private final long outputSize;
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final RoundedWeight rounded;
    private final Map<String, LayerAdapter> adapters = new LinkedHashMap<>();
    private @Nullable NDArray replacedBias;

    /**
     * One adapter in this layer; the arrays stay the caller's. With a magnitude m the adapted
     * weight is {@code m (W + s B A) / n}, n the lengths of the rows of {@code W + s B A}, through
     * which no gradient passes.
     *
     * @param a A, of shape (r, in)
     * @param b B, of shape (out, r)
     * @param scale s, what B A is multiplied by
     * @param bias b_B, of shape (out), if s b_B is added to the output
     * @param magnitude m, of shape (out), if the weight's rows have lengths of their own
     * @param residual what W is relative to W0, if it is not W0
     */
    public record Adapter(
            NDArray a,
            NDArray b,
            double scale,
            @Nullable NDArray bias,
            @Nullable NDArray magnitude,
            @Nullable Residual residual) {

        /**
         * A product and nothing else.
         *
         * @param a A, of shape (r, in)
         * @param b B, of shape (out, r)
         * @param scale what B A is multiplied by
         */
        public Adapter(NDArray a, NDArray b, double scale) {
            this(a, b, scale, null, null, null);
        }
    }

    /**
     * What an adapter's initialisation did to the base: W = W0 + C A0.
     *
     * @param a A0, of shape (r, in)
     * @param c C, of shape (out, r)
     */
    public record Residual(NDArray a, NDArray c) {}

    /** A layer over parameters whose shapes are known. */
    @SuppressWarnings("this-escape")
    LoraLayer(LayerKind kind, Parameter weight, @Nullable Parameter bias) {
        this.kind = kind;
        Shape shape = weight.isInitialized() ? weight.getArray().getShape() : weight.getShape();
        inputSize = kind.inputSize(shape);
        outputSize = kind.outputSize(shape);
        rounded = new RoundedWeight();
        this.weight = addParameter(weight);
        this.bias = bias == null ? null : addParameter(bias);
    }

    /** A layer over the same parameters. */
    LoraLayer(LoraLayer shared) {
        kind = shared.kind;
        inputSize = shared.inputSize;
        outputSize = shared.outputSize;
        rounded = shared.rounded;
        weight = shared.weight;
        bias = shared.bias;
        inputShapes = shared.inputShapes;
        parameters.putAll(shared.parameters);
    }

    /**
     * A layer over the same frozen parameters, with adapters of its own.
     *
     * @return a layer without adapters; it must not outlive this one's parameters
     */
    public abstract LoraLayer fork();

    /**
     * What the layer does with its weight.
     *
     * @return the kind
     */
    public LayerKind kind() {
        return kind;
    }

    /**
     * The number of columns of W.
     *
     * @return in: input features, the size of a window, or the number of items
     */
    public long inputSize() {
        return inputSize;
    }

    /**
     * The number of rows of W.
     *
     * @return out: output features or channels, or the length of an embedding
     */
    public long outputSize() {
        return outputSize;
    }

    /**
     * The frozen weight.
     *
     * @return a parameter that holds W0 as {@link #kind} says
     */
    public Parameter weight() {
        return weight;
    }

    @Override
    public @Nullable Parameter bias() {
        return bias;
    }

    @Override
    public void replaceBias(@Nullable NDArray replacement) {
        if (replacement != null) {
            checkArgument(bias != null, "the layer has no bias to replace");
            checkArgument(
                    replacedBias == null, "the bias is already replaced by that of an adapter");
            checkArgument(
                    replacement.getShape().equals(new Shape(outputSize)),
                    "the bias is %s, expected (%s)",
                    replacement.getShape(),
                    outputSize);
        }
        replacedBias = replacement;
    }

    /** What replaces the bias, if something does. */
    @Nullable NDArray replacedBias() {
        return replacedBias;
    }

    @Override
    public void weightChanged() {
        rounded.changed();
    }

    /**
     * {@inheritDoc}
     *
     * @return a number that grows with every {@link #weightChanged()}, and with every pass through
     *     a layer whose own weight is being trained
     */
    @Override
    public long weightRevision() {
        return rounded.revision();
    }

    /** The weight's copy in lower precision, and how often it was overwritten. */
    RoundedWeight rounded() {
        return rounded;
    }

    /**
     * Adds an adapter. Changes are summed in the order in which adapters were added.
     *
     * @param name a name not in use in this layer
     * @param adapter the adapter; its arrays stay the caller's, who removes it before closing them
     * @throws IllegalArgumentException if the name is taken or a shape does not fit
     */
    public void addAdapter(String name, Adapter adapter) {
        place(name, new LayerAdapter(adapter, 1));
    }

    void place(String name, LayerAdapter adapter) {
        checkArgument(!adapters.containsKey(name), "adapter %s is already in this layer", name);
        checkFits(name, adapter.adapter());
        adapters.put(name, adapter);
    }

    private void checkFits(String name, Adapter adapter) {
        Shape a = adapter.a().getShape();
        Shape b = adapter.b().getShape();
        checkArgument(
                a.dimension() == 2
                        && b.dimension() == 2
                        && a.get(1) == inputSize
                        && b.get(0) == outputSize
                        && a.get(0) == b.get(1),
                "adapter %s has A %s and B %s, expected (r, %s) and (%s, r)",
                name,
                a,
                b,
                inputSize,
                outputSize);
        checkVector(name, "bias", adapter.bias());
        checkVector(name, "magnitude", adapter.magnitude());
    }

    private void checkVector(String name, String what, @Nullable NDArray vector) {
        checkArgument(
                vector == null || vector.getShape().equals(new Shape(outputSize)),
                "adapter %s has the %s %s, expected (%s)",
                name,
                what,
                vector == null ? "" : vector.getShape(),
                outputSize);
    }

    /**
     * Takes an adapter out of the layer.
     *
     * @param name the adapter
     * @return whether it was there
     */
    public boolean removeAdapter(String name) {
        return adapters.remove(name) != null;
    }

    /**
     * Sets elements of one adapter's input to zero in the passes that follow and scales the others
     * up, so that the expectation stays (Srivastava et al. 2014). The input of an embedding, items
     * that are there or not, stays whole, as in PEFT.
     *
     * @param name an adapter in this layer
     * @param probability with which an element is dropped, in [0, 1); 0 ends it
     * @param seed decides, with the order of the passes, which elements
     * @throws IllegalArgumentException if there is no such adapter or the probability is outside
     *     its range
     */
    public void setDropout(String name, double probability, long seed) {
        LayerAdapter adapter = adapters.get(name);
        checkArgument(adapter != null, "no adapter %s in this layer, found %s", name, names());
        checkArgument(
                probability >= 0 && probability < 1,
                "the probability must be at least 0 and below 1, found %s",
                probability);
        adapter.setDropout(probability, seed);
    }

    /**
     * The names of the adapters in this layer.
     *
     * @return an immutable copy in the order of addition
     */
    public Set<String> names() {
        return Collections.unmodifiableSet(new LinkedHashSet<>(adapters.keySet()));
    }

    /** The adapters in the order of addition. */
    Collection<LayerAdapter> adapters() {
        return adapters.values();
    }

    /**
     * {@inheritDoc}
     *
     * @return false if the layer carries an adapter or its bias is replaced
     */
    @Override
    public boolean isPlain() {
        return adapters.isEmpty() && replacedBias == null;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... shapes) {
        // no children
    }
}
