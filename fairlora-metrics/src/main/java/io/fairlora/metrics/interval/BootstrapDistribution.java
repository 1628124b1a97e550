package io.fairlora.metrics.interval;

import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Resamplable;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;
import org.apache.commons.statistics.distribution.NormalDistribution;

/**
 * The values of a statistic over the replicates of a bootstrap.
 *
 * @param <S> the type of the snapshot
 */
public final class BootstrapDistribution<S extends Resamplable<S>> {
    /** Below this share of defined replicates an interval would say too little. */
    private static final double MINIMUM_DEFINED = 0.9;

    private final S snapshot;
    private final Function<S, Figure> statistic;
    private final double[] sorted;
    private final int replicates;
    private final Figure estimate;

    BootstrapDistribution(
            S snapshot, Function<S, Figure> statistic, double[] sorted, int replicates) {
        this.snapshot = snapshot;
        this.statistic = statistic;
        this.sorted = sorted;
        this.replicates = replicates;
        this.estimate = statistic.apply(snapshot);
    }

    /**
     * The defined values.
     *
     * @return the values in increasing order
     */
    public double[] values() {
        return sorted.clone();
    }

    private boolean isUsable() {
        return estimate.isDefined() && sorted.length >= MINIMUM_DEFINED * replicates;
    }

    /**
     * A confidence interval.
     *
     * @param confidence the level, in (0, 1)
     * @param method how it is read off the replicates
     * @return the interval; empty if the figure is undefined for the snapshot itself or for more
     *     than a tenth of the replicates
     * @throws IllegalArgumentException if the level is out of range
     */
    public Optional<Interval> interval(double confidence, BootstrapMethod method) {
        Interval.checkConfidence(confidence);
        if (!isUsable()) {
            return Optional.empty();
        }
        double low = (1 - confidence) / 2;
        double high = 1 - low;
        if (method == BootstrapMethod.BCA) {
            NormalDistribution normal = NormalDistribution.of(0, 1);
            double bias = medianBias(normal);
            double acceleration = acceleration();
            low = adjust(low, bias, acceleration, normal);
            high = adjust(high, bias, acceleration, normal);
        }
        return Optional.of(new Interval(quantile(low), quantile(high), confidence));
    }

    /**
     * The estimate with the bias of the bootstrap taken off: 2 t - mean(t*) (Efron and Tibshirani
     * 1993, "An introduction to the bootstrap", section 10.6). The largest gap between groups is
     * biased upwards, the more so the fairer the model and the smaller the groups; this removes a
     * part of it and may fall below zero.
     *
     * @return the corrected figure; undefined where {@link #interval} is empty
     */
    public Figure biasCorrected() {
        if (!isUsable()) {
            return Figure.undefined("undefined in more than a tenth of the replicates");
        }
        double mean = Arrays.stream(sorted).sum() / sorted.length;
        return estimate.map(t -> 2 * t - mean);
    }

    private double medianBias(NormalDistribution normal) {
        double value = estimate.value();
        double below = 0;
        for (double replicate : sorted) {
            below += replicate < value ? 1 : replicate == value ? 0.5 : 0;
        }
        double share = Math.min(Math.max(below, 0.5), sorted.length - 0.5) / sorted.length;
        return normal.inverseCumulativeProbability(share);
    }

    private static double adjust(
            double level, double bias, double acceleration, NormalDistribution normal) {
        double z = bias + normal.inverseCumulativeProbability(level);
        return normal.cumulativeProbability(bias + z / (1 - acceleration * z));
    }

    /** Skewness of the jackknife over examples; those of one cell have the same influence. */
    private double acceleration() {
        double[] weights = snapshot.cellWeights();
        long[] counts = snapshot.cellCounts();
        double[] without = new double[weights.length];
        double sum = 0;
        double n = 0;
        for (int c = 0; c < weights.length; c++) {
            without[c] = Double.NaN;
            if (counts[c] > 0 && weights[c] > 0) {
                double all = weights[c];
                weights[c] = counts[c] == 1 ? 0 : all - all / counts[c];
                without[c] = statistic.apply(snapshot.reweighted(weights)).orElse(Double.NaN);
                weights[c] = all;
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
    private double quantile(double level) {
        double position = level * (sorted.length - 1);
        int below = (int) Math.floor(position);
        int above = Math.min(below + 1, sorted.length - 1);
        double share = position - below;
        return share == 0 ? sorted[below] : sorted[below] + share * (sorted[above] - sorted[below]);
    }
}
