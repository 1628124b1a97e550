package io.fairlora.metrics;

/** Bins (a, b] of equal width over [0, 1]; the first holds 0 too. */
final class UnitBins {

    private UnitBins() {}

    /** The bin of a score in [0, 1], as scikit-learn's calibration_curve has it. */
    static int index(double score, int bins) {
        int index = Math.min(bins - 1, Math.max(0, (int) Math.ceil(score * bins) - 1));
        while (index > 0 && score <= edge(index, bins)) {
            index--;
        }
        while (index < bins - 1 && score > edge(index + 1, bins)) {
            index++;
        }
        return index;
    }

    /** The edge between two bins, rounded right, so that coarse edges are fine edges too. */
    private static double edge(int k, int bins) {
        return (double) k / bins;
    }
}
