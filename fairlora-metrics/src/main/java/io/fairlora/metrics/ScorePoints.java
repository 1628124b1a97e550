package io.fairlora.metrics;

/**
 * Examples grouped by score. Index {@code i} of {@link #score} is a point; the other arrays hold
 * its negatives at {@code 2 i} and its positives at {@code 2 i + 1}.
 */
final class ScorePoints {
    final double[] score;
    final long[] counts;
    final double[] weights;
    final double[] squares;
    final double[] scoreSums;
    final double[] scoreSquares;
    final double[] losses;

    ScorePoints(int points) {
        score = new double[points];
        counts = new long[2 * points];
        weights = new double[2 * points];
        squares = new double[2 * points];
        scoreSums = new double[2 * points];
        scoreSquares = new double[2 * points];
        losses = new double[2 * points];
    }

    int size() {
        return score.length;
    }

    /** -ln of the probability given to the label, which is kept an epsilon off 0 and 1. */
    static double loss(int label, double score) {
        double kept = Math.min(Math.max(score, Math.ulp(1.0)), 1 - Math.ulp(1.0));
        return label == 1 ? -Math.log(kept) : -Math.log1p(-kept);
    }
}
