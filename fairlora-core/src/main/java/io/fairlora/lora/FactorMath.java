package io.fairlora.lora;

import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.util.List;

/** Arithmetic with the factors of single layers, in double precision. */
final class FactorMath {

    private FactorMath() {}

    /** The factors whose change is the sum of several, with nothing approximated. */
    static Factors concatenate(String path, List<Factors> parts) {
        Factors first = parts.get(0);
        if (parts.size() == 1) {
            return first;
        }
        int rank = parts.stream().mapToInt(Factors::rank).sum();
        int in = first.inputSize();
        int out = first.outputSize();
        boolean oneScale = parts.stream().allMatch(part -> part.scale() == first.scale());
        float[] a = new float[Math.multiplyExact(rank, in)];
        float[] b = new float[Math.multiplyExact(out, rank)];
        double[] bias = new double[out];
        boolean biased = false;
        int row = 0;
        for (Factors part : parts) {
            first.checkSameLayer(path, part);
            part.a().buffer().get(a, row * in, part.a().size());
            // Scales that differ go into B; one that all share stays exact.
            double scale = oneScale ? 1 : part.scale();
            for (int o = 0; o < out; o++) {
                for (int r = 0; r < part.rank(); r++) {
                    b[o * rank + row + r] = (float) (scale * part.b().get(o * part.rank() + r));
                }
            }
            HostTensor own = part.bias();
            if (own != null) {
                biased = true;
                for (int o = 0; o < out; o++) {
                    bias[o] += scale * own.get(o);
                }
            }
            row += part.rank();
        }
        return first.with(
                HostTensor.of(a, rank, in),
                HostTensor.of(b, out, rank),
                oneScale ? first.scale() : 1,
                biased ? HostTensor.of(floats(bias), out) : null);
    }

    /** The opposite change under the same scale. */
    static Factors negated(Factors factors) {
        float[] b = factors.b().toArray();
        for (int i = 0; i < b.length; i++) {
            b[i] = -b[i];
        }
        return factors.with(
                factors.a(),
                HostTensor.of(b, factors.b().shape().getShape()),
                factors.scale(),
                null);
    }

    /** The nearest factors of a rank under the same scale, without forming the product. */
    static Factors refactor(Factors factors, int wanted) {
        int r = factors.rank();
        int in = factors.inputSize();
        int out = factors.outputSize();
        int rank = Math.min(wanted, r);
        // B = U_B S_B V_B^T, then A^T V_B S_B = U S W^T, so B A = (U_B W) S U^T.
        JacobiSvd ofB = JacobiSvd.of(columns(factors.b(), out, r));
        double[][] core = new double[r][in];
        for (int k = 0; k < r; k++) {
            for (int j = 0; j < r; j++) {
                double weight = ofB.s()[k] * ofB.v()[k][j];
                for (int i = 0; i < in; i++) {
                    core[k][i] += weight * factors.a().get(j * in + i);
                }
            }
        }
        JacobiSvd svd = JacobiSvd.of(core);
        float[] a = new float[rank * in];
        float[] b = new float[out * rank];
        for (int k = 0; k < rank; k++) {
            double root = Math.sqrt(svd.s()[k]);
            for (int i = 0; i < in; i++) {
                a[k * in + i] = (float) (root * svd.u()[k][i]);
            }
            for (int o = 0; o < out; o++) {
                double sum = 0;
                for (int j = 0; j < r; j++) {
                    sum += ofB.u()[j][o] * svd.v()[k][j];
                }
                b[o * rank + k] = (float) (root * sum);
            }
        }
        return factors.with(
                HostTensor.of(a, rank, in),
                HostTensor.of(b, out, rank),
                factors.scale(),
                factors.bias());
    }

    /** ||B A||_F^2 as the inner product of B^T B and A A^T, without forming B A. */
    static double squaredNorm(Factors factors) {
        int r = factors.rank();
        int in = factors.inputSize();
        double[][] b = columns(factors.b(), factors.outputSize(), r);
        double[][] a = new double[r][in];
        for (int k = 0; k < r; k++) {
            for (int i = 0; i < in; i++) {
                a[k][i] = factors.a().get(k * in + i);
            }
        }
        double sum = 0;
        for (int i = 0; i < r; i++) {
            for (int j = 0; j <= i; j++) {
                double product = JacobiSvd.dot(b[i], b[j]) * JacobiSvd.dot(a[i], a[j]);
                sum += i == j ? product : 2 * product;
            }
        }
        // Rounding may bring a vanishing sum below zero.
        return sum < 0 ? 0 : sum;
    }

    /** s B A, row by row. */
    static double[] product(Factors factors) {
        int in = factors.inputSize();
        double[] product = new double[Math.multiplyExact(factors.outputSize(), in)];
        for (int o = 0; o < factors.outputSize(); o++) {
            for (int k = 0; k < factors.rank(); k++) {
                double b = factors.scale() * factors.b().get(o * factors.rank() + k);
                for (int i = 0; i < in; i++) {
                    product[o * in + i] += b * factors.a().get(k * in + i);
                }
            }
        }
        return product;
    }

    /** The nearest product B A of a rank; the factors share the singular values evenly. */
    static Factors decomposed(double[] matrix, Factors like, int wanted) {
        int out = like.outputSize();
        int in = like.inputSize();
        // One-sided rotations cost the square of the columns, so the shorter side is theirs.
        boolean turned = in > out;
        double[][] columns = new double[Math.min(in, out)][Math.max(in, out)];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                columns[turned ? o : i][turned ? i : o] = matrix[o * in + i];
            }
        }
        JacobiSvd svd = JacobiSvd.of(columns);
        double[][] left = turned ? svd.v() : svd.u();
        double[][] right = turned ? svd.u() : svd.v();
        int rank = Math.min(wanted, columns.length);
        double[] a = new double[rank * in];
        double[] b = new double[out * rank];
        for (int k = 0; k < rank; k++) {
            double root = Math.sqrt(svd.s()[k]);
            for (int i = 0; i < in; i++) {
                a[k * in + i] = root * right[k][i];
            }
            for (int o = 0; o < out; o++) {
                b[o * rank + k] = root * left[k][o];
            }
        }
        return like.with(
                HostTensor.of(floats(a), rank, in), HostTensor.of(floats(b), out, rank), 1, null);
    }

    private static double[][] columns(HostTensor matrix, int rows, int columns) {
        double[][] result = new double[columns][rows];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                result[j][i] = matrix.get(i * columns + j);
            }
        }
        return result;
    }

    static float[] floats(double[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = (float) values[i];
        }
        return result;
    }
}
