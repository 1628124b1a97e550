package io.fairlora.metrics.interval;

import java.util.Arrays;
import java.util.List;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;
import org.apache.commons.rng.simple.RandomSource;
import org.apache.commons.statistics.distribution.HypergeometricDistribution;

/**
 * Permutation test of "no gap": the group memberships of the examples are exchanged at random, and
 * the largest difference of the groups' rates is compared to the one found (Fisher 1935; Good 2005,
 * "Permutation, parametric and bootstrap tests of hypotheses", chapter 3). Group sizes and the
 * number of successes are kept, so that the successes by group follow a multivariate hypergeometric
 * law, which is drawn from directly.
 *
 * <p>Where there are few outcomes, all are enumerated and the p-value is exact. For two groups this
 * is the test of Fisher and Irwin, with outcomes ordered by their difference of rates.
 */
public final class PermutationTest {
    /** So many outcomes are enumerated at most. */
    private static final double ENUMERATED = 100_000;

    /** Gaps this close count as equal. */
    private static final double TIE = 1e-12;

    /** Above this variance the hypergeometric law is drawn as a rounded normal one. */
    private static final double LARGE_VARIANCE = 1e4;

    private final List<long[]> successes;
    private final List<long[]> trials;
    private final boolean worst;

    private PermutationTest(List<long[]> successes, List<long[]> trials, boolean worst) {
        this.successes = successes;
        this.trials = trials;
        this.worst = worst;
    }

    /**
     * Tests that all groups have the same rate.
     *
     * @param successes successes by group
     * @param trials trials by group; groups without trials take no part
     * @param permutations how many random permutations where there are too many outcomes to
     *     enumerate, 1 or more
     * @param seed where the random numbers start
     * @return gap and p-value
     * @throws IllegalArgumentException if the lengths differ, fewer than two groups have trials, or
     *     successes exceed trials
     */
    public static GapTest test(long[] successes, long[] trials, int permutations, long seed) {
        return test(List.of(successes), List.of(trials), true, permutations, seed);
    }

    /**
     * Tests that all groups have the same rates in each of several strata, such as the positives
     * and the negatives for equalized odds.
     *
     * @param successes successes by group, for each stratum
     * @param trials trials by group, for each stratum
     * @param worst whether the gap is the largest over the strata, or their mean
     * @param permutations how many random permutations where there are too many outcomes to
     *     enumerate, 1 or more
     * @param seed where the random numbers start
     * @return gap and p-value
     * @throws IllegalArgumentException if the lengths differ, fewer than two groups have trials, or
     *     successes exceed trials
     */
    public static GapTest test(
            List<long[]> successes,
            List<long[]> trials,
            boolean worst,
            int permutations,
            long seed) {
        if (permutations < 1) {
            throw new IllegalArgumentException(
                    "number of permutations is " + permutations + ", expected 1 or more");
        }
        for (int s = 0; s < successes.size(); s++) {
            check(successes.get(s), trials.get(s));
        }
        PermutationTest test = new PermutationTest(successes, trials, worst);
        return successes.size() == 1 && outcomes(successes.get(0), trials.get(0)) <= ENUMERATED
                ? test.enumerate()
                : test.sample(permutations, seed);
    }

    private static void check(long[] successes, long[] trials) {
        boolean valid = successes.length == trials.length;
        int groups = 0;
        for (int g = 0; valid && g < trials.length; g++) {
            valid = successes[g] >= 0 && successes[g] <= trials[g];
            groups += trials[g] > 0 ? 1 : 0;
        }
        if (!valid || groups < 2 || Arrays.stream(trials).sum() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "found successes "
                            + Arrays.toString(successes)
                            + " in trials "
                            + Arrays.toString(trials)
                            + ", expected no more successes than trials, trials in two groups or"
                            + " more and at most "
                            + Integer.MAX_VALUE
                            + " in all");
        }
    }

    private static double outcomes(long[] successes, long[] trials) {
        long all = Arrays.stream(successes).sum();
        double product = 1;
        for (int g = 0; g < trials.length - 1; g++) {
            product *= Math.min(trials[g], all) + 1.0;
        }
        return product;
    }

    private double gap(List<long[]> outcome) {
        double combined = 0;
        for (int s = 0; s < outcome.size(); s++) {
            double low = Double.POSITIVE_INFINITY;
            double high = Double.NEGATIVE_INFINITY;
            for (int g = 0; g < outcome.get(s).length; g++) {
                if (trials.get(s)[g] > 0) {
                    double rate = (double) outcome.get(s)[g] / trials.get(s)[g];
                    low = Math.min(low, rate);
                    high = Math.max(high, rate);
                }
            }
            combined =
                    worst
                            ? Math.max(combined, high - low)
                            : combined + (high - low) / outcome.size();
        }
        return combined;
    }

    private GapTest enumerate() {
        long[] n = trials.get(0);
        double[] tally = new double[2];
        double found = gap(successes);
        walk(
                new long[n.length],
                0,
                Arrays.stream(n).sum(),
                Arrays.stream(successes.get(0)).sum(),
                1,
                found,
                tally);
        return new GapTest(found, Math.min(1, tally[0]), true, tally[1]);
    }

    /** Adds up the chance of gaps as large as the one found, and the mean gap. */
    private void walk(
            long[] outcome,
            int group,
            long trialsLeft,
            long successesLeft,
            double chance,
            double found,
            double[] tally) {
        long[] n = trials.get(0);
        if (group == n.length - 1) {
            outcome[group] = successesLeft;
            double gap = gap(List.of(outcome));
            tally[0] += gap >= found - TIE ? chance : 0;
            tally[1] += gap * chance;
            return;
        }
        long rest = trialsLeft - n[group];
        HypergeometricDistribution law =
                HypergeometricDistribution.of(
                        (int) trialsLeft, (int) successesLeft, (int) n[group]);
        for (int k = law.getSupportLowerBound(); k <= law.getSupportUpperBound(); k++) {
            outcome[group] = k;
            walk(
                    outcome,
                    group + 1,
                    rest,
                    successesLeft - k,
                    chance * law.probability(k),
                    found,
                    tally);
        }
    }

    private GapTest sample(int permutations, long seed) {
        UniformRandomProvider random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        double found = gap(successes);
        List<long[]> outcome = successes.stream().map(long[]::clone).toList();
        int asLarge = 0;
        double sum = 0;
        for (int i = 0; i < permutations; i++) {
            for (int s = 0; s < outcome.size(); s++) {
                draw(random, successes.get(s), trials.get(s), outcome.get(s));
            }
            double gap = gap(outcome);
            asLarge += gap >= found - TIE ? 1 : 0;
            sum += gap;
        }
        return new GapTest(
                found, (asLarge + 1.0) / (permutations + 1.0), false, sum / permutations);
    }

    private static void draw(
            UniformRandomProvider random, long[] successes, long[] trials, long[] outcome) {
        long trialsLeft = Arrays.stream(trials).sum();
        long successesLeft = Arrays.stream(successes).sum();
        for (int g = 0; g < trials.length - 1; g++) {
            outcome[g] = hypergeometric(random, trialsLeft, successesLeft, trials[g]);
            trialsLeft -= trials[g];
            successesLeft -= outcome[g];
        }
        outcome[trials.length - 1] = successesLeft;
    }

    private static long hypergeometric(
            UniformRandomProvider random, long population, long successes, long draws) {
        long low = Math.max(0, draws - (population - successes));
        long high = Math.min(draws, successes);
        if (low == high) {
            return low;
        }
        double share = (double) successes / population;
        double mean = draws * share;
        double variance = mean * (1 - share) * (population - draws) / Math.max(1, population - 1.0);
        if (variance > LARGE_VARIANCE) {
            double normal = ZigguratSampler.NormalizedGaussian.of(random).sample();
            long value = Math.round(mean + Math.sqrt(variance) * normal);
            return Math.min(high, Math.max(low, value));
        }
        HypergeometricDistribution law =
                HypergeometricDistribution.of((int) population, (int) successes, (int) draws);
        // Inversion outwards from the mode, where most draws end after a few steps.
        long mode = (long) ((draws + 1.0) * (successes + 1.0) / (population + 2.0));
        mode = Math.min(high, Math.max(low, mode));
        double up = law.probability((int) mode);
        double down = up;
        double left = random.nextDouble() - up;
        long above = mode;
        long below = mode;
        while (left > 0 && (above < high || below > low)) {
            if (above < high) {
                up *=
                        (double) (successes - above)
                                * (draws - above)
                                / ((above + 1.0) * (population - successes - draws + above + 1.0));
                above++;
                left -= up;
                if (left <= 0) {
                    return above;
                }
            }
            if (below > low) {
                down *=
                        below
                                * (double) (population - successes - draws + below)
                                / ((successes - below + 1.0) * (draws - below + 1.0));
                below--;
                left -= down;
                if (left <= 0) {
                    return below;
                }
            }
        }
        return mode;
    }
}
