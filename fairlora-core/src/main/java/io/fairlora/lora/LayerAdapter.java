package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.core.Linear;
import io.fairlora.ndarray.Scalars;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** One adapter in one layer, with what decides how it is applied now. */
final class LayerAdapter {

    private final LoraLayer.Adapter adapter;
    private double factor;
    private @Nullable Dropout dropout;

    /** What decides which elements of an adapter's input are dropped. */
    private record Dropout(double probability, SplittableRandom random) {

        /** Sets elements to zero and divides the others by the probability of being kept. */
        NDArray apply(NDArray x) {
            float[] mask = new float[Math.toIntExact(x.size())];
            float kept = (float) (1 / (1 - probability));
            for (int i = 0; i < mask.length; i++) {
                mask[i] = random.nextDouble() < probability ? 0 : kept;
            }
            NDArray factors =
                    Scalars.owned(
                            x.getManager()
                                    .create(mask, x.getShape())
                                    .toType(x.getDataType(), false));
            return x.mul(factors);
        }
    }

    LayerAdapter(LoraLayer.Adapter adapter, double factor) {
        this.adapter = adapter;
        this.factor = factor;
    }

    LoraLayer.Adapter adapter() {
        return adapter;
    }

    double factor() {
        return factor;
    }

    void setFactor(double factor) {
        this.factor = factor;
    }

    void setDropout(double probability, long seed) {
        dropout = probability == 0 ? null : new Dropout(probability, new SplittableRandom(seed));
    }

    /** Whether the layer's change is a product of low rank now and nothing else. */
    boolean isLowRank() {
        return dropout == null && adapter.bias() == null && adapter.magnitude() == null;
    }

    /** Adds the factors of the change to lists of A and of scaled B, owned by x's manager. */
    void addFactors(NDList down, NDList up, NDArray x) {
        down.add(adapter.a());
        up.add(scaled(adapter.b(), adapter.scale() * factor, x));
        LoraLayer.Residual residual = adapter.residual();
        if (residual != null) {
            down.add(residual.a());
            up.add(scaled(residual.c(), factor, x));
        }
    }

    /**
     * Adds the change to a layer's output.
     *
     * @param y the output so far
     * @param x the layer's input
     * @param weight W0
     * @param bias the bias that is in {@code y}, if any
     * @param product multiplies an input by W0
     */
    NDArray addTo(
            NDArray y,
            NDArray x,
            NDArray weight,
            @Nullable NDArray bias,
            UnaryOperator<NDArray> product) {
        NDArray input = dropout == null ? x : dropout.apply(x);
        NDArray sum = y;
        LoraLayer.Residual residual = adapter.residual();
        if (residual != null) {
            sum = sum.add(low(x, residual.a(), residual.c(), factor));
        }
        NDArray magnitude = adapter.magnitude();
        if (magnitude == null) {
            sum = sum.add(low(input, adapter.a(), adapter.b(), adapter.scale() * factor));
            NDArray own = adapter.bias();
            return own == null ? sum : sum.add(scaled(own, adapter.scale() * factor, x));
        }
        // PEFT's form: the gain acts on what the layer has computed so far, without its bias; if
        // the input has dropped elements, on the layer's product with that input.
        NDArray base;
        if (dropout != null) {
            base = product.apply(input);
        } else {
            base = bias == null ? y : y.sub(bias);
        }
        if (residual != null) {
            base = base.add(low(input, residual.a(), residual.c(), 1));
        }
        NDArray gain = gain(magnitude, weight, x.getManager());
        NDArray change =
                base.mul(gain.sub(1))
                        .add(low(input, adapter.a(), adapter.b(), adapter.scale()).mul(gain));
        return sum.add(factor == 1 ? change : Scalars.multiply(change, factor));
    }

    /** Whether elements of the input are being dropped, which no weight can express. */
    boolean dropsInput() {
        return dropout != null;
    }

    /**
     * Adds the change to a layer's weight instead of its output; the bias of B is left aside.
     *
     * @param w the weight so far, of shape (out, in)
     * @param weight W0
     * @param owner the owner of what is made
     */
    NDArray addToWeight(NDArray w, NDArray weight, NDManager owner) {
        NDArray product = product(adapter.b(), adapter.a(), adapter.scale(), owner);
        LoraLayer.Residual residual = adapter.residual();
        NDArray left = residual == null ? null : product(residual.c(), residual.a(), 1, owner);
        NDArray magnitude = adapter.magnitude();
        NDArray change = product;
        if (magnitude != null) {
            NDArray gain = gain(magnitude, weight, owner).reshape(-1, 1);
            NDArray base = left == null ? w : left.add(w);
            change = product.mul(gain).add(gain.sub(1).mul(base));
        }
        if (left != null) {
            change = change.add(left);
        }
        return (factor == 1 ? change : Scalars.multiply(change, factor)).add(w);
    }

    /** m / n, of shape (out). */
    private NDArray gain(NDArray magnitude, NDArray weight, NDManager owner) {
        try (NDArray norms = RowNorms.of(weight, adapter)) {
            NDArray gain = magnitude.div(norms);
            gain.attach(owner);
            return gain;
        }
    }

    private static NDArray product(NDArray b, NDArray a, double scale, NDManager owner) {
        NDArray product = b.matMul(a);
        product.attach(owner);
        return scale == 1 ? product : Scalars.multiply(product, scale);
    }

    /** Adds what the bias of B adds to a layer's bias. */
    NDArray addToBias(NDArray bias, NDManager owner) {
        NDArray own = adapter.bias();
        if (own == null) {
            return bias;
        }
        NDArray change = Scalars.multiply(own, adapter.scale() * factor);
        change.attach(owner);
        return change.add(bias);
    }

    private static NDArray low(NDArray x, NDArray a, NDArray b, double scale) {
        NDArray low = Linear.linear(x, a).singletonOrThrow();
        if (scale != 1) {
            low = Scalars.multiply(low, scale);
        }
        return Linear.linear(low, b).singletonOrThrow();
    }

    private static NDArray scaled(NDArray array, double scale, NDArray x) {
        return scale == 1 ? array : owned(Scalars.multiply(array, scale), x);
    }

    /** Moves what an operation on an adapter made from the adapter's manager to that of x. */
    static NDArray owned(NDArray result, NDArray x) {
        result.attach(x.getManager());
        return result;
    }
}
