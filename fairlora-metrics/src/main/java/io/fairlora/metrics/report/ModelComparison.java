package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableMap;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.PairedSnapshot;
import io.fairlora.metrics.Rate;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.fairness.GroupFairness;
import io.fairlora.metrics.interval.BootstrapMethod;
import io.fairlora.metrics.interval.Holm;
import io.fairlora.metrics.interval.McNemar;
import io.fairlora.metrics.interval.PoissonBootstrap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Two models on the same examples. The examples are resampled once for both models, so that what
 * they have in common cancels and small changes show.
 *
 * @param changes second model minus first, by the name of the figure, with bootstrap intervals
 * @param mcNemar exact p-values of "both err equally often", by group of sufficient size, with
 *     Holm's correction over the groups
 */
public record ModelComparison(Map<String, Estimate> changes, Map<Group, Double> mcNemar) {

    /** Copies the maps. */
    public ModelComparison {
        changes = ImmutableMap.copyOf(changes);
        mcNemar = ImmutableMap.copyOf(mcNemar);
    }

    /**
     * Compares two models.
     *
     * @param snapshot the predictions of both, counted by group
     * @param options how groups are compared
     * @param confidence the level of the intervals, in (0, 1)
     * @param replicates of the bootstrap, 1 or more; 1,000 is usual
     * @param seed where the random numbers start
     * @return the changes of accuracy, balanced accuracy, worst-group accuracy and of all
     *     differences and ratios
     * @throws IllegalArgumentException if a number is out of range
     */
    public static ModelComparison of(
            PairedSnapshot snapshot,
            FairnessOptions options,
            double confidence,
            int replicates,
            long seed) {
        Map<String, Function<ConfusionSnapshot, Figure>> figures = new LinkedHashMap<>();
        figures.put("accuracy", s -> s.rate(Rate.ACCURACY));
        figures.put("balanced_accuracy", s -> s.rate(Rate.BALANCED_ACCURACY));
        figures.put("worst_group_accuracy", s -> GroupFairness.worstAccuracy(s, options).figure());
        for (Criterion criterion : Criterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                figures.put(
                        criterion.key(contrast),
                        s -> criterion.measure(s, contrast, options).figure());
            }
        }
        PoissonBootstrap<PairedSnapshot> bootstrap =
                PoissonBootstrap.of(snapshot, replicates, seed);
        Map<String, Estimate> changes = new LinkedHashMap<>();
        figures.forEach(
                (name, figure) ->
                        changes.put(
                                name,
                                Estimate.of(
                                        snapshot.change(figure),
                                        bootstrap.interval(
                                                s -> s.change(figure),
                                                confidence,
                                                BootstrapMethod.BCA))));
        ConfusionSnapshot first = snapshot.first();
        List<Group> groups =
                snapshot.groups().stream()
                        .filter(g -> first.count(g) >= options.minimumGroupSize())
                        .toList();
        double[] adjusted =
                Holm.adjust(groups.stream().mapToDouble(g -> McNemar.test(snapshot, g)).toArray());
        Map<Group, Double> mcNemar = new LinkedHashMap<>();
        for (int i = 0; i < adjusted.length; i++) {
            mcNemar.put(groups.get(i), adjusted[i]);
        }
        return new ModelComparison(changes, mcNemar);
    }
}
