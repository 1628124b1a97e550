package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One adapter for each example of a batch of n in one layer:
 *
 * <pre>y_i = g_i (x_i W0^T) + x_i A_i^T C_i^T + b + h_i</pre>
 *
 * A layer that adapts example i by nothing has A_i = C_i = h_i = 0 and g_i = 1.
 *
 * @param a A^T, of shape (n, in, r)
 * @param c C^T, of shape (n, r, out)
 * @param gain g, of shape (n, 1, out)
 * @param shift h, of shape (n, 1, out)
 */
record ExampleAdapters(NDArray a, NDArray c, NDArray gain, NDArray shift) {

    /** What one adapter is in this form. */
    private record Term(NDArray a, NDArray c, NDArray gain, NDArray shift) {

        static Term none(LoraLinear layer, NDManager manager, DataType type) {
            return new Term(
                    manager.zeros(new Shape(0, layer.inputSize()), type),
                    manager.zeros(new Shape(layer.outputSize(), 0), type),
                    manager.ones(new Shape(layer.outputSize()), type),
                    manager.zeros(new Shape(layer.outputSize()), type));
        }

        /** The factors of a higher rank, with zeros. */
        NDArray paddedA(long rank) {
            Shape missing = new Shape(rank - a.getShape().get(0), a.getShape().get(1));
            NDArray zeros = a.getManager().zeros(missing, a.getDataType());
            return NDArrays.concat(new NDList(a, zeros), 0).transpose();
        }

        NDArray paddedC(long rank) {
            Shape missing = new Shape(c.getShape().get(0), rank - c.getShape().get(1));
            NDArray zeros = c.getManager().zeros(missing, c.getDataType());
            return NDArrays.concat(new NDList(c, zeros), 1).transpose();
        }
    }

    /**
     * The adapters of a batch in one layer; what is made belongs to the scope that is open.
     *
     * @param names a name for each example
     * @param adapters adapters by name; a name that is not there stands for none
     * @return nothing if no adapter is in the layer
     */
    static @Nullable ExampleAdapters of(
            List<String> names, Map<String, InjectedLora> adapters, String path, LoraLinear layer) {
        NDArray weight = layer.weight().getArray();
        Term none = Term.none(layer, weight.getManager(), weight.getDataType());
        Map<String, Term> terms = new LinkedHashMap<>();
        long rank = 0;
        for (Map.Entry<String, InjectedLora> entry : adapters.entrySet()) {
            LayerAdapter placed = entry.getValue().in(path);
            if (placed != null) {
                Term term = term(placed, entry.getValue().biasIn(path), layer, none);
                rank = Math.max(rank, term.a().getShape().get(0));
                terms.put(entry.getKey(), term);
            }
        }
        if (terms.isEmpty()) {
            return null;
        }
        NDList a = new NDList();
        NDList c = new NDList();
        NDList gain = new NDList();
        NDList shift = new NDList();
        for (String name : names) {
            Term term = terms.getOrDefault(name, none);
            a.add(term.paddedA(rank));
            c.add(term.paddedC(rank));
            gain.add(term.gain());
            shift.add(term.shift());
        }
        Shape each = new Shape(names.size(), 1, layer.outputSize());
        return new ExampleAdapters(
                NDArrays.stack(a),
                NDArrays.stack(c),
                NDArrays.stack(gain).reshape(each),
                NDArrays.stack(shift).reshape(each));
    }

    private static Term term(
            LayerAdapter placed, @Nullable NDArray replacedBias, LoraLinear layer, Term none) {
        LoraLayer.Adapter adapter = placed.adapter();
        double factor = placed.factor();
        NDArray a = adapter.a();
        NDArray c = adapter.b().mul(adapter.scale() * factor);
        LoraLayer.Residual residual = adapter.residual();
        if (residual != null) {
            a = NDArrays.concat(new NDList(a, residual.a()), 0);
            c = NDArrays.concat(new NDList(c, residual.c().mul(factor)), 1);
        }
        NDArray gain = none.gain();
        NDArray magnitude = adapter.magnitude();
        if (magnitude != null) {
            NDArray whole = magnitude.div(RowNorms.of(layer.weight().getArray(), adapter));
            c = c.mul(whole.reshape(-1, 1));
            gain = whole.sub(1).mul(factor).add(1);
        }
        NDArray shift = none.shift();
        NDArray own = adapter.bias();
        if (own != null) {
            shift = shift.add(own.mul(adapter.scale() * factor));
        }
        if (replacedBias != null) {
            shift = shift.add(replacedBias.sub(AdapterBiases.frozen(layer).getArray()));
        }
        return new Term(a, c, gain, shift);
    }

    /** Completes the product x W0^T. */
    NDArray apply(NDArray x, NDArray product, @Nullable NDArray bias) {
        long n = a.getShape().get(0);
        Shape shape = x.getShape();
        checkState(
                shape.dimension() >= 2 && shape.get(0) == n,
                "adapters are chosen for %s examples, the layer's input is %s",
                n,
                shape);
        NDArray low = x.reshape(n, -1, a.getShape().get(1)).matMul(a).matMul(c);
        NDArray y = product.reshape(n, -1, c.getShape().get(2)).mul(gain).add(low).add(shift);
        if (bias != null) {
            y = y.add(bias);
        }
        return y.reshape(product.getShape());
    }
}
