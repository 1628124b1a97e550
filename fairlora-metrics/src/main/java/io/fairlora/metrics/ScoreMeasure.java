package io.fairlora.metrics;

/** A figure of scores against binary labels. */
public enum ScoreMeasure {
    /**
     * Area under the ROC curve: P(s+ &gt; s-) + P(s+ = s-) / 2 over pairs of a positive and a
     * negative (Hanley and McNeil 1982). Undefined without both.
     */
    ROC_AUC("roc_auc", false),
    /** Mean of (s - y)^2 (Brier 1950, "Verification of forecasts expressed as probability"). */
    BRIER_SCORE("brier_score", true),
    /**
     * Expected calibration error: over 15 bins (a, b] of equal width, the mean of |observed share -
     * mean score| weighted by bin size (Naeini et al. 2015; bins as in Guo et al. 2017, "On
     * calibration of modern neural networks").
     */
    EXPECTED_CALIBRATION_ERROR("expected_calibration_error", true),
    /**
     * Mean of -ln s over positives and of -ln(1 - s) over negatives, s kept 2.2e-16 off 0 and 1.
     */
    LOG_LOSS("log_loss", true),
    /** Mean of s. */
    MEAN_SCORE("mean_score", false);

    private final String key;
    private final boolean probability;

    ScoreMeasure(String key, boolean probability) {
        this.key = key;
        this.probability = probability;
    }

    /**
     * The name in JSON: scikit-learn's where it has one.
     *
     * @return a lower-case name with underscores
     */
    public String key() {
        return key;
    }

    /**
     * Whether the scores must be probabilities.
     *
     * @return true if the measure is undefined for scores outside [0, 1]
     */
    public boolean needsProbabilities() {
        return probability;
    }
}
