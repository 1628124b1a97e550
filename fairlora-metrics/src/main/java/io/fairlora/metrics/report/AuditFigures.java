package io.fairlora.metrics.report;

import io.fairlora.metrics.BinaryConfusion;
import io.fairlora.metrics.CalibrationBin;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.Rate;
import io.fairlora.metrics.Resamplable;
import io.fairlora.metrics.RocPoint;
import io.fairlora.metrics.ScoreMeasure;
import io.fairlora.metrics.ScoreSnapshot;
import io.fairlora.metrics.fairness.Abroca;
import io.fairlora.metrics.fairness.Comparison;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.Disparity;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.fairness.GroupFairness;
import io.fairlora.metrics.fairness.Inequality;
import io.fairlora.metrics.fairness.ScoreCriterion;
import io.fairlora.metrics.interval.BootstrapDistribution;
import io.fairlora.metrics.interval.BootstrapMethod;
import io.fairlora.metrics.interval.GapTest;
import io.fairlora.metrics.interval.Interval;
import io.fairlora.metrics.interval.PoissonBootstrap;
import io.fairlora.metrics.interval.ProportionIntervals;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Computes the figures of a report under given settings.
 *
 * @param replicates of the bootstrap and permutations of the tests; 0 for none
 */
record AuditFigures(
        FairnessOptions options,
        double confidence,
        BootstrapMethod method,
        int replicates,
        long seed) {
    private static final List<Rate> RATES =
            List.of(
                    Rate.BASE_RATE,
                    Rate.SELECTION_RATE,
                    Rate.TRUE_POSITIVE_RATE,
                    Rate.FALSE_POSITIVE_RATE,
                    Rate.TRUE_NEGATIVE_RATE,
                    Rate.FALSE_NEGATIVE_RATE,
                    Rate.PRECISION,
                    Rate.NEGATIVE_PREDICTIVE_VALUE,
                    Rate.FALSE_DISCOVERY_RATE,
                    Rate.FALSE_OMISSION_RATE,
                    Rate.ACCURACY,
                    Rate.BALANCED_ACCURACY,
                    Rate.F1);

    /** Scores are joined to about so many steps before they are resampled. */
    private static final int RESAMPLED_POINTS = 600;

    private static final int ROC_POINTS = 100;

    private static final double GEI_ALPHA = 2;

    Map<String, Estimate> rates(ConfusionSnapshot snapshot, Optional<Group> group) {
        Map<String, Estimate> figures = new LinkedHashMap<>();
        for (Rate rate : RATES) {
            Figure figure = group.map(g -> snapshot.rate(rate, g)).orElse(snapshot.rate(rate));
            figures.put(rate.key(), Estimate.of(figure, wilson(snapshot, rate, figure, group)));
        }
        return figures;
    }

    /** Wilson's interval over Kish's effective number of examples (sum w)^2 / sum w^2. */
    private Optional<Interval> wilson(
            ConfusionSnapshot snapshot, Rate rate, Figure figure, Optional<Group> group) {
        if (!figure.isDefined() || !rate.isProportion() || !snapshot.isBinary()) {
            return Optional.empty();
        }
        BinaryConfusion cells =
                group.map(snapshot::confusion).orElseGet(snapshot::overallConfusion);
        BinaryConfusion squares =
                group.map(snapshot::squaredConfusion).orElseGet(snapshot::overallSquaredConfusion);
        double sum = rate.denominator(cells);
        double trials = sum * sum / rate.denominator(squares);
        return Optional.of(
                ProportionIntervals.wilson(
                        Math.min(1, figure.value()) * trials, trials, confidence));
    }

    Map<String, Estimate> measures(Scores scores, Optional<Group> group) {
        Map<String, Estimate> figures = new LinkedHashMap<>();
        for (ScoreMeasure measure : ScoreMeasure.values()) {
            Function<ScoreSnapshot, Figure> figure =
                    s -> group.map(g -> s.measure(measure, g)).orElseGet(() -> s.measure(measure));
            figures.put(
                    measure.key(),
                    Estimate.of(
                            figure.apply(scores.snapshot()),
                            scores.bootstrap()
                                    .flatMap(b -> b.interval(figure, confidence, method))));
        }
        return figures;
    }

    /**
     * Scores and their replicates.
     *
     * @param snapshot as audited
     * @param bootstrap replicates of the same scores, joined to fewer steps
     */
    record Scores(ScoreSnapshot snapshot, Optional<PoissonBootstrap<ScoreSnapshot>> bootstrap) {}

    Scores resampled(ScoreSnapshot snapshot) {
        int perGroup = Math.max(30, RESAMPLED_POINTS / Math.max(1, snapshot.groups().size()));
        return new Scores(snapshot, bootstrap(snapshot.coarsened(perGroup)));
    }

    private <S extends Resamplable<S>> Optional<PoissonBootstrap<S>> bootstrap(S snapshot) {
        return replicates == 0
                ? Optional.empty()
                : Optional.of(PoissonBootstrap.of(snapshot, replicates, seed));
    }

    Map<String, Estimate> metrics(ConfusionSnapshot snapshot) {
        Map<String, Function<ConfusionSnapshot, Disparity>> statistics = new LinkedHashMap<>();
        for (Criterion criterion : Criterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                statistics.put(
                        criterion.key(contrast), s -> criterion.measure(s, contrast, options));
            }
        }
        statistics.put("worst_group_accuracy", s -> GroupFairness.worstAccuracy(s, options));
        statistics.put(
                "differential_fairness", s -> GroupFairness.differentialFairness(s, 1, options));
        if (snapshot.isBinary()) {
            statistics.put(
                    "average_predictive_value_difference",
                    s -> GroupFairness.averagePredictiveValueDifference(s, options));
            statistics.put(
                    "generalized_entropy_index",
                    s -> alone(Inequality.generalizedEntropy(s, GEI_ALPHA)));
            statistics.put("theil_index", s -> alone(Inequality.theil(s)));
            statistics.put(
                    "coefficient_of_variation", s -> alone(Inequality.coefficientOfVariation(s)));
            statistics.put(
                    "between_group_generalized_entropy_index",
                    s -> alone(Inequality.betweenGroups(s, GEI_ALPHA)));
        }
        Map<String, GapTest> tests = tests(snapshot);
        return estimates(snapshot, bootstrap(snapshot), statistics, tests);
    }

    Map<String, Estimate> metrics(Scores scores) {
        Map<String, Function<ScoreSnapshot, Disparity>> statistics = new LinkedHashMap<>();
        for (ScoreCriterion criterion : ScoreCriterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                statistics.put(
                        criterion.key(contrast), s -> criterion.measure(s, contrast, options));
            }
        }
        statistics.put("abroca", s -> Abroca.measure(s, options));
        statistics.put("worst_group_loss", s -> GroupFairness.worstLoss(s, options));
        return estimates(scores.snapshot(), scores.bootstrap(), statistics, Map.of());
    }

    private static Disparity alone(Figure figure) {
        return new Disparity(figure, List.of(), List.of());
    }

    private <S extends Resamplable<S>> Map<String, Estimate> estimates(
            S snapshot,
            Optional<PoissonBootstrap<S>> bootstrap,
            Map<String, Function<S, Disparity>> statistics,
            Map<String, GapTest> tests) {
        Map<String, Estimate> estimates = new LinkedHashMap<>();
        statistics.forEach(
                (name, statistic) -> {
                    Disparity disparity = statistic.apply(snapshot);
                    Optional<BootstrapDistribution<S>> distribution =
                            disparity.figure().isDefined()
                                    ? bootstrap.map(
                                            b -> b.distribution(s -> statistic.apply(s).figure()))
                                    : Optional.empty();
                    estimates.put(
                            name,
                            new Estimate(
                                    disparity.figure(),
                                    distribution.flatMap(d -> d.interval(confidence, method)),
                                    disparity.groups(),
                                    disparity.notes(),
                                    distribution.flatMap(d -> significance(d, tests.get(name)))));
                });
        return estimates;
    }

    private static Optional<Significance> significance(
            BootstrapDistribution<?> distribution, @Nullable GapTest test) {
        Figure corrected = distribution.biasCorrected();
        return test == null || !corrected.isDefined()
                ? Optional.empty()
                : Optional.of(
                        new Significance(
                                test.pValue(),
                                test.exact(),
                                test.expectedGap(),
                                corrected.value()));
    }

    /** Tests of the differences between groups; the tests know no weights. */
    private Map<String, GapTest> tests(ConfusionSnapshot snapshot) {
        Map<String, GapTest> tests = new LinkedHashMap<>();
        if (replicates > 0
                && !snapshot.isWeighted()
                && options.comparison() instanceof Comparison.BetweenGroups) {
            for (Criterion criterion : Criterion.values()) {
                GroupFairness.permutationTest(criterion, snapshot, options, replicates, seed)
                        .ifPresent(t -> tests.put(criterion.key(Contrast.DIFFERENCE), t));
            }
        }
        return tests;
    }

    /** What the four-fifths rule and the tests of single groups say. */
    List<String> findings(ConfusionSnapshot snapshot) {
        List<String> notes = new ArrayList<>();
        GroupFairness.meetsFourFifths(snapshot, options)
                .ifPresent(
                        met ->
                                notes.add(
                                        "four-fifths rule (ratio of selection rates at least 0.8): "
                                                + (met ? "met" : "not met")));
        if (replicates == 0 || !snapshot.isBinary()) {
            return notes;
        }
        List<Rate> tested =
                List.of(Rate.SELECTION_RATE, Rate.TRUE_POSITIVE_RATE, Rate.FALSE_POSITIVE_RATE);
        for (Rate rate : tested) {
            Map<Group, Double> values =
                    GroupFairness.groupsAgainstRest(rate, snapshot, options, replicates, seed);
            values.forEach(
                    (group, p) -> {
                        if (values.size() > 2 && p <= 1 - confidence) {
                            notes.add(
                                    String.format(
                                            Locale.ROOT,
                                            "%s of %s differs from that of all others: p = %.2g"
                                                    + " after Holm's correction over %d groups",
                                            rate.key(),
                                            group,
                                            p,
                                            values.size()));
                        }
                    });
        }
        return notes;
    }

    List<GroupCurves> curves(ScoreSnapshot snapshot) {
        List<GroupCurves> curves = new ArrayList<>();
        for (Group group : snapshot.groups()) {
            if (snapshot.count(group) >= options.minimumGroupSize()) {
                List<GroupCurves.CalibrationPoint> calibration = new ArrayList<>();
                for (CalibrationBin bin : snapshot.calibration(group)) {
                    if (bin.count() >= options.minimumGroupSize()) {
                        calibration.add(point(bin));
                    }
                }
                curves.add(new GroupCurves(group, thinned(snapshot.roc(group)), calibration));
            }
        }
        return curves;
    }

    private GroupCurves.CalibrationPoint point(CalibrationBin bin) {
        Interval interval =
                ProportionIntervals.wilson(
                        bin.observed() * bin.effectiveCount(), bin.effectiveCount(), confidence);
        return new GroupCurves.CalibrationPoint(
                bin.meanScore(),
                Estimate.of(Figure.of(bin.observed()), Optional.of(interval)),
                bin.count());
    }

    /** Keeps points that are about a hundredth of the way apart, and both ends. */
    private static List<RocPoint> thinned(List<RocPoint> curve) {
        List<RocPoint> kept = new ArrayList<>();
        double last = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < curve.size(); i++) {
            RocPoint point = curve.get(i);
            double way = point.falsePositiveRate() + point.truePositiveRate();
            if (i == 0 || i == curve.size() - 1 || way - last >= 2.0 / ROC_POINTS) {
                kept.add(point);
                last = way;
            }
        }
        return kept;
    }
}
