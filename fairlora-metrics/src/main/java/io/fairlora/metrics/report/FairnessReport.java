package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import java.util.List;
import java.util.Map;

/**
 * The result of an audit: aggregate figures with their uncertainty, and nothing about a single
 * example. An immutable value; {@link TextRenderer}, {@link MarkdownRenderer} and {@link
 * JsonFormat} turn it into text.
 *
 * @param provenance what was audited, when, with which version and settings
 * @param count the examples audited
 * @param overall figures over everybody, by name
 * @param byGroup the groups in order, those too small included as suppressed
 * @param metrics comparisons of groups and measures of inequality, by name
 * @param extras figures from elsewhere, by name, such as {@code linear_probe_accuracy}
 * @param curves ROC and calibration by group, where scores were audited
 * @param notes what a reader must know to read the figures right
 */
public record FairnessReport(
        Provenance provenance,
        long count,
        Map<String, Estimate> overall,
        List<GroupFigures> byGroup,
        Map<String, Estimate> metrics,
        Map<String, Estimate> extras,
        List<GroupCurves> curves,
        List<String> notes) {

    /** Copies the lists and maps. */
    public FairnessReport {
        overall = ImmutableMap.copyOf(overall);
        byGroup = ImmutableList.copyOf(byGroup);
        metrics = ImmutableMap.copyOf(metrics);
        extras = ImmutableMap.copyOf(extras);
        curves = ImmutableList.copyOf(curves);
        notes = ImmutableList.copyOf(notes);
    }

    /**
     * Audits predictions under the default settings.
     *
     * @param snapshot predictions counted by group
     * @return the report
     */
    public static FairnessReport of(ConfusionSnapshot snapshot) {
        return FairnessAudit.of(snapshot).report();
    }

    /**
     * A comparison of groups or a measure of inequality.
     *
     * @param name such as {@code equal_opportunity_difference}
     * @return its figure
     * @throws IllegalArgumentException if the report has no such figure
     */
    public Figure metric(String name) {
        return figure(metrics, name);
    }

    /**
     * A figure over everybody.
     *
     * @param name such as {@code accuracy}
     * @return the figure
     * @throws IllegalArgumentException if the report has no such figure
     */
    public Figure overall(String name) {
        return figure(overall, name);
    }

    /**
     * A figure from elsewhere.
     *
     * @param name such as {@code linear_probe_accuracy}
     * @return the figure
     * @throws IllegalArgumentException if the report has no such figure
     */
    public Figure extra(String name) {
        return figure(extras, name);
    }

    private static Figure figure(Map<String, Estimate> figures, String name) {
        Estimate estimate = figures.get(name);
        if (estimate == null) {
            throw new IllegalArgumentException(
                    "the report has no figure " + name + ", expected one of " + figures.keySet());
        }
        return estimate.figure();
    }

    /**
     * The report as an aligned table.
     *
     * @return what {@link TextRenderer#render} returns
     */
    @Override
    public String toString() {
        return TextRenderer.render(this);
    }
}
