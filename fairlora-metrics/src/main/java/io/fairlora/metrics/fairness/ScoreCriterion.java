package io.fairlora.metrics.fairness;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.ScoreMeasure;
import io.fairlora.metrics.ScoreSnapshot;
import java.util.List;

/** A demand that scores be equally good in all groups. */
public enum ScoreCriterion {
    /** Equal area under the ROC curve within each group (Borkan et al. 2019, "subgroup AUC"). */
    AUC_PARITY("roc_auc", ScoreMeasure.ROC_AUC, true),
    /** Equal expected calibration error (Pleiss et al. 2017, "On fairness and calibration"). */
    CALIBRATION_GAP("calibration", ScoreMeasure.EXPECTED_CALIBRATION_ERROR, false),
    /** Equal Brier score. */
    BRIER_PARITY("brier_score", ScoreMeasure.BRIER_SCORE, false),
    /** Equal mean score: demographic parity before the threshold. */
    MEAN_SCORE_PARITY("mean_score", ScoreMeasure.MEAN_SCORE, true);

    private final String key;
    private final ScoreMeasure measure;
    private final boolean lowIsWorse;

    ScoreCriterion(String key, ScoreMeasure measure, boolean lowIsWorse) {
        this.key = key;
        this.measure = measure;
        this.lowIsWorse = lowIsWorse;
    }

    /**
     * The name of the difference or ratio in JSON.
     *
     * @param contrast difference or ratio
     * @return such as {@code roc_auc_difference}
     */
    public String key(Contrast contrast) {
        return key + (contrast == Contrast.DIFFERENCE ? "_difference" : "_ratio");
    }

    /**
     * Measures how far the groups are from equal.
     *
     * @param snapshot scores by group
     * @param contrast difference or ratio
     * @param options what is compared to what, and what is left out
     * @return the figure and the groups that drive it
     * @throws IllegalStateException if a group's figure is undefined under {@link
     *     UndefinedPolicy#FAIL}
     */
    public Disparity measure(ScoreSnapshot snapshot, Contrast contrast, FairnessOptions options) {
        List<Group> groups = largeGroups(snapshot, options);
        List<Figure> figures =
                groups.stream().map(group -> snapshot.measure(measure, group)).toList();
        return new GroupComparison(measure.key(), lowIsWorse)
                .compare(groups, figures, snapshot.measure(measure), contrast, options);
    }

    static List<Group> largeGroups(ScoreSnapshot snapshot, FairnessOptions options) {
        return snapshot.groups().stream()
                .filter(group -> snapshot.count(group) >= options.minimumGroupSize())
                .toList();
    }
}
