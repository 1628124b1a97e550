package io.fairlora.metrics;

import com.google.errorprone.annotations.Immutable;

/**
 * A figure of one binary confusion matrix. Each is a quotient of sums of cells and undefined over a
 * zero denominator. Definitions follow Fawcett (2006), "An introduction to ROC analysis", section
 * 2, where not said otherwise.
 */
public enum Rate {
    /** (TP + FN) / n: the share of examples with label 1. */
    BASE_RATE("base_rate", BinaryConfusion::positives, BinaryConfusion::total, "no examples"),
    /** (TP + FP) / n: the share of examples predicted as 1. */
    SELECTION_RATE(
            "selection_rate",
            BinaryConfusion::predictedPositives,
            BinaryConfusion::total,
            "no examples"),
    /** TP / (TP + FN): sensitivity, recall. */
    TRUE_POSITIVE_RATE(
            "true_positive_rate",
            BinaryConfusion::truePositives,
            BinaryConfusion::positives,
            "no positives"),
    /** FP / (FP + TN): fall-out. */
    FALSE_POSITIVE_RATE(
            "false_positive_rate",
            BinaryConfusion::falsePositives,
            BinaryConfusion::negatives,
            "no negatives"),
    /** TN / (FP + TN): specificity. */
    TRUE_NEGATIVE_RATE(
            "true_negative_rate",
            BinaryConfusion::trueNegatives,
            BinaryConfusion::negatives,
            "no negatives"),
    /** FN / (TP + FN): miss rate. */
    FALSE_NEGATIVE_RATE(
            "false_negative_rate",
            BinaryConfusion::falseNegatives,
            BinaryConfusion::positives,
            "no positives"),
    /** TP / (TP + FP): positive predictive value. */
    PRECISION(
            "precision",
            BinaryConfusion::truePositives,
            BinaryConfusion::predictedPositives,
            "no predicted positives"),
    /** TN / (TN + FN). */
    NEGATIVE_PREDICTIVE_VALUE(
            "negative_predictive_value",
            BinaryConfusion::trueNegatives,
            BinaryConfusion::predictedNegatives,
            "no predicted negatives"),
    /** FP / (TP + FP) = 1 - precision. */
    FALSE_DISCOVERY_RATE(
            "false_discovery_rate",
            BinaryConfusion::falsePositives,
            BinaryConfusion::predictedPositives,
            "no predicted positives"),
    /** FN / (TN + FN) = 1 - negative predictive value. */
    FALSE_OMISSION_RATE(
            "false_omission_rate",
            BinaryConfusion::falseNegatives,
            BinaryConfusion::predictedNegatives,
            "no predicted negatives"),
    /** (TP + TN) / n. */
    ACCURACY("accuracy", BinaryConfusion::correct, BinaryConfusion::total, "no examples"),
    /**
     * (TPR + TNR) / 2 = (TP N + TN P) / (2 P N); undefined unless there are positives and negatives
     * (Brodersen et al. 2010, "The balanced accuracy and its posterior distribution").
     */
    BALANCED_ACCURACY(
            "balanced_accuracy",
            c -> c.truePositives() * c.negatives() + c.trueNegatives() * c.positives(),
            c -> 2 * c.positives() * c.negatives(),
            "no positives or no negatives"),
    /** 2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall. */
    F1(
            "f1",
            c -> 2 * c.truePositives(),
            c -> c.positives() + c.predictedPositives(),
            "no positives and no predicted positives"),
    /** FN / FP: the ratio of Berk et al. (2021), treatment equality; may exceed 1. */
    FALSE_NEGATIVE_POSITIVE_RATIO(
            "false_negative_positive_ratio",
            BinaryConfusion::falseNegatives,
            BinaryConfusion::falsePositives,
            "no false positives");

    private final String key;
    private final Sum numerator;
    private final Sum denominator;
    private final String undefined;

    @Immutable
    @FunctionalInterface
    private interface Sum {
        double of(BinaryConfusion cells);
    }

    Rate(String key, Sum numerator, Sum denominator, String undefined) {
        this.key = key;
        this.numerator = numerator;
        this.denominator = denominator;
        this.undefined = undefined;
    }

    /**
     * The name in JSON: Fairlearn's or scikit-learn's where they have one.
     *
     * @return a lower-case name with underscores
     */
    public String key() {
        return key;
    }

    /**
     * Computes the rate.
     *
     * @param cells a confusion matrix
     * @return the rate, in [0, 1] except for {@link #FALSE_NEGATIVE_POSITIVE_RATIO}
     */
    public Figure of(BinaryConfusion cells) {
        return Figure.quotient(numerator.of(cells), denominator.of(cells), undefined);
    }

    /**
     * Whether the rate is a share of examples, so that binomial intervals apply.
     *
     * @return false for balanced accuracy, F1 and the ratio of errors
     */
    public boolean isProportion() {
        return switch (this) {
            case BALANCED_ACCURACY, F1, FALSE_NEGATIVE_POSITIVE_RATIO -> false;
            default -> true;
        };
    }

    /**
     * The sum of the examples that count.
     *
     * @param cells a confusion matrix
     * @return the numerator
     * @throws IllegalStateException if this is no proportion
     */
    public double numerator(BinaryConfusion cells) {
        checkProportion();
        return numerator.of(cells);
    }

    /**
     * The sum over which the share is taken.
     *
     * @param cells a confusion matrix
     * @return the denominator
     * @throws IllegalStateException if this is no proportion
     */
    public double denominator(BinaryConfusion cells) {
        checkProportion();
        return denominator.of(cells);
    }

    private void checkProportion() {
        if (!isProportion()) {
            throw new IllegalStateException(key + " is not a proportion of examples");
        }
    }
}
