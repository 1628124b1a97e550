package io.fairlora.metrics.interval;

import io.fairlora.metrics.Group;
import io.fairlora.metrics.PairedSnapshot;
import org.apache.commons.statistics.distribution.BinomialDistribution;

/**
 * McNemar's test of whether two models err equally often on the same examples (McNemar 1947; exact
 * form as in Fay 2010, "Two-sided exact tests and matching confidence intervals for discrete
 * data").
 */
public final class McNemar {

    private McNemar() {}

    /**
     * The exact two-sided p-value for a group.
     *
     * @param snapshot the predictions of both models
     * @param group one of its groups
     * @return the p-value; 1 if the models are never apart
     * @throws IllegalArgumentException if the group is unknown
     */
    public static double test(PairedSnapshot snapshot, Group group) {
        return test(snapshot.discordant(group, true), snapshot.discordant(group, false));
    }

    /**
     * The exact two-sided p-value: 2 P(X &lt;= min(b, c)) for X ~ Binomial(b + c, 1/2), at most 1.
     *
     * @param firstOnly examples that only the first model gets right, b
     * @param secondOnly examples that only the second model gets right, c
     * @return the p-value; 1 if both are 0
     * @throws IllegalArgumentException if a number is negative or their sum exceeds 2^31 - 1
     */
    public static double test(long firstOnly, long secondOnly) {
        if (firstOnly < 0 || secondOnly < 0 || firstOnly + secondOnly > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "discordant examples are "
                            + firstOnly
                            + " and "
                            + secondOnly
                            + ", expected 0 or more and at most "
                            + Integer.MAX_VALUE
                            + " together");
        }
        int n = (int) (firstOnly + secondOnly);
        int smaller = (int) Math.min(firstOnly, secondOnly);
        return n == 0
                ? 1
                : Math.min(1, 2 * BinomialDistribution.of(n, 0.5).cumulativeProbability(smaller));
    }
}
