package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.common.collect.ImmutableMap;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.Decompositions;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;

/** What a fresh adapter holds, by {@link Initialization}. */
final class InitialFactors {

    private InitialFactors() {}

    /** A fresh adapter for layers, with the biases that its configuration trains. */
    static LoraAdapter of(
            Map<String, LoraLinear> layers,
            Map<String, Parameter> biases,
            LoraConfig config,
            SplittableRandom random) {
        ImmutableMap.Builder<String, Factors> factors = ImmutableMap.builder();
        layers.forEach((path, layer) -> factors.put(path, of(path, layer, config, random.split())));
        Map<String, HostTensor> values = new LinkedHashMap<>();
        biases.forEach((name, bias) -> values.put(name, HostTensor.copyOf(bias.getArray())));
        return new LoraAdapter(config, factors.buildOrThrow(), values, Map.of(), Map.of());
    }

    private static Factors of(
            String path, LoraLinear layer, LoraConfig config, SplittableRandom random) {
        int rank = config.rankOf(path);
        int in = (int) layer.inputSize();
        int out = (int) layer.outputSize();
        double scale = config.scalingOf(path);
        DoubleSupplier byInput = uniform(random, 1 / Math.sqrt(in));
        DoubleSupplier byRank = uniform(random, 1 / Math.sqrt(rank));
        Factors factors =
                switch (config.initialization()) {
                    case KAIMING_UNIFORM ->
                            new Factors(fill(rank, in, byInput), zeros(out, rank), scale);
                    case RANDOM ->
                            new Factors(fill(rank, in, byInput), fill(out, rank, byRank), scale);
                    case GAUSSIAN ->
                            new Factors(
                                    fill(rank, in, () -> random.nextGaussian() / rank),
                                    zeros(out, rank),
                                    scale);
                    case ORTHOGONAL -> orthogonal(rank, in, out, scale, random);
                    case PISSA, OLORA ->
                            principal(path, layer, config.initialization(), rank, scale);
                    case EVA ->
                            throw new IllegalArgumentException(
                                    "the initialisation EVA comes from a data set through PEFT; a"
                                            + " fresh adapter needs another");
                };
        return complete(layer, config, factors, byRank);
    }

    /** Adds what DoRA and the bias of B start from. */
    private static Factors complete(
            LoraLinear layer, LoraConfig config, Factors factors, DoubleSupplier byRank) {
        if (config.dora()) {
            return new Factors(
                    factors.a(),
                    factors.b(),
                    factors.scale(),
                    null,
                    magnitude(layer, factors, config));
        }
        if (config.loraBias()) {
            int out = factors.outputSize();
            boolean random = config.initialization() == Initialization.RANDOM;
            HostTensor bias = random ? fill(1, out, byRank) : zeros(1, out);
            return new Factors(
                    factors.a(), factors.b(), factors.scale(), bias.reshape(new Shape(out)), null);
        }
        return factors;
    }

    /** The lengths of the rows of the weight under a fresh adapter. */
    private static HostTensor magnitude(LoraLinear layer, Factors factors, LoraConfig config) {
        NDArray weight = layer.weight().getArray();
        try (NDManager scratch = weight.getManager().newSubManager()) {
            NDArray a = factors.a().toNDArray(scratch).toType(weight.getDataType(), false);
            NDArray b = factors.b().toNDArray(scratch).toType(weight.getDataType(), false);
            // What is subtracted from the weight equals what the factors add to it.
            NDArray c = b.mul(config.initialization().changesBase() ? 0 : factors.scale());
            try (NDArray norms = RowNorms.of(weight, a, c)) {
                return HostTensor.copyOf(norms);
            }
        }
    }

    /** B0 and A0 of all layers of an adapter that is relative to W0 - s B0 A0. */
    static Map<String, Factors> principals(Map<String, LoraLinear> layers, LoraAdapter adapter) {
        Initialization initialization = adapter.config().initialization();
        Map<String, Factors> principals = new LinkedHashMap<>();
        if (initialization.changesBase()) {
            layers.forEach(
                    (path, layer) -> {
                        Factors factors = adapter.layer(path);
                        principals.put(
                                path,
                                principal(
                                        path,
                                        layer,
                                        initialization,
                                        factors.rank(),
                                        factors.scale()));
                    });
        }
        return principals;
    }

    private static Factors principal(
            String path, LoraLinear layer, Initialization initialization, int rank, double scale) {
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
                        return initialization == Initialization.PISSA
                                ? pissa(matrix, rank, scale)
                                : olora(matrix, rank, scale);
                    }
                });
    }

    private static Factors pissa(NDArray matrix, int rank, double scale) {
        NDList svd = Decompositions.svd(matrix);
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

    private static Factors orthogonal(
            int rank, int in, int out, double scale, SplittableRandom random) {
        checkArgument(
                rank % 2 == 0, "the initialisation ORTHOGONAL needs an even rank, found %s", rank);
        double[][] q = orthonormalRows(rank, random);
        int half = rank / 2;
        float[] a = new float[rank * in];
        float[] b = new float[out * rank];
        for (int i = 0; i < in; i++) {
            for (int h = 0; h < half; h++) {
                double x = random.nextGaussian() / 10;
                for (int k = 0; k < rank; k++) {
                    a[k * in + i] += (float) (x * q[2 * h][k]);
                }
            }
        }
        for (int o = 0; o < out; o++) {
            for (int h = 0; h < half; h++) {
                double y = random.nextGaussian() / 10;
                for (int k = 0; k < rank; k++) {
                    b[o * rank + k] += (float) (y * q[2 * h + 1][k]);
                }
            }
        }
        return new Factors(HostTensor.of(a, rank, in), HostTensor.of(b, out, rank), scale);
    }

    /** A random orthogonal matrix: Gram and Schmidt's method, twice, on normal rows. */
    private static double[][] orthonormalRows(int n, SplittableRandom random) {
        double[][] rows = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                rows[i][j] = random.nextGaussian();
            }
            for (int pass = 0; pass < 2; pass++) {
                for (int k = 0; k < i; k++) {
                    double along = JacobiSvd.dot(rows[i], rows[k]);
                    for (int j = 0; j < n; j++) {
                        rows[i][j] -= along * rows[k][j];
                    }
                }
            }
            double norm = Math.sqrt(JacobiSvd.dot(rows[i], rows[i]));
            for (int j = 0; j < n; j++) {
                rows[i][j] /= norm;
            }
        }
        return rows;
    }

    private static DoubleSupplier uniform(SplittableRandom random, double bound) {
        return () -> (2 * random.nextDouble() - 1) * bound;
    }

    private static HostTensor zeros(int rows, int columns) {
        return HostTensor.of(new float[rows * columns], rows, columns);
    }

    private static HostTensor fill(int rows, int columns, DoubleSupplier values) {
        float[] filled = new float[Math.multiplyExact(rows, columns)];
        for (int i = 0; i < filled.length; i++) {
            filled[i] = (float) values.getAsDouble();
        }
        return HostTensor.of(filled, rows, columns);
    }
}
