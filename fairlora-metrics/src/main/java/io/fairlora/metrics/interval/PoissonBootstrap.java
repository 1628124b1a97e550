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
import org.apache.commons.statistics.distribution.NormalDistribution;

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
    /** Below this share of defined replicates an interval would say too little. */
    private static final double MINIMUM_DEFINED = 0.9;

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
     * The values of a statistic over the replicates.
     *
     * @param statistic computes a figure from a snapshot
     * @return its defined values in increasing order
     */
    public double[] values(Function<S, Figure> statistic) {
        return replicates.stream()
                .map(statistic)
                .filter(Figure::isDefined)
                .mapToDouble(Figure::value)
                .sorted()
                .toArray();
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
        Interval.checkConfidence(confidence);
        Figure estimate = statistic.apply(snapshot);
        double[] values = values(statistic);
        if (!estimate.isDefined() || values.length < MINIMUM_DEFINED * replicates.size()) {
            return Optional.empty();
        }
        double tail = (1 - confidence) / 2;
        double lowLevel = tail;
        double highLevel = 1 - tail;
        if (method == BootstrapMethod.BCA) {
            NormalDistribution normal = NormalDistribution.of(0, 1);
            double bias = medianBias(values, estimate.value(), normal);
            double acceleration = acceleration(statistic);
            lowLevel = adjust(tail, bias, acceleration, normal);
            highLevel = adjust(1 - tail, bias, acceleration, normal);
        }
        return Optional.of(
                new Interval(quantile(values, lowLevel), quantile(values, highLevel), confidence));
    }

    /**
     * An estimate with the bias of the bootstrap taken off: 2 t - mean(t*) (Efron and Tibshirani
     * 1993, section 10.6). The largest gap between groups is biased upwards, the more so the fairer
     * the model and the smaller the groups; this removes a part of it and may fall below zero.
     *
     * @param statistic computes a figure from a snapshot
     * @return the corrected figure; undefined where {@link #interval} is empty
     */
    public Figure biasCorrected(Function<S, Figure> statistic) {
        Figure estimate = statistic.apply(snapshot);
        double[] values = values(statistic);
        if (values.length < MINIMUM_DEFINED * replicates.size()) {
            return Figure.undefined("undefined in more than a tenth of the replicates");
        }
        double mean = Arrays.stream(values).sum() / values.length;
        return estimate.map(t -> 2 * t - mean);
    }

    private static double medianBias(double[] values, double estimate, NormalDistribution normal) {
        double below = 0;
        for (double value : values) {
            below += value < estimate ? 1 : value == estimate ? 0.5 : 0;
        }
        double share = Math.min(Math.max(below, 0.5), values.length - 0.5) / values.length;
        return normal.inverseCumulativeProbability(share);
    }

    private static double adjust(
            double level, double bias, double acceleration, NormalDistribution normal) {
        double z = bias + normal.inverseCumulativeProbability(level);
        return normal.cumulativeProbability(bias + z / (1 - acceleration * z));
    }

    /** Skewness of the jackknife over examples; those of one cell have the same influence. */
    private double acceleration(Function<S, Figure> statistic) {
        double[] weights = snapshot.cellWeights();
        long[] counts = snapshot.cellCounts();
        double[] without = new double[weights.length];
        double sum = 0;
        double n = 0;
        for (int c = 0; c < weights.length; c++) {
            without[c] = Double.NaN;
            if (counts[c] > 0 && weights[c] > 0) {
                double[] left = weights.clone();
                left[c] = counts[c] == 1 ? 0 : left[c] - left[c] / counts[c];
                without[c] = statistic.apply(snapshot.reweighted(left)).orElse(Double.NaN);
                if (!Double.isNaN(without[c])) {
                    sum += counts[c] * without[c];
                    n += counts[c];
                }
            }
        }
        double mean = sum / n;
        double squares = 0;
        double cubes = 0;
        for (int c = 0; c < weights.length; c++) {
            if (!Double.isNaN(without[c])) {
                double d = mean - without[c];
                squares += counts[c] * d * d;
                cubes += counts[c] * d * d * d;
            }
        }
        return squares == 0 ? 0 : cubes / (6 * Math.pow(squares, 1.5));
    }

    /** Linear interpolation between order statistics (Hyndman and Fan's type 7). */
    static double quantile(double[] sorted, double level) {
        double position = level * (sorted.length - 1);
        int below = (int) Math.floor(position);
        int above = Math.min(below + 1, sorted.length - 1);
        double share = position - below;
        return share == 0 ? sorted[below] : sorted[below] + share * (sorted[above] - sorted[below]);
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
