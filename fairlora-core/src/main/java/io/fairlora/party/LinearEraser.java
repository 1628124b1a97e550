package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import io.fairlora.training.LinearHead;
import java.util.Arrays;

/**
 * An affine map of features, {@code r(x) = x - U V x + c}, after which no linear classifier can
 * tell the sensitive attribute better than a constant can: the least-squares concept eraser
 * (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3).
 *
 * <p>With Z the one-hot attribute, {@code U V = S_xz (S_zx S_xx^-1 S_xz)^-1 S_zx S_xx^-1} and
 * {@code c = U V mean(x)}, which is the theorem's {@code W^+ P W} without its square roots; one
 * column of Z is left out, as the others imply it.
 *
 * @param u U, of shape (D, k - 1) for k values of the attribute
 * @param v V, of shape (k - 1, D)
 * @param shift c, of shape (D)
 */
public record LinearEraser(HostTensor u, HostTensor v, HostTensor shift) {

    /**
     * How many images an auditor needs to fit an eraser: with fewer the covariance of the features
     * is too rough.
     *
     * @param featureSize the number of features
     * @return images
     */
    public static int imagesNeeded(int featureSize) {
        return LinearErasers.minimum(featureSize);
    }

    /** Features may be nearly collinear; this part of their mean variance is added to each. */
    private static final double RIDGE = 1e-8;

    /** What rounding leaves of a constant's variance, as a part of its square. */
    private static final double LEAST_VARIANCE = 1e-16;

    /** The part of an indicator's variance below which nothing is explained, not even by chance. */
    private static final double LEAST_EXPLAINED = 1e-9;

    /** The part of what is explained below which other indicators explain it all, to rounding. */
    private static final double LEAST_OWN = 1e-6;

    /** Checks that the shapes fit together. */
    public LinearEraser {
        checkArgument(
                u.shape().dimension() == 2
                        && v.shape().dimension() == 2
                        && u.shape().get(1) == v.shape().get(0)
                        && u.shape().get(0) == v.shape().get(1)
                        && shift.size() == u.shape().get(0),
                "an eraser has U (D, k), V (k, D) and a shift (D), found %s, %s and %s",
                u.shape(),
                v.shape(),
                shift.shape());
    }

    /**
     * Fits the eraser in double precision.
     *
     * @param features (n, D)
     * @param values the attribute of each example, in {@code [0, classes)}
     * @param classes the number of values, of which at least two occur
     * @param weights one an example, at least 0
     * @return the eraser; under the given weights the features' class means coincide after it
     * @throws IllegalArgumentException if fewer than two values occur, if the features do not vary
     *     or are not finite, or if their class means do not tell the values apart, so that there is
     *     nothing to erase
     */
    static LinearEraser fit(NDArray features, int[] values, int classes, float[] weights) {
        int[] occurring = Arrays.stream(values).distinct().sorted().toArray();
        checkArgument(
                occurring.length >= 2, "an eraser needs two values, found %s", occurring.length);
        LinearEraser[] fitted = new LinearEraser[1];
        GradientMode.OFF.run(
                () ->
                        Scope.run(
                                () -> {
                                    NDManager owner = features.getManager();
                                    NDArray x = features.toType(DataType.FLOAT64, true);
                                    fitted[0] =
                                            fit(
                                                    x,
                                                    oneHot(owner, values, occurring),
                                                    normalised(owner, weights));
                                }));
        return fitted[0];
    }

    private static NDArray oneHot(NDManager owner, int[] values, int[] occurring) {
        int columns = occurring.length - 1;
        double[] z = new double[values.length * columns];
        for (int i = 0; i < values.length; i++) {
            int column = Arrays.binarySearch(occurring, values[i]);
            if (column < columns) {
                z[i * columns + column] = 1;
            }
        }
        return owner.create(z, new Shape(values.length, columns));
    }

    private static NDArray normalised(NDManager owner, float[] weights) {
        double total = 0;
        for (float weight : weights) {
            total += weight;
        }
        double[] w = new double[weights.length];
        for (int i = 0; i < w.length; i++) {
            w[i] = weights[i] / total;
        }
        return owner.create(w, new Shape(w.length, 1));
    }

    private static LinearEraser fit(NDArray x, NDArray z, NDArray w) {
        NDArray mean = x.mul(w).sum(new int[] {0}, true);
        NDArray centred = x.sub(mean);
        NDArray centredZ = z.sub(z.mul(w).sum(new int[] {0}, true));
        NDArray weighted = centred.mul(w).transpose();
        long d = x.getShape().get(1);
        NDArray covariance = weighted.matMul(centred);
        double variance = HostTensor.copyOf(variances(centred, w).sum()).get(0);
        checkArgument(
                variance > LEAST_VARIANCE * HostTensor.copyOf(mean.mul(mean).sum()).get(0)
                        && Double.isFinite(variance),
                "an eraser needs finite features that vary, found a total variance of %s",
                variance);
        double ridge = RIDGE * variance / d;
        NDArray eye =
                covariance.getManager().eye(Math.toIntExact(d)).toType(DataType.FLOAT64, true);
        NDArray cross = weighted.matMul(centredZ);
        NDArray solved = covariance.add(eye.mul(ridge)).inverse().matMul(cross);
        NDArray explained = cross.transpose().matMul(solved);
        checkToldApart(HostTensor.copyOf(explained), HostTensor.copyOf(variances(centredZ, w)));
        NDArray v = explained.inverse().matMul(solved.transpose());
        NDArray shift = cross.matMul(v).matMul(mean.transpose()).reshape(d);
        return new LinearEraser(
                HostTensor.copyOf(cross), HostTensor.copyOf(v), HostTensor.copyOf(shift));
    }

    private static NDArray variances(NDArray centred, NDArray w) {
        return centred.mul(centred).mul(w).sum(new int[] {0});
    }

    /**
     * Refuses class means that leave the inverse undefined: of each value's indicator, something
     * must be explained by the features that the indicators before it do not explain (the pivots of
     * a Cholesky factorisation, as parts of the indicators' variances).
     */
    private static void checkToldApart(HostTensor explained, HostTensor variances) {
        int k = variances.size();
        double[][] lower = new double[k][k];
        for (int row = 0; row < k; row++) {
            for (int column = 0; column <= row; column++) {
                double part =
                        explained.get(row * k + column)
                                / Math.sqrt((double) variances.get(row) * variances.get(column));
                double rest = part;
                for (int i = 0; i < column; i++) {
                    rest -= lower[row][i] * lower[column][i];
                }
                checkArgument(
                        row != column || (rest > LEAST_EXPLAINED && rest > LEAST_OWN * part),
                        "the features' class means do not tell the values of the attribute apart:"
                                + " there is nothing to erase");
                lower[row][column] = row == column ? Math.sqrt(rest) : rest / lower[column][column];
            }
        }
    }

    /**
     * The length of the feature vectors.
     *
     * @return D
     */
    public int featureSize() {
        return shift.size();
    }

    /** The greatest difference of an element of V U from the identity's; 0 for a projection U V. */
    double distanceFromProjection() {
        int d = featureSize();
        int k = Math.toIntExact(v.shape().get(0));
        double greatest = 0;
        for (int row = 0; row < k; row++) {
            for (int column = 0; column < k; column++) {
                double sum = row == column ? -1 : 0;
                for (int i = 0; i < d; i++) {
                    sum += (double) v.get(row * d + i) * u.get(i * k + column);
                }
                greatest = Math.max(greatest, Math.abs(sum));
            }
        }
        return greatest;
    }

    /**
     * Erases part of the attribute from features.
     *
     * @param features (n, D)
     * @param strength 1 for all of it, 0 for nothing
     * @return {@code x - strength (U V x - c)}, owned by the manager of {@code features}
     */
    public NDArray apply(NDArray features, double strength) {
        return Scope.keep(
                () -> {
                    NDManager owner = features.getManager();
                    // In double precision, as the fold into a head: U and V may be of very
                    // different sizes, and what is taken away comes out of their product.
                    NDArray x = features.toType(DataType.FLOAT64, false);
                    NDArray along =
                            x.matMul(wide(v, owner).transpose())
                                    .matMul(wide(u, owner).transpose())
                                    .sub(wide(shift, owner));
                    return x.sub(along.mul(strength)).toType(features.getDataType(), true);
                });
    }

    private static NDArray wide(HostTensor tensor, NDManager owner) {
        return tensor.toNDArray(owner).toType(DataType.FLOAT64, false);
    }

    /**
     * Folds the eraser into a head, so that serving it costs nothing.
     *
     * @param head a head on erased features
     * @param strength 1 for all of it, 0 for nothing
     * @return {@code w' = w - strength w U V}, {@code b' = b + strength w c}: a head with the same
     *     logits on features as they are
     */
    public LinearHead.Weights fold(LinearHead.Weights head, double strength) {
        int classes = head.classes();
        int d = featureSize();
        int k = Math.toIntExact(v.shape().get(0));
        checkArgument(
                head.weight().shape().get(1) == d,
                "the head reads %s features, the eraser maps %s",
                head.weight().shape().get(1),
                d);
        float[] weight = head.weight().toArray();
        float[] bias = head.bias().toArray();
        for (int row = 0; row < classes; row++) {
            double shifted = 0;
            double[] along = new double[k];
            for (int i = 0; i < d; i++) {
                double w = head.weight().get(row * d + i);
                shifted += w * shift.get(i);
                for (int j = 0; j < k; j++) {
                    along[j] += w * u.get(i * k + j);
                }
            }
            bias[row] += (float) (strength * shifted);
            for (int i = 0; i < d; i++) {
                double sum = 0;
                for (int j = 0; j < k; j++) {
                    sum += along[j] * v.get(j * d + i);
                }
                weight[row * d + i] -= (float) (strength * sum);
            }
        }
        return new LinearHead.Weights(
                HostTensor.of(weight, classes, d), HostTensor.of(bias, classes));
    }
}
