package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableList;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.RocPoint;
import java.util.List;

/**
 * The curves of one group's scores.
 *
 * @param group the group
 * @param roc its ROC curve from (0, 0) to (1, 1), thinned to about a hundred points; empty without
 *     positives or negatives
 * @param calibration its reliability diagram, by increasing score
 */
public record GroupCurves(Group group, List<RocPoint> roc, List<CalibrationPoint> calibration) {

    /**
     * A bin of a reliability diagram.
     *
     * @param meanScore mean score of its examples
     * @param observed share of positives among them, with its interval
     * @param count their number
     */
    public record CalibrationPoint(double meanScore, Estimate observed, long count) {}

    /** Copies the lists. */
    public GroupCurves {
        roc = ImmutableList.copyOf(roc);
        calibration = ImmutableList.copyOf(calibration);
    }
}
