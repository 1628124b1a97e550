package io.fairlora.metrics;

import java.io.Serializable;

/**
 * The four cells of a binary confusion matrix, as counts or sums of weights.
 *
 * @param truePositives label 1, prediction 1
 * @param falsePositives label 0, prediction 1
 * @param trueNegatives label 0, prediction 0
 * @param falseNegatives label 1, prediction 0
 */
public record BinaryConfusion(
        double truePositives, double falsePositives, double trueNegatives, double falseNegatives)
        implements Serializable {

    /**
     * Sum of the cells with label 1.
     *
     * @return TP + FN
     */
    public double positives() {
        return truePositives + falseNegatives;
    }

    /**
     * Sum of the cells with label 0.
     *
     * @return FP + TN
     */
    public double negatives() {
        return falsePositives + trueNegatives;
    }

    /**
     * Sum of the cells with prediction 1.
     *
     * @return TP + FP
     */
    public double predictedPositives() {
        return truePositives + falsePositives;
    }

    /**
     * Sum of the cells with prediction 0.
     *
     * @return TN + FN
     */
    public double predictedNegatives() {
        return trueNegatives + falseNegatives;
    }

    /**
     * Sum of the cells where label and prediction agree.
     *
     * @return TP + TN
     */
    public double correct() {
        return truePositives + trueNegatives;
    }

    /**
     * Sum of all cells.
     *
     * @return TP + FP + TN + FN
     */
    public double total() {
        return positives() + negatives();
    }
}
