package io.fairlora.examples.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.statistics.distribution.TDistribution;

/**
 * One strategy over all seeds.
 *
 * @param strategy its name
 * @param metrics mean and interval by name
 * @param vsErm the paired differences to ERM, by the same names
 * @param vsRefit the paired differences to ERM with its head fitted anew, by the same names
 * @param coin what ERM's gaps become if a coin replaces predictions at random until its balanced
 *     accuracy is no better than this strategy's
 * @param crossed what went over the boundary with the first seed
 */
public record Summary(
        String strategy,
        Map<String, Interval> metrics,
        Map<String, Interval> vsErm,
        Map<String, Interval> vsRefit,
        Map<String, Double> coin,
        Outcome.Crossed crossed) {

    private static final double CONFIDENCE = 0.95;
    private static final List<String> GAPS =
            List.of(
                    "demographic_parity_difference",
                    "equal_opportunity_difference",
                    "equalized_odds_difference",
                    "false_positive_rate_difference");

    /**
     * A mean over seeds with Student's interval of 95 %.
     *
     * @param mean the mean
     * @param low the lower end; not a number for a single seed
     * @param high the upper end; not a number for a single seed
     */
    public record Interval(double mean, double low, double high) {

        static Interval of(double[] values) {
            int n = values.length;
            double mean = 0;
            for (double value : values) {
                mean += value / n;
            }
            if (n < 2) {
                return new Interval(mean, Double.NaN, Double.NaN);
            }
            double squares = 0;
            for (double value : values) {
                squares += (value - mean) * (value - mean);
            }
            double half =
                    TDistribution.of(n - 1.0).inverseCumulativeProbability((1 + CONFIDENCE) / 2)
                            * Math.sqrt(squares / (n - 1) / n);
            return new Interval(mean, mean - half, mean + half);
        }
    }

    /**
     * Summarises outcomes.
     *
     * @param outcomes all of them; every strategy has the same seeds
     * @param classes the number of classes of the task, for the coin
     * @return one summary a strategy, in the order of their first outcomes
     */
    public static List<Summary> of(List<Outcome> outcomes, int classes) {
        Map<String, Map<Long, Outcome>> byStrategy = new LinkedHashMap<>();
        for (Outcome outcome : outcomes) {
            byStrategy
                    .computeIfAbsent(outcome.strategy(), name -> new LinkedHashMap<>())
                    .put(outcome.seed(), outcome);
        }
        Map<Long, Outcome> erm = byStrategy.getOrDefault("ERM", Map.of());
        Map<Long, Outcome> refit = byStrategy.getOrDefault(SeedRun.REFIT, Map.of());
        List<Summary> summaries = new ArrayList<>();
        byStrategy.forEach(
                (name, bySeed) -> {
                    List<Outcome> own = List.copyOf(bySeed.values());
                    Map<String, Interval> metrics = new LinkedHashMap<>();
                    for (String metric : own.get(0).metrics().keySet()) {
                        metrics.put(metric, Interval.of(values(own, metric)));
                    }
                    summaries.add(
                            new Summary(
                                    name,
                                    metrics,
                                    name.equals("ERM") ? Map.of() : differences(own, erm),
                                    name.equals("ERM") || name.equals(SeedRun.REFIT)
                                            ? Map.of()
                                            : differences(own, refit),
                                    erm.isEmpty() ? Map.of() : coin(own, erm, classes),
                                    own.get(0).crossed()));
                });
        return summaries;
    }

    /**
     * One figure.
     *
     * @param name such as {@code demographic_parity_difference}
     * @return its mean and interval
     * @throws IllegalArgumentException if there is none of that name
     */
    public Interval metric(String name) {
        Interval interval = metrics.get(name);
        if (interval == null) {
            throw new IllegalArgumentException(
                    "no figure " + name + ", expected one of " + metrics.keySet());
        }
        return interval;
    }

    private static double[] values(List<Outcome> outcomes, String metric) {
        return outcomes.stream().mapToDouble(o -> value(o, metric)).toArray();
    }

    /** Seed by seed, so that what a seed's faces do to both does not count. */
    private static Map<String, Interval> differences(
            List<Outcome> own, Map<Long, Outcome> reference) {
        Map<String, Interval> differences = new LinkedHashMap<>();
        if (!reference.isEmpty()) {
            for (String metric : own.get(0).metrics().keySet()) {
                differences.put(metric, Interval.of(paired(own, reference, metric)));
            }
        }
        return differences;
    }

    private static double[] paired(List<Outcome> own, Map<Long, Outcome> reference, String metric) {
        return own.stream()
                .mapToDouble(o -> value(o, metric) - value(ofSeed(reference, o.seed()), metric))
                .toArray();
    }

    private static Outcome ofSeed(Map<Long, Outcome> outcomes, long seed) {
        Outcome outcome = outcomes.get(seed);
        if (outcome == null) {
            throw new IllegalStateException("the reference was not run with seed " + seed);
        }
        return outcome;
    }

    private static double value(Outcome outcome, String metric) {
        return outcome.metrics().getOrDefault(metric, Double.NaN);
    }

    /**
     * With probability p a uniform coin decides: accuracy a becomes (1 - p) a + p / classes, and
     * every difference of rates shrinks by 1 - p.
     */
    private static Map<String, Double> coin(
            List<Outcome> own, Map<Long, Outcome> erm, int classes) {
        Map<String, Double> sums = new LinkedHashMap<>();
        double chance = 1.0 / classes;
        for (Outcome outcome : own) {
            Outcome plain = ofSeed(erm, outcome.seed());
            double from = value(plain, "balanced_accuracy");
            double to = Math.min(from, value(outcome, "balanced_accuracy"));
            double keep =
                    from <= chance ? 1 : Math.max(0, Math.min(1, (to - chance) / (from - chance)));
            for (String gap : GAPS) {
                sums.merge(gap, keep * value(plain, gap) / own.size(), Double::sum);
            }
        }
        return sums;
    }
}
