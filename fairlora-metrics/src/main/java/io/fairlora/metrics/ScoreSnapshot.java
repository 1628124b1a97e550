package io.fairlora.metrics;

import com.google.common.collect.ImmutableList;
import java.io.Serial;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Scores and labels by group: an immutable value from which AUC, calibration and curves are
 * computed.
 *
 * <p>Inside, a point is a score of a group, with its negatives and its positives. Cells for
 * resampling are (point, label), the label fastest.
 */
public final class ScoreSnapshot implements Resamplable<ScoreSnapshot>, Serializable {
    @Serial private static final long serialVersionUID = 1L;

    /** Bins of the expected calibration error and of the reliability diagram. */
    private static final int CALIBRATION_BINS = 15;

    private final ImmutableList<Group> groups;
    private final double[] score;
    private final int[] group;

    /** Positions of the points by increasing score: one array per group, all of them last. */
    private final int[][] order;

    private final long[] counts;
    private final double[] weights;
    private final double[] squares;
    private final double[] scoreSums;
    private final double[] scoreSquares;
    private final double[] losses;

    private ScoreSnapshot(
            ImmutableList<Group> groups,
            double[] score,
            int[] group,
            int[][] order,
            long[] counts,
            double[][] sums) {
        this.groups = groups;
        this.score = score;
        this.group = group;
        this.order = order;
        this.counts = counts;
        this.weights = sums[0];
        this.squares = sums[1];
        this.scoreSums = sums[2];
        this.scoreSquares = sums[3];
        this.losses = sums[4];
    }

    static ScoreSnapshot of(ImmutableList<Group> groups, List<ScorePoints> points) {
        int total = points.stream().mapToInt(ScorePoints::size).sum();
        double[] score = new double[total];
        int[] group = new int[total];
        int[][] order = new int[groups.size() + 1][];
        long[] counts = new long[2 * total];
        double[][] sums = new double[5][2 * total];
        int start = 0;
        for (int g = 0; g < points.size(); g++) {
            ScorePoints p = points.get(g);
            int n = p.size();
            System.arraycopy(p.score, 0, score, start, n);
            Arrays.fill(group, start, start + n, g);
            order[g] = IntStream.range(start, start + n).toArray();
            System.arraycopy(p.counts, 0, counts, 2 * start, 2 * n);
            double[][] source = {p.weights, p.squares, p.scoreSums, p.scoreSquares, p.losses};
            for (int i = 0; i < source.length; i++) {
                System.arraycopy(source[i], 0, sums[i], 2 * start, 2 * n);
            }
            start += n;
        }
        order[groups.size()] = mergedOrder(order, groups.size(), score);
        return new ScoreSnapshot(groups, score, group, order, counts, sums);
    }

    /** Merges runs that are sorted already, two at a time. */
    private static int[] mergedOrder(int[][] runs, int count, double[] score) {
        List<int[]> queue = new ArrayList<>(Arrays.asList(runs).subList(0, count));
        if (queue.isEmpty()) {
            return new int[0];
        }
        while (queue.size() > 1) {
            List<int[]> merged = new ArrayList<>();
            for (int i = 0; i < queue.size(); i += 2) {
                merged.add(
                        i + 1 == queue.size()
                                ? queue.get(i)
                                : merge(queue.get(i), queue.get(i + 1), score));
            }
            queue = merged;
        }
        return queue.get(0);
    }

    private static int[] merge(int[] a, int[] b, double[] score) {
        int[] merged = new int[a.length + b.length];
        int i = 0;
        int j = 0;
        for (int k = 0; k < merged.length; k++) {
            boolean first = j == b.length || (i < a.length && score[a[i]] <= score[b[j]]);
            merged[k] = first ? a[i++] : b[j++];
        }
        return merged;
    }

    /**
     * The groups, also those without examples.
     *
     * @return the groups in order
     */
    public ImmutableList<Group> groups() {
        return groups;
    }

    /**
     * All examples.
     *
     * @return their number
     */
    public long count() {
        return Arrays.stream(counts).sum();
    }

    /**
     * The examples of a group.
     *
     * @param of one of {@link #groups}
     * @return their number
     * @throws IllegalArgumentException if the group is unknown
     */
    public long count(Group of) {
        long sum = 0;
        for (int point : order[indexOf(of)]) {
            sum += counts[2 * point] + counts[2 * point + 1];
        }
        return sum;
    }

    private int indexOf(Group of) {
        int index = groups.indexOf(of);
        if (index < 0) {
            throw new IllegalArgumentException(
                    "group " + of + " is unknown, expected one of " + groups);
        }
        return index;
    }

    /**
     * A measure over a group.
     *
     * @param measure the measure
     * @param of one of {@link #groups}
     * @return its value
     * @throws IllegalArgumentException if the group is unknown
     */
    public Figure measure(ScoreMeasure measure, Group of) {
        return measure(measure, order[indexOf(of)]);
    }

    /**
     * A measure over everybody.
     *
     * @param measure the measure
     * @return its value
     */
    public Figure measure(ScoreMeasure measure) {
        return measure(measure, order[groups.size()]);
    }

    private Figure measure(ScoreMeasure measure, int[] points) {
        double total = sum(weights, points);
        if (total == 0) {
            return Figure.undefined("no examples");
        }
        if (measure.needsProbabilities()
                && points.length > 0
                && !(score[points[0]] >= 0 && score[points[points.length - 1]] <= 1)) {
            return Figure.undefined("scores outside [0, 1]");
        }
        return switch (measure) {
            case ROC_AUC -> area(points);
            case BRIER_SCORE -> Figure.of(squaredErrors(points) / total);
            case EXPECTED_CALIBRATION_ERROR -> Figure.of(calibrationErrors(points) / total);
            case LOG_LOSS -> Figure.of(sum(losses, points) / total);
            case MEAN_SCORE -> Figure.of(sum(scoreSums, points) / total);
        };
    }

    private static double sum(double[] values, int[] points) {
        double sum = 0;
        for (int point : points) {
            sum += values[2 * point] + values[2 * point + 1];
        }
        return sum;
    }

    private double squaredErrors(int[] points) {
        double sum = 0;
        for (int point : points) {
            int y = 2 * point + 1;
            sum += scoreSquares[2 * point];
            sum += scoreSquares[y] - 2 * scoreSums[y] + weights[y];
        }
        return sum;
    }

    private double calibrationErrors(int[] points) {
        double[] gaps = new double[CALIBRATION_BINS];
        for (int point : points) {
            gaps[UnitBins.index(score[point], CALIBRATION_BINS)] +=
                    weights[2 * point + 1] - scoreSums[2 * point] - scoreSums[2 * point + 1];
        }
        return Arrays.stream(gaps).map(Math::abs).sum();
    }

    private Figure area(int[] points) {
        double negativesBelow = 0;
        double positives = 0;
        double area = 0;
        for (int i = 0; i < points.length; ) {
            double tiedNegatives = 0;
            double tiedPositives = 0;
            double tie = score[points[i]];
            for (; i < points.length && score[points[i]] == tie; i++) {
                tiedNegatives += weights[2 * points[i]];
                tiedPositives += weights[2 * points[i] + 1];
            }
            area += tiedPositives * (negativesBelow + tiedNegatives / 2);
            negativesBelow += tiedNegatives;
            positives += tiedPositives;
        }
        if (positives == 0 || negativesBelow == 0) {
            return Figure.undefined(positives == 0 ? "no positives" : "no negatives");
        }
        return Figure.of(area / (positives * negativesBelow));
    }

    /**
     * The ROC curve of a group.
     *
     * @param of one of {@link #groups}
     * @return points from (0, 0) to (1, 1), one for each different score and the first; empty
     *     without positives or without negatives
     * @throws IllegalArgumentException if the group is unknown
     */
    public ImmutableList<RocPoint> roc(Group of) {
        int[] points = order[indexOf(of)];
        double positives = 0;
        double negatives = 0;
        for (int point : points) {
            negatives += weights[2 * point];
            positives += weights[2 * point + 1];
        }
        if (positives == 0 || negatives == 0) {
            return ImmutableList.of();
        }
        ImmutableList.Builder<RocPoint> curve = ImmutableList.builder();
        curve.add(new RocPoint(0, 0, Double.POSITIVE_INFINITY));
        double tp = 0;
        double fp = 0;
        for (int i = points.length - 1; i >= 0; i--) {
            fp += weights[2 * points[i]];
            tp += weights[2 * points[i] + 1];
            curve.add(
                    i == 0
                            ? new RocPoint(1, 1, score[points[i]])
                            : new RocPoint(
                                    Math.min(1, fp / negatives),
                                    Math.min(1, tp / positives),
                                    score[points[i]]));
        }
        return curve.build();
    }

    /**
     * The reliability diagram of a group: 15 bins (a, b] of equal width.
     *
     * @param of one of {@link #groups}
     * @return the bins that hold examples, by increasing score; empty for scores outside [0, 1]
     * @throws IllegalArgumentException if the group is unknown
     */
    public ImmutableList<CalibrationBin> calibration(Group of) {
        int[] points = order[indexOf(of)];
        if (points.length == 0 || score[points[0]] < 0 || score[points[points.length - 1]] > 1) {
            return ImmutableList.of();
        }
        double[][] sums = new double[4][CALIBRATION_BINS];
        long[] sizes = new long[CALIBRATION_BINS];
        for (int point : points) {
            int bin = UnitBins.index(score[point], CALIBRATION_BINS);
            for (int y = 0; y < 2; y++) {
                int cell = 2 * point + y;
                sums[0][bin] += weights[cell];
                sums[1][bin] += squares[cell];
                sums[2][bin] += scoreSums[cell];
                sums[3][bin] += y == 1 ? weights[cell] : 0;
                sizes[bin] += counts[cell];
            }
        }
        ImmutableList.Builder<CalibrationBin> bins = ImmutableList.builder();
        for (int bin = 0; bin < CALIBRATION_BINS; bin++) {
            double weight = sums[0][bin];
            if (weight > 0) {
                bins.add(
                        new CalibrationBin(
                                sums[2][bin] / weight,
                                Math.min(1, sums[3][bin] / weight),
                                sizes[bin],
                                weight * weight / sums[1][bin]));
            }
        }
        return bins.build();
    }

    /**
     * The decisions at a threshold: scores from it up are predicted as 1. In a snapshot of binned
     * scores all of a bin goes by its middle.
     *
     * @param threshold any number
     * @return the confusion snapshot
     */
    public ConfusionSnapshot at(double threshold) {
        int cells = 4 * groups.size();
        long[] confusion = new long[cells];
        double[] sums = new double[cells];
        double[] squaredSums = new double[cells];
        boolean weighted = false;
        for (int point = 0; point < score.length; point++) {
            for (int y = 0; y < 2; y++) {
                int from = 2 * point + y;
                int to = (group[point] * 2 + y) * 2 + (score[point] >= threshold ? 1 : 0);
                confusion[to] += counts[from];
                sums[to] += weights[from];
                squaredSums[to] += squares[from];
                weighted |= weights[from] != counts[from];
            }
        }
        return new ConfusionSnapshot(
                ImmutableList.of("0", "1"),
                groups,
                confusion,
                weighted ? sums : null,
                weighted ? squaredSums : null);
    }

    /**
     * The same scores in fewer steps, for resampling: neighbouring scores of a group are joined
     * until about as many remain. Means stay; the order of joined scores is lost.
     *
     * @param pointsPerGroup how many different scores of a group to keep at least, 15 or more
     * @return this if there are no more already
     * @throws IllegalArgumentException if {@code pointsPerGroup} is below 15
     */
    public ScoreSnapshot coarsened(int pointsPerGroup) {
        if (pointsPerGroup < CALIBRATION_BINS) {
            throw new IllegalArgumentException(
                    "points per group are "
                            + pointsPerGroup
                            + ", expected "
                            + CALIBRATION_BINS
                            + " or more");
        }
        if (Arrays.stream(order, 0, groups.size()).allMatch(o -> o.length <= pointsPerGroup)) {
            return this;
        }
        List<ScorePoints> joined = new ArrayList<>();
        for (int g = 0; g < groups.size(); g++) {
            joined.add(join(order[g], pointsPerGroup));
        }
        return of(groups, joined);
    }

    private ScorePoints join(int[] points, int target) {
        int[] destination = new int[points.length];
        int used = -1;
        double share = sum(weights, points) / target;
        double filled = 0;
        int bin = -1;
        for (int i = 0; i < points.length; i++) {
            double s = score[points[i]];
            int newBin = s >= 0 && s <= 1 ? UnitBins.index(s, CALIBRATION_BINS) : -1;
            double weight = weights[2 * points[i]] + weights[2 * points[i] + 1];
            if (i == 0 || newBin != bin || filled + weight > share) {
                used++;
                filled = 0;
                bin = newBin;
            }
            filled += weight;
            destination[i] = used;
        }
        ScorePoints result = new ScorePoints(used + 1);
        double[] pointWeights = new double[used + 1];
        for (int i = 0; i < points.length; i++) {
            int to = destination[i];
            double weight = weights[2 * points[i]] + weights[2 * points[i] + 1];
            pointWeights[to] += weight;
            result.score[to] +=
                    pointWeights[to] == 0
                            ? score[points[i]]
                            : (score[points[i]] - result.score[to]) * weight / pointWeights[to];
            for (int y = 0; y < 2; y++) {
                int a = 2 * points[i] + y;
                int b = 2 * to + y;
                result.counts[b] += counts[a];
                result.weights[b] += weights[a];
                result.squares[b] += squares[a];
                result.scoreSums[b] += scoreSums[a];
                result.scoreSquares[b] += scoreSquares[a];
                result.losses[b] += losses[a];
            }
        }
        return result;
    }

    @Override
    public long[] cellCounts() {
        return counts.clone();
    }

    @Override
    public double[] cellWeights() {
        return weights.clone();
    }

    @Override
    public double[] cellSquaredWeights() {
        return squares.clone();
    }

    @Override
    public ScoreSnapshot reweighted(double[] newWeights) {
        if (newWeights.length != weights.length) {
            throw new IllegalArgumentException(
                    "found "
                            + newWeights.length
                            + " weights, expected one for each of "
                            + weights.length
                            + " cells");
        }
        double[][] sums = new double[5][newWeights.length];
        double[][] source = {scoreSums, scoreSquares, losses};
        sums[0] = newWeights.clone();
        sums[1] = squares;
        for (int cell = 0; cell < newWeights.length; cell++) {
            double factor = weights[cell] == 0 ? 0 : newWeights[cell] / weights[cell];
            for (int i = 0; i < source.length; i++) {
                sums[i + 2][cell] = source[i][cell] * factor;
            }
        }
        return new ScoreSnapshot(groups, score, group, order, counts, sums);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ScoreSnapshot that
                && groups.equals(that.groups)
                && Arrays.equals(score, that.score)
                && Arrays.equals(group, that.group)
                && Arrays.equals(counts, that.counts)
                && Arrays.equals(weights, that.weights)
                && Arrays.equals(squares, that.squares)
                && Arrays.equals(scoreSums, that.scoreSums)
                && Arrays.equals(scoreSquares, that.scoreSquares)
                && Arrays.equals(losses, that.losses);
    }

    @Override
    public int hashCode() {
        return 31 * groups.hashCode() + Arrays.hashCode(counts);
    }

    @Override
    public String toString() {
        return "ScoreSnapshot[" + count() + " examples, " + groups.size() + " groups]";
    }
}
