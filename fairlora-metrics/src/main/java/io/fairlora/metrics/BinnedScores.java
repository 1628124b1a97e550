package io.fairlora.metrics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * Keeps sums over bins of scores in [0, 1]: constant memory. Means of the score, its square and the
 * loss stay exact; the order of scores within a bin is lost.
 */
final class BinnedScores implements ScoreStore {
    @Serial private static final long serialVersionUID = 1L;

    private final int bins;
    private final long[] counts;
    private @Nullable WeightSums weights;
    private final CompensatedSums scoreSums;
    private final CompensatedSums scoreSquares;
    private final CompensatedSums losses;

    BinnedScores(int bins) {
        this(
                bins,
                new long[2 * bins],
                null,
                CompensatedSums.zeros(2 * bins),
                CompensatedSums.zeros(2 * bins),
                CompensatedSums.zeros(2 * bins));
    }

    private BinnedScores(
            int bins,
            long[] counts,
            @Nullable WeightSums weights,
            CompensatedSums scoreSums,
            CompensatedSums scoreSquares,
            CompensatedSums losses) {
        this.bins = bins;
        this.counts = counts;
        this.weights = weights;
        this.scoreSums = scoreSums;
        this.scoreSquares = scoreSquares;
        this.losses = losses;
    }

    @Override
    public void add(int label, double score, double weight) {
        int cell = 2 * UnitBins.index(score, bins) + label;
        if (weights == null && weight != 1) {
            weights = WeightSums.ofCounts(counts);
        }
        if (weights != null) {
            weights.add(cell, weight);
        }
        counts[cell]++;
        scoreSums.add(cell, weight * score);
        scoreSquares.add(cell, weight * score * score);
        losses.add(cell, weight * ScorePoints.loss(label, score));
    }

    @Override
    public void merge(ScoreStore other) {
        BinnedScores that = (BinnedScores) other;
        WeightSums theirs = that.weights;
        if (theirs == null && weights != null) {
            theirs = WeightSums.ofCounts(that.counts);
        }
        if (theirs != null && weights == null) {
            weights = WeightSums.ofCounts(counts);
        }
        for (int cell = 0; cell < counts.length; cell++) {
            counts[cell] += that.counts[cell];
            if (weights != null && theirs != null) {
                weights.add(cell, theirs, cell);
            }
            scoreSums.add(cell, that.scoreSums, cell);
            scoreSquares.add(cell, that.scoreSquares, cell);
            losses.add(cell, that.losses, cell);
        }
    }

    @Override
    public ScorePoints points() {
        int used = 0;
        for (int b = 0; b < bins; b++) {
            used += counts[2 * b] + counts[2 * b + 1] > 0 ? 1 : 0;
        }
        ScorePoints points = new ScorePoints(used);
        int point = 0;
        for (int b = 0; b < bins; b++) {
            if (counts[2 * b] + counts[2 * b + 1] == 0) {
                continue;
            }
            for (int y = 0; y < 2; y++) {
                int from = 2 * b + y;
                int to = 2 * point + y;
                points.counts[to] = counts[from];
                points.weights[to] = weights == null ? counts[from] : weights.weights().sum(from);
                points.squares[to] = weights == null ? counts[from] : weights.squares().sum(from);
                points.scoreSums[to] = scoreSums.sum(from);
                points.scoreSquares[to] = scoreSquares.sum(from);
                points.losses[to] = losses.sum(from);
            }
            // The middle, not the mean: the same bin of two groups must count as one score.
            points.score[point] = (b + 0.5) / bins;
            point++;
        }
        return points;
    }

    @Override
    public void write(ObjectNode node) {
        AccumulatorJson.putCounts(node, "counts", counts);
        if (weights != null) {
            AccumulatorJson.putWeights(node, weights);
        }
        AccumulatorJson.putSums(node, "scores", scoreSums);
        AccumulatorJson.putSums(node, "squared_scores", scoreSquares);
        AccumulatorJson.putSums(node, "losses", losses);
    }

    static BinnedScores read(JsonNode node, int bins) {
        return new BinnedScores(
                bins,
                AccumulatorJson.counts(node, "counts", 2 * bins),
                AccumulatorJson.weights(node, 2 * bins),
                AccumulatorJson.sums(node, "scores", 2 * bins),
                AccumulatorJson.sums(node, "squared_scores", 2 * bins),
                AccumulatorJson.sums(node, "losses", 2 * bins));
    }
}
