package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import com.google.common.collect.ImmutableMap;
import io.fairlora.lora.LoraAdapter.Factors;
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
            Map<String, LoraLayer> layers,
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
            String path, LoraLayer layer, LoraConfig config, SplittableRandom random) {
        checkArgument(
                config.initialization() != Initialization.EVA,
                "the initialisation EVA comes from a data set through PEFT; a fresh adapter needs"
                        + " another");
        Factors factors =
                layer.kind().isEmbedding()
                        ? embedding(path, layer, config, random)
                        : product(path, layer, config, random);
        return complete(layer, config, factors, random);
    }

    /** PEFT's rule: A is zero, whatever the initialisation, unless that is RANDOM. */
    private static Factors embedding(
            String path, LoraLayer layer, LoraConfig config, SplittableRandom random) {
        checkArgument(
                !config.loraBias(),
                "layer %s is an embedding, whose B has no bias, as in PEFT",
                path);
        int rank = config.rankOf(path);
        int in = (int) layer.inputSize();
        boolean filled = config.initialization() == Initialization.RANDOM;
        HostTensor a = filled ? fill(rank, in, random::nextGaussian) : zeros(rank, in);
        HostTensor b = fill((int) layer.outputSize(), rank, random::nextGaussian);
        return new Factors(a, b, config.scalingOf(path), null, null, layer.kind());
    }

    private static Factors product(
            String path, LoraLayer layer, LoraConfig config, SplittableRandom random) {
        int rank = config.rankOf(path);
        int in = (int) layer.inputSize();
        int out = (int) layer.outputSize();
        double scale = config.scalingOf(path);
        Initialization initialization = config.initialization();
        DoubleSupplier byInput = uniform(random, 1 / Math.sqrt(in));
        HostTensor a;
        HostTensor b;
        switch (initialization) {
            case KAIMING_UNIFORM -> {
                a = fill(rank, in, byInput);
                b = zeros(out, rank);
            }
            case RANDOM -> {
                a = fill(rank, in, byInput);
                b = fill(out, rank, uniform(random, 1 / Math.sqrt(rank)));
            }
            case GAUSSIAN -> {
                a = fill(rank, in, () -> random.nextGaussian() / rank);
                b = zeros(out, rank);
            }
            default -> {
                checkArgument(
                        layer.kind().isLinear(),
                        "layer %s is a convolution, for which the initialisation %s is not"
                                + " defined, as in PEFT",
                        path,
                        initialization);
                return initialization == Initialization.ORTHOGONAL
                        ? orthogonal(rank, in, out, scale, random)
                        : PrincipalFactors.of(path, layer, config, rank, scale);
            }
        }
        return new Factors(a, b, scale, null, null, layer.kind());
    }

    /** Adds what DoRA and the bias of B start from. */
    private static Factors complete(
            LoraLayer layer, LoraConfig config, Factors factors, SplittableRandom random) {
        HostTensor bias = null;
        if (config.loraBias()) {
            long out = factors.outputSize();
            DoubleSupplier byRank = uniform(random, 1 / Math.sqrt(factors.rank()));
            bias =
                    config.initialization() == Initialization.RANDOM
                            ? fill(1, (int) out, byRank).reshape(new Shape(out))
                            : HostTensor.of(new float[(int) out], out);
        }
        return new Factors(
                factors.a(),
                factors.b(),
                factors.scale(),
                bias,
                config.dora() ? magnitude(layer, factors, config) : null,
                factors.kind());
    }

    /** The lengths of the rows of the weight under a fresh adapter. */
    private static HostTensor magnitude(LoraLayer layer, Factors factors, LoraConfig config) {
        NDArray weight = layer.weight().getArray();
        try (NDManager scratch = weight.getManager().newSubManager()) {
            NDArray a = factors.a().toNDArray(scratch).toType(weight.getDataType(), false);
            NDArray b = factors.b().toNDArray(scratch).toType(weight.getDataType(), false);
            // What is subtracted from the weight equals what the factors add to it.
            NDArray c = b.mul(config.initialization().changesBase() ? 0 : factors.scale());
            try (NDArray norms = RowNorms.of(layer.kind().matrix(weight, scratch), a, c)) {
                return HostTensor.copyOf(norms);
            }
        }
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
