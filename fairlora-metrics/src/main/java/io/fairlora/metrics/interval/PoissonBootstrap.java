package io.fairlora.metrics.interval;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Resamplable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.NormalizedGaussianSampler;
import org.apache.commons.rng.sampling.distribution.PoissonSampler;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;
import org.apache.commons.rng.simple.RandomSource;

/**
 * Resampling of a snapshot: each example is drawn a Poisson(1) number of times (Hanley and
 * MacGibbon 2006; Chamandy et al. 2012, "Estimating uncertainty for massive data streams"). The
 * draws of a cell of n equal examples sum to Poisson(n), so a replicate costs as much as there are
 * cells, however many examples there were. A cell of unequal weights with sum W and sum of squares
 * S is drawn as Poisson(W^2/S) S/W, which has the mean and the variance of its resampled sum.
 *
 * <p>All statistics of one bootstrap see the same replicates. The same seed gives the same
 * intervals.
 *
 * @param <S> the type of the snapshot
 */
public final class PoissonBootstrap<S extends Resamplable<S>> {
    /** The sampler's own limit is near 2^30. */
    private static final double LARGEST_POISSON = 1e9;

    private final S snapshot;
    private final List<S> replicates;

    private PoissonBootstrap(S snapshot, List<S> replicates) {
        this.snapshot = snapshot;
        this.replicates = replicates;
    }

    /**
     * Draws replicates.
     *
     * @param snapshot what is resampled
     * @param <S> its type
     * @param replicates how many, 1 or more; 1,000 is usual for 95 % intervals
     * @param seed where the random numbers start
     * @return the bootstrap
     * @throws IllegalArgumentException if {@code replicates} is below 1
     */
    public static <S extends Resamplable<S>> PoissonBootstrap<S> of(
            S snapshot, int replicates, long seed) {
        if (replicates < 1) {
            throw new IllegalArgumentException(
                    "number of replicates is " + replicates + ", expected 1 or more");
        }
        double[] weights = snapshot.cellWeights();
        double[] squares = snapshot.cellSquaredWeights();
        UniformRandomProvider random = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
        double[][] drawn = new double[replicates][weights.length];
        for (int c = 0; c < weights.length; c++) {
            if (weights[c] > 0) {
                DoubleSupplier sampler = poisson(random, weights[c] * weights[c] / squares[c]);
                double scale = squares[c] / weights[c];
                for (double[] replicate : drawn) {
                    replicate[c] = sampler.getAsDouble() * scale;
                }
            }
        }
        List<S> snapshots = new ArrayList<>(replicates);
        for (double[] replicate : drawn) {
            snapshots.add(snapshot.reweighted(replicate));
        }
        return new PoissonBootstrap<>(snapshot, snapshots);
    }

    private static DoubleSupplier poisson(UniformRandomProvider random, double mean) {
        if (mean > LARGEST_POISSON) {
            // The normal law is closer than the sampler's resolution here.
            NormalizedGaussianSampler gaussian = ZigguratSampler.NormalizedGaussian.of(random);
            return () -> Math.rint(mean + Math.sqrt(mean) * gaussian.sample());
        }
        return PoissonSampler.of(random, mean)::sample;
    }

    /**
     * How a statistic varies over the replicates.
     *
     * @param statistic computes a figure from a snapshot
     * @return its distribution
     */
    public BootstrapDistribution<S> distribution(Function<S, Figure> statistic) {
        double[] values =
                replicates.stream()
                        .map(statistic)
                        .filter(Figure::isDefined)
                        .mapToDouble(Figure::value)
                        .sorted()
                        .toArray();
        return new BootstrapDistribution<>(snapshot, statistic, values, replicates.size());
    }

    /**
     * A confidence interval of a statistic.
     *
     * @param statistic computes a figure from a snapshot
     * @param confidence the level, in (0, 1)
     * @param method how it is read off the replicates
     * @return the interval; empty if the figure is undefined for the snapshot itself or for more
     *     than a tenth of the replicates
     */
    public Optional<Interval> interval(
            Function<S, Figure> statistic, double confidence, BootstrapMethod method) {
        return distribution(statistic).interval(confidence, method);
    }

    @Override
    public String toString() {
        return "PoissonBootstrap["
                + replicates.size()
                + " replicates of "
                + Arrays.stream(snapshot.cellCounts()).sum()
                + " examples]";
    }
}
