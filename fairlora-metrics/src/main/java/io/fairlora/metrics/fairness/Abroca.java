package io.fairlora.metrics.fairness;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.RocPoint;
import io.fairlora.metrics.ScoreSnapshot;
import java.util.ArrayList;
import java.util.List;

/**
 * Absolute between-ROC area: the integral over the false positive rate of |ROC_a - ROC_b| (Gardner,
 * Brooks and Baker 2019, "Evaluating the fairness of predictive student models through slicing
 * analysis"). It sees curves that cross, whose areas may be equal. The curves are linear between
 * their points, and the integral is exact.
 */
public final class Abroca {

    private Abroca() {}

    /**
     * The area between the curves of two groups.
     *
     * @param snapshot scores by group
     * @param a one group
     * @param b another group
     * @return the area, in [0, 1]; undefined if a group lacks positives or negatives
     * @throws IllegalArgumentException if a group is unknown
     */
    public static Figure between(ScoreSnapshot snapshot, Group a, Group b) {
        List<RocPoint> first = snapshot.roc(a);
        List<RocPoint> second = snapshot.roc(b);
        if (first.isEmpty() || second.isEmpty()) {
            return Figure.undefined(
                    "no positives or no negatives in group " + (first.isEmpty() ? a : b));
        }
        return Figure.of(area(first, second));
    }

    /**
     * The largest area between the curves of two groups, or of any group and the reference group
     * where the options name one. A comparison to everybody is taken as one between groups.
     *
     * @param snapshot scores by group
     * @param options what is left out
     * @return the area and the two groups
     * @throws IllegalStateException if a curve is undefined under {@link UndefinedPolicy#FAIL}
     */
    public static Disparity measure(ScoreSnapshot snapshot, FairnessOptions options) {
        List<String> notes = new ArrayList<>();
        List<Group> groups = new ArrayList<>();
        List<List<RocPoint>> curves = new ArrayList<>();
        for (Group group : ScoreCriterion.largeGroups(snapshot, options)) {
            List<RocPoint> curve = snapshot.roc(group);
            if (!curve.isEmpty()) {
                groups.add(group);
                curves.add(curve);
                continue;
            }
            String reason = "ROC curve: no positives or no negatives in group " + group;
            switch (options.undefined()) {
                case SKIP -> notes.add("skipped " + group + " in " + reason);
                case PROPAGATE -> {
                    return Disparity.undefined(reason, List.of());
                }
                case FAIL -> throw new IllegalStateException("undefined " + reason);
            }
        }
        int reference =
                options.comparison() instanceof Comparison.ToReference r
                        ? groups.indexOf(r.group())
                        : -1;
        if (groups.size() < 2
                || (reference < 0 && options.comparison() instanceof Comparison.ToReference)) {
            return Disparity.undefined(
                    "fewer than two groups of sufficient size with a ROC curve", notes);
        }
        double largest = -1;
        List<Group> pair = List.of();
        for (int i = 0; i < groups.size(); i++) {
            for (int j = 0; j < i; j++) {
                if (reference < 0 || i == reference || j == reference) {
                    double area = area(curves.get(i), curves.get(j));
                    if (area > largest) {
                        largest = area;
                        pair = List.of(groups.get(i), groups.get(j));
                    }
                }
            }
        }
        return new Disparity(Figure.of(largest), pair, notes);
    }

    private static double area(List<RocPoint> a, List<RocPoint> b) {
        double area = 0;
        double x = 0;
        int i = 0;
        int j = 0;
        while (x < 1) {
            // Past vertical pieces: the last point at or left of x begins the next segment.
            while (a.get(i + 1).falsePositiveRate() <= x) {
                i++;
            }
            while (b.get(j + 1).falsePositiveRate() <= x) {
                j++;
            }
            double next =
                    Math.min(a.get(i + 1).falsePositiveRate(), b.get(j + 1).falsePositiveRate());
            double left = height(a, i, x) - height(b, j, x);
            double right = height(a, i, next) - height(b, j, next);
            double width = next - x;
            if (left * right >= 0) {
                area += width * (Math.abs(left) + Math.abs(right)) / 2;
            } else {
                double sum = Math.abs(left) + Math.abs(right);
                area += width * (left * left + right * right) / (2 * sum);
            }
            x = next;
        }
        return area;
    }

    private static double height(List<RocPoint> curve, int segment, double x) {
        RocPoint from = curve.get(segment);
        RocPoint to = curve.get(segment + 1);
        double share =
                (x - from.falsePositiveRate())
                        / (to.falsePositiveRate() - from.falsePositiveRate());
        return from.truePositiveRate() + share * (to.truePositiveRate() - from.truePositiveRate());
    }
}
