package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.ndarray.HostTensor;
import java.util.Arrays;

/** Position embeddings brought to another grid of patches, as PyTorch's {@code interpolate}. */
final class PositionGrid {

    private PositionGrid() {}

    /**
     * Interpolates the positions of the patches by cubic convolution (Keys 1981) in each direction,
     * half-pixel centres ({@code align_corners=False}), and keeps those before them.
     *
     * <p>Without antialiasing a is -0.75 and indices are clamped at the border; with it a is -0.5,
     * the kernel widens when the grid shrinks, and its weights are normalised.
     *
     * @param positions of shape (1, prefix + rows * columns, D)
     * @param prefix how many come before those of the patches
     * @param from the grid of {@code positions}
     * @param to the grid wanted
     * @param antialias whether to antialias
     * @return of shape (1, prefix + rows * columns, D)
     */
    static HostTensor resize(
            HostTensor positions, int prefix, Grid from, Grid to, boolean antialias) {
        int d = Math.toIntExact(positions.shape().get(2));
        checkArgument(
                positions.shape().get(1) == prefix + from.cells(),
                "expected %s positions, found %s",
                prefix + from.cells(),
                positions.shape().get(1));
        if (from.equals(to)) {
            return positions;
        }
        float[] source = positions.toArray();
        float[] target = new float[Math.multiplyExact(prefix + to.cells(), d)];
        System.arraycopy(source, 0, target, 0, prefix * d);
        Tap[] rows = taps(from.rows(), to.rows(), antialias);
        Tap[] columns = taps(from.columns(), to.columns(), antialias);
        double[] sum = new double[d];
        for (int y = 0; y < to.rows(); y++) {
            for (int x = 0; x < to.columns(); x++) {
                Arrays.fill(sum, 0);
                for (int i = 0; i < rows[y].indices().length; i++) {
                    for (int j = 0; j < columns[x].indices().length; j++) {
                        double weight = rows[y].weights()[i] * columns[x].weights()[j];
                        int cell = rows[y].indices()[i] * from.columns() + columns[x].indices()[j];
                        int at = (prefix + cell) * d;
                        for (int c = 0; c < d; c++) {
                            sum[c] += weight * source[at + c];
                        }
                    }
                }
                int at = (prefix + y * to.columns() + x) * d;
                for (int c = 0; c < d; c++) {
                    target[at + c] = (float) sum[c];
                }
            }
        }
        return HostTensor.of(target, 1, prefix + to.cells(), d);
    }

    /** Rows and columns of patches. */
    record Grid(int rows, int columns) {

        static Grid of(VitConfig config) {
            return new Grid(config.patchRows(), config.patchColumns());
        }

        int cells() {
            return Math.multiplyExact(rows, columns);
        }
    }

    /** The cells of one direction that make a new cell, and their weights. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Tap(int[] indices, double[] weights) {}

    private static Tap[] taps(int from, int to, boolean antialias) {
        Tap[] taps = new Tap[to];
        double scale = (double) from / to;
        for (int i = 0; i < to; i++) {
            taps[i] = antialias ? wide(i, from, scale) : narrow(i, from, scale);
        }
        return taps;
    }

    private static Tap narrow(int i, int from, double scale) {
        double centre = scale * (i + 0.5) - 0.5;
        int first = (int) Math.floor(centre) - 1;
        int[] indices = new int[4];
        double[] weights = new double[4];
        for (int k = 0; k < 4; k++) {
            indices[k] = Math.min(Math.max(first + k, 0), from - 1);
            weights[k] = cubic(first + k - centre, -0.75);
        }
        return new Tap(indices, weights);
    }

    private static Tap wide(int i, int from, double scale) {
        double stretch = Math.max(scale, 1);
        double support = 2 * stretch;
        double centre = scale * (i + 0.5);
        int first = Math.max((int) (centre - support + 0.5), 0);
        int end = Math.min((int) (centre + support + 0.5), from);
        int[] indices = new int[end - first];
        double[] weights = new double[end - first];
        double sum = 0;
        for (int k = 0; k < indices.length; k++) {
            indices[k] = first + k;
            weights[k] = cubic((first + k - centre + 0.5) / stretch, -0.5);
            sum += weights[k];
        }
        for (int k = 0; k < weights.length; k++) {
            weights[k] /= sum;
        }
        return new Tap(indices, weights);
    }

    /** The kernel of cubic convolution at a distance. */
    private static double cubic(double distance, double a) {
        double x = Math.abs(distance);
        if (x < 1) {
            return ((a + 2) * x - (a + 3)) * x * x + 1;
        }
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
}
