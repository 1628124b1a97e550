package io.fairlora.metrics.interval;

import org.apache.commons.statistics.distribution.NormalDistribution;

/** How many examples an audit needs. */
public final class SampleSize {

    private SampleSize() {}

    /**
     * How many examples per group show a gap between two groups' rates: (z_(1-alpha/2) sqrt(2 q (1
     * - q)) + z_power sqrt(p1 (1 - p1) + p2 (1 - p2)))^2 / gap^2 with q = (p1 + p2) / 2, the
     * two-sided test of two proportions (Fleiss, Levin and Paik 2003, "Statistical methods for
     * rates and proportions", section 4.2; R's power.prop.test).
     *
     * <p>The examples are those in the rate's denominator: positives for equal opportunity.
     *
     * @param rate the rate of the one group, p1, in [0, 1]
     * @param gap p2 - p1, not 0, such that p2 lies in [0, 1]
     * @param power the chance to see the gap, in (0, 1); 0.8 is usual
     * @param significance the chance to see a gap where there is none, alpha, in (0, 1)
     * @return the number per group, rounded up
     * @throws IllegalArgumentException if an argument is out of range
     */
    public static long perGroup(double rate, double gap, double power, double significance) {
        double other = rate + gap;
        if (!(rate >= 0 && rate <= 1) || !(other >= 0 && other <= 1) || gap == 0) {
            throw new IllegalArgumentException(
                    "rate is "
                            + rate
                            + " and gap "
                            + gap
                            + ", expected two different rates from 0 to 1");
        }
        if (!(power > 0 && power < 1) || !(significance > 0 && significance < 1)) {
            throw new IllegalArgumentException(
                    "power is "
                            + power
                            + " and significance "
                            + significance
                            + ", expected numbers between 0 and 1");
        }
        NormalDistribution normal = NormalDistribution.of(0, 1);
        double mean = rate + gap / 2;
        double root =
                normal.inverseSurvivalProbability(significance / 2)
                                * Math.sqrt(2 * mean * (1 - mean))
                        + normal.inverseCumulativeProbability(power)
                                * Math.sqrt(rate * (1 - rate) + other * (1 - other));
        return (long) Math.ceil(Math.max(1, root * root / (gap * gap)));
    }
}
