package io.fairlora.lora;

import java.util.Arrays;

/**
 * The singular value decomposition of a matrix with few columns by one-sided Jacobi rotations
 * (Hestenes 1958): M = U diag(s) V^T, s in descending order. A column of U whose singular value is
 * zero is zero.
 */
final class JacobiSvd {

    private static final double TOLERANCE = 1e-15;
    private static final int MAX_SWEEPS = 60;

    private final double[][] u;
    private final double[] s;
    private final double[][] v;

    private JacobiSvd(double[][] u, double[] s, double[][] v) {
        this.u = u;
        this.s = s;
        this.v = v;
    }

    /** The columns of U, each as long as M has rows. */
    double[][] u() {
        return u;
    }

    /** The singular values, in descending order. */
    double[] s() {
        return s;
    }

    /** The columns of V, each as long as M has columns. */
    double[][] v() {
        return v;
    }

    /** Decomposes a matrix given as one array a column; the arrays are overwritten. */
    static JacobiSvd of(double[][] columns) {
        int n = columns.length;
        double[][] v = new double[n][n];
        for (int i = 0; i < n; i++) {
            v[i][i] = 1;
        }
        boolean rotated = true;
        for (int sweep = 0; rotated && sweep < MAX_SWEEPS; sweep++) {
            rotated = false;
            for (int p = 0; p < n - 1; p++) {
                for (int q = p + 1; q < n; q++) {
                    rotated |= orthogonalise(columns, v, p, q);
                }
            }
        }
        return sorted(columns, v);
    }

    /** Turns two columns until they are orthogonal; returns whether they were not. */
    private static boolean orthogonalise(double[][] columns, double[][] v, int p, int q) {
        double pp = dot(columns[p], columns[p]);
        double qq = dot(columns[q], columns[q]);
        double pq = dot(columns[p], columns[q]);
        if (Math.abs(pq) <= TOLERANCE * Math.sqrt(pp) * Math.sqrt(qq)) {
            return false;
        }
        double zeta = (qq - pp) / (2 * pq);
        double tangent = Math.copySign(1, zeta) / (Math.abs(zeta) + Math.hypot(1, zeta));
        double cosine = 1 / Math.hypot(1, tangent);
        double sine = cosine * tangent;
        rotate(columns[p], columns[q], cosine, sine);
        rotate(v[p], v[q], cosine, sine);
        return true;
    }

    private static void rotate(double[] x, double[] y, double cosine, double sine) {
        for (int i = 0; i < x.length; i++) {
            double before = x[i];
            x[i] = cosine * before - sine * y[i];
            y[i] = sine * before + cosine * y[i];
        }
    }

    private static JacobiSvd sorted(double[][] columns, double[][] v) {
        int n = columns.length;
        double[] norms = new double[n];
        Integer[] order = new Integer[n];
        for (int i = 0; i < n; i++) {
            norms[i] = Math.sqrt(dot(columns[i], columns[i]));
            order[i] = i;
        }
        Arrays.sort(order, (i, j) -> Double.compare(norms[j], norms[i]));
        double[][] u = new double[n][];
        double[] s = new double[n];
        double[][] sortedV = new double[n][];
        for (int i = 0; i < n; i++) {
            int from = order[i];
            s[i] = norms[from];
            sortedV[i] = v[from];
            u[i] = columns[from];
            for (int row = 0; row < u[i].length && s[i] > 0; row++) {
                u[i][row] /= s[i];
            }
        }
        return new JacobiSvd(u, s, sortedV);
    }

    static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }
}
