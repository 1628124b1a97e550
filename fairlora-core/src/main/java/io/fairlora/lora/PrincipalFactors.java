package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.Decompositions;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * B0 and A0 of the initialisations that start from the base: the part of a weight W0 that the fresh
 * factors take over. Layers that are not linear have none, as in PEFT.
 */
final class PrincipalFactors {

    private PrincipalFactors() {}

    /** B0 and A0 by path of an adapter for layers, none if it is relative to W0. */
    static Map<String, Factors> of(Map<String, LoraLayer> layers, LoraAdapter adapter) {
        Map<String, Factors> principals = new LinkedHashMap<>();
        ofFresh(adapter)
                .forEach(
                        (path, factors) -> {
                            LoraLayer layer = layers.get(path);
                            if (layer != null) {
                                principals.put(
                                        path,
                                        of(
                                                path,
                                                layer,
                                                adapter.config(),
                                                factors.rank(),
                                                factors.scale()));
                            }
                        });
        return principals;
    }

    /** The same of an adapter that is as it was made: its own B and A. */
    static Map<String, Factors> ofFresh(LoraAdapter adapter) {
        Map<String, Factors> principals = new LinkedHashMap<>();
        if (adapter.config().initialization().changesBase()) {
            adapter.layers()
                    .forEach(
                            (path, factors) -> {
                                if (factors.kind().isLinear()) {
                                    principals.put(path, factors);
                                }
                            });
        }
        return principals;
    }

    /** B0 and A0 of one layer. */
    static Factors of(String path, LoraLayer layer, LoraConfig config, int rank, double scale) {
        Initialization initialization = config.initialization();
        long most = Math.min(layer.inputSize(), layer.outputSize());
        checkArgument(
                rank <= most,
                "layer %s is (%s, %s), of which %s takes a rank of at most %s, found %s",
                path,
                layer.outputSize(),
                layer.inputSize(),
                initialization,
                most,
                rank);
        checkArgument(
                scale > 0,
                "layer %s has the scale %s, %s needs a positive one",
                path,
                scale,
                initialization);
        NDArray weight = layer.weight().getArray();
        return GradientMode.OFF.get(
                () -> {
                    try (NDManager scratch = weight.getManager().newSubManager()) {
                        NDArray matrix = weight.duplicate();
                        matrix.attach(scratch);
                        if (initialization == Initialization.OLORA) {
                            return olora(matrix, rank, scale);
                        }
                        NDList svd =
                                config.pissaSvd()
                                        .map(random -> random.of(matrix, rank, path))
                                        .orElseGet(() -> Decompositions.svd(matrix));
                        return pissa(svd, rank, scale);
                    }
                });
    }

    private static Factors pissa(NDList svd, int rank, double scale) {
        NDArray root = svd.get(1).get(":" + rank).div(scale).sqrt();
        float[] a =
                HostTensor.copyOf(svd.get(2).get(":" + rank).mul(root.reshape(rank, 1))).toArray();
        float[] b = HostTensor.copyOf(svd.get(0).get(":, :" + rank).mul(root)).toArray();
        int in = a.length / rank;
        int out = b.length / rank;
        for (int k = 0; k < rank; k++) {
            int greatest = k * in;
            for (int i = k * in; i < (k + 1) * in; i++) {
                greatest = Math.abs(a[i]) > Math.abs(a[greatest]) ? i : greatest;
            }
            if (a[greatest] < 0) {
                for (int i = k * in; i < (k + 1) * in; i++) {
                    a[i] = -a[i];
                }
                for (int o = 0; o < out; o++) {
                    b[o * rank + k] = -b[o * rank + k];
                }
            }
        }
        return new Factors(HostTensor.of(a, rank, in), HostTensor.of(b, out, rank), scale);
    }

    private static Factors olora(NDArray matrix, int rank, double scale) {
        NDList qr = Decompositions.qr(matrix);
        return new Factors(
                HostTensor.copyOf(qr.get(1).get(":" + rank)),
                HostTensor.copyOf(qr.get(0).get(":, :" + rank)),
                scale);
    }
}
