package io.fairlora.metrics.fairness;

import com.google.common.collect.ImmutableList;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import java.util.ArrayList;
import java.util.List;

/**
 * Compares one figure of several groups.
 *
 * @param name the figure's name, for reasons and notes
 * @param lowIsWorse whether the group with the lower figure is the worse off
 */
record GroupComparison(String name, boolean lowIsWorse) {

    /**
     * Compares the figures of the groups that are large enough.
     *
     * @param groups the groups
     * @param figures a figure for each group
     * @param overall the same figure over everybody
     */
    Disparity compare(
            List<Group> groups,
            List<Figure> figures,
            Figure overall,
            Contrast contrast,
            FairnessOptions options) {
        ImmutableList.Builder<String> skipped = ImmutableList.builder();
        int n = groups.size();
        int low = -1;
        int high = -1;
        int defined = 0;
        for (int i = 0; i < n; i++) {
            Figure figure = figures.get(i);
            if (!figure.isDefined()) {
                String reason =
                        name + ": " + figure.reason().orElse("") + " in group " + groups.get(i);
                switch (options.undefined()) {
                    case SKIP -> skipped.add("skipped " + groups.get(i) + " in " + reason);
                    case PROPAGATE -> {
                        return Disparity.undefined(reason, ImmutableList.of());
                    }
                    case FAIL -> throw new IllegalStateException("undefined " + reason);
                }
                continue;
            }
            defined++;
            low = low < 0 || figure.value() < figures.get(low).value() ? i : low;
            high = high < 0 || figure.value() > figures.get(high).value() ? i : high;
        }
        ImmutableList<String> notes = skipped.build();
        if (options.comparison() instanceof Comparison.ToOverall) {
            return toOverall(groups, figures, overall, contrast, notes);
        }
        if (options.comparison() instanceof Comparison.ToReference reference) {
            return toReference(groups, figures, reference.group(), contrast, notes);
        }
        if (defined < 2) {
            return Disparity.undefined(
                    "fewer than two groups of sufficient size with a defined " + name, notes);
        }
        double min = figures.get(low).value();
        double max = figures.get(high).value();
        if (contrast == Contrast.RATIO && max == 0) {
            return Disparity.undefined(name + " is 0 in every group", notes);
        }
        double value = contrast == Contrast.DIFFERENCE ? max - min : min / max;
        Group lowest = groups.get(low);
        Group highest = groups.get(low == high ? (low + 1) % n : high);
        return new Disparity(
                Figure.of(value),
                lowIsWorse ? List.of(lowest, highest) : List.of(highest, lowest),
                notes);
    }

    private Disparity toOverall(
            List<Group> groups,
            List<Figure> figures,
            Figure overall,
            Contrast contrast,
            List<String> notes) {
        if (!overall.isDefined()) {
            return Disparity.undefined(
                    name + ": " + overall.reason().orElse("") + " overall", notes);
        }
        if (contrast == Contrast.RATIO && overall.value() == 0) {
            return Disparity.undefined("overall " + name + " is 0", notes);
        }
        int worst = furthest(figures, overall.value(), contrast);
        if (worst < 0) {
            return Disparity.undefined("no group of sufficient size with a defined " + name, notes);
        }
        double distance = distance(figures.get(worst).value(), overall.value(), contrast);
        return new Disparity(
                Figure.of(contrast == Contrast.DIFFERENCE ? distance : 1 - distance),
                List.of(groups.get(worst)),
                notes);
    }

    private Disparity toReference(
            List<Group> groups,
            List<Figure> figures,
            Group reference,
            Contrast contrast,
            List<String> notes) {
        int index = groups.indexOf(reference);
        if (index < 0 || !figures.get(index).isDefined()) {
            return Disparity.undefined(
                    "reference group "
                            + reference
                            + (index < 0 ? " is absent or too small" : " has no defined " + name),
                    notes);
        }
        double base = figures.get(index).value();
        if (contrast == Contrast.RATIO && base == 0) {
            return Disparity.undefined(name + " of reference group " + reference + " is 0", notes);
        }
        List<Figure> others = new ArrayList<>(figures);
        others.set(index, Figure.undefined("reference"));
        int worst = furthest(others, base, contrast);
        if (worst < 0) {
            return Disparity.undefined(
                    "no group to compare to reference group " + reference, notes);
        }
        double value = figures.get(worst).value();
        return new Disparity(
                Figure.of(contrast == Contrast.DIFFERENCE ? value - base : value / base),
                List.of(groups.get(worst), reference),
                notes);
    }

    /** The position of the figure furthest from the base, -1 if none is defined. */
    private static int furthest(List<Figure> figures, double base, Contrast contrast) {
        int worst = -1;
        double largest = -1;
        for (int i = 0; i < figures.size(); i++) {
            if (figures.get(i).isDefined()) {
                double distance = distance(figures.get(i).value(), base, contrast);
                if (distance > largest) {
                    largest = distance;
                    worst = i;
                }
            }
        }
        return worst;
    }

    /** |a - b|, or 1 - min(a / b, b / a). */
    private static double distance(double a, double b, Contrast contrast) {
        if (contrast == Contrast.DIFFERENCE) {
            return Math.abs(a - b);
        }
        return 1 - Math.min(a / b, b / a);
    }
}
