package io.fairlora.metrics.interval;

import org.apache.commons.statistics.distribution.BetaDistribution;
import org.apache.commons.statistics.distribution.NormalDistribution;

/** Confidence intervals of a binomial proportion. */
public final class ProportionIntervals {

    private ProportionIntervals() {}

    /**
     * Wilson's score interval: (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) (Wilson
     * 1927, "Probable inference, the law of succession, and statistical inference").
     *
     * @param successes number of successes, 0 to {@code trials}; not a whole number where examples
     *     have weights
     * @param trials number of trials, above 0
     * @param confidence the level, in (0, 1)
     * @return the interval, within [0, 1]
     * @throws IllegalArgumentException if an argument is out of range
     */
    public static Interval wilson(double successes, double trials, double confidence) {
        check(successes, trials, confidence);
        double z = NormalDistribution.of(0, 1).inverseCumulativeProbability((1 + confidence) / 2);
        double p = successes / trials;
        double center = p + z * z / (2 * trials);
        double half = z * Math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials));
        double scale = 1 + z * z / trials;
        double low = successes == 0 ? 0 : Math.max(0, (center - half) / scale);
        double high = successes == trials ? 1 : Math.min(1, (center + half) / scale);
        return new Interval(low, high, confidence);
    }

    /**
     * The exact interval of Clopper and Pearson (1934), "The use of confidence or fiducial limits
     * illustrated in the case of the binomial": quantiles of Beta(k, n-k+1) and Beta(k+1, n-k). It
     * covers at least at its level.
     *
     * @param successes number of successes, 0 to {@code trials}; not a whole number where examples
     *     have weights
     * @param trials number of trials, above 0
     * @param confidence the level, in (0, 1)
     * @return the interval, within [0, 1]
     * @throws IllegalArgumentException if an argument is out of range
     */
    public static Interval clopperPearson(double successes, double trials, double confidence) {
        check(successes, trials, confidence);
        double alpha = 1 - confidence;
        double low =
                successes == 0
                        ? 0
                        : BetaDistribution.of(successes, trials - successes + 1)
                                .inverseCumulativeProbability(alpha / 2);
        double high =
                successes == trials
                        ? 1
                        : BetaDistribution.of(successes + 1, trials - successes)
                                .inverseSurvivalProbability(alpha / 2);
        return new Interval(low, high, confidence);
    }

    private static void check(double successes, double trials, double confidence) {
        if (!(trials > 0) || !(successes >= 0) || !(successes <= trials)) {
            throw new IllegalArgumentException(
                    "found "
                            + successes
                            + " successes in "
                            + trials
                            + " trials, expected 0 <= successes <= trials and trials > 0");
        }
        Interval.checkConfidence(confidence);
    }
}
