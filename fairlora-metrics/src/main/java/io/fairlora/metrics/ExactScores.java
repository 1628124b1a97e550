package io.fairlora.metrics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serial;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Keeps every score of a group: exact, in memory that grows with the number of examples. */
final class ExactScores implements ScoreStore {
    @Serial private static final long serialVersionUID = 1L;

    private final Column[] columns = {new Column(), new Column()};

    /** The scores of one label. */
    private static final class Column implements java.io.Serializable {
        @Serial private static final long serialVersionUID = 1L;
        private double[] scores = new double[16];
        private double @Nullable [] weights;
        private int size;

        void add(double score, double weight) {
            if (size == scores.length) {
                int length = Math.addExact(size, size / 2);
                scores = Arrays.copyOf(scores, length);
                weights = weights == null ? null : Arrays.copyOf(weights, length);
            }
            if (weights == null && weight != 1) {
                weights = new double[scores.length];
                Arrays.fill(weights, 0, size, 1);
            }
            scores[size] = score;
            if (weights != null) {
                weights[size] = weight;
            }
            size++;
        }

        double weight(int i) {
            return weights == null ? 1 : weights[i];
        }

        /** Orders by score, then by weight, so that sums do not depend on the order of adding. */
        void sort() {
            if (weights == null) {
                Arrays.sort(scores, 0, size);
                return;
            }
            double[] w = weights;
            double[] s = scores;
            int[] order =
                    IntStream.range(0, size)
                            .boxed()
                            .sorted(
                                    (a, b) ->
                                            s[a] == s[b]
                                                    ? Double.compare(w[a], w[b])
                                                    : Double.compare(s[a], s[b]))
                            .mapToInt(Integer::intValue)
                            .toArray();
            double[] sortedScores = new double[s.length];
            double[] sortedWeights = new double[s.length];
            for (int i = 0; i < size; i++) {
                sortedScores[i] = s[order[i]];
                sortedWeights[i] = w[order[i]];
            }
            scores = sortedScores;
            weights = sortedWeights;
        }
    }

    @Override
    public void add(int label, double score, double weight) {
        // Adding 0 turns -0 into 0, which are one score.
        columns[label].add(score + 0.0, weight);
    }

    @Override
    public void merge(ScoreStore other) {
        ExactScores that = (ExactScores) other;
        for (int y = 0; y < 2; y++) {
            int size = that.columns[y].size;
            for (int i = 0; i < size; i++) {
                columns[y].add(that.columns[y].scores[i], that.columns[y].weight(i));
            }
        }
    }

    @Override
    public ScorePoints points() {
        columns[0].sort();
        columns[1].sort();
        int points = walk(null);
        ScorePoints result = new ScorePoints(points);
        walk(result);
        return result;
    }

    /** Goes through both columns by increasing score; returns the number of different scores. */
    private int walk(@Nullable ScorePoints target) {
        int[] next = {0, 0};
        int point = 0;
        while (next[0] < columns[0].size || next[1] < columns[1].size) {
            double score = Double.POSITIVE_INFINITY;
            for (int y = 0; y < 2; y++) {
                if (next[y] < columns[y].size) {
                    score = Math.min(score, columns[y].scores[next[y]]);
                }
            }
            for (int y = 0; y < 2; y++) {
                int start = next[y];
                while (next[y] < columns[y].size && columns[y].scores[next[y]] == score) {
                    next[y]++;
                }
                if (target != null) {
                    fill(target, point, y, start, next[y], score);
                }
            }
            point++;
        }
        return point;
    }

    private void fill(ScorePoints target, int point, int y, int start, int end, double score) {
        WeightSums sums = WeightSums.ofCounts(new long[1]);
        if (columns[y].weights == null) {
            sums.addOnes(0, end - start);
        } else {
            for (int i = start; i < end; i++) {
                sums.add(0, columns[y].weight(i));
            }
        }
        int cell = 2 * point + y;
        double weight = sums.weights().sum(0);
        target.score[point] = score;
        target.counts[cell] = (long) end - start;
        target.weights[cell] = weight;
        target.squares[cell] = sums.squares().sum(0);
        target.scoreSums[cell] = weight * score;
        target.scoreSquares[cell] = weight * score * score;
        target.losses[cell] = weight * ScorePoints.loss(y, score);
    }

    @Override
    public void write(ObjectNode node) {
        for (int y = 0; y < 2; y++) {
            Column column = columns[y];
            column.sort();
            ArrayNode scores = node.putArray("scores_" + y);
            for (int i = 0; i < column.size; i++) {
                scores.add(column.scores[i]);
            }
            if (column.weights != null) {
                ArrayNode weights = node.putArray("weights_" + y);
                for (int i = 0; i < column.size; i++) {
                    weights.add(column.weights[i]);
                }
            }
        }
    }

    static ExactScores read(JsonNode node) {
        ExactScores store = new ExactScores();
        for (int y = 0; y < 2; y++) {
            int n = node.path("scores_" + y).size();
            double[] scores = AccumulatorJson.numbers(node, "scores_" + y, n);
            double[] weights =
                    node.has("weights_" + y)
                            ? AccumulatorJson.numbers(node, "weights_" + y, n)
                            : null;
            for (int i = 0; i < n; i++) {
                double weight = weights == null ? 1 : weights[i];
                WeightSums.check(weight, i);
                store.add(y, scores[i], weight);
            }
        }
        return store;
    }
}
