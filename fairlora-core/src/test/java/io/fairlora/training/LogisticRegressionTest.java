package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.fairlora.ndarray.HostTensor;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LogisticRegressionTest {

    private static final int N = 300;
    private static final int D = 5;
    private static final double L2 = 1e-3;

    private NDManager manager;
    private final float[][] x = new float[N][D];

    @BeforeEach
    void setUp() {
        manager = NDManager.newBaseManager("PyTorch");
    }

    @AfterEach
    void tearDown() {
        manager.close();
    }

    /** Overlapping classes on axes of very different scale and offset. */
    private int[] draw(int classes, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int[] labels = new int[N];
        for (int i = 0; i < N; i++) {
            // The first class is the most frequent.
            labels[i] = Math.max(0, random.nextInt(classes + 2) - 2);
            for (int j = 0; j < D; j++) {
                double shift = j == labels[i] ? 1.2 : 0;
                x[i][j] = (float) ((random.nextGaussian() + shift) * Math.pow(10, j - 2) + 3 * j);
            }
        }
        return labels;
    }

    private NDArray features() {
        return manager.create(x);
    }

    private static float[] ones() {
        float[] ones = new float[N];
        Arrays.fill(ones, 1);
        return ones;
    }

    /**
     * The norm of the objective's gradient at a fit, written out: standardised features, mean
     * weighted cross-entropy, half the penalty times the squared weights.
     */
    private double gradientNorm(
            LinearHead.Weights fit, int[] labels, int classes, float[] weights) {
        double[] mean = new double[D];
        double[] deviation = new double[D];
        for (int j = 0; j < D; j++) {
            for (float[] row : x) {
                mean[j] += row[j] / N;
            }
            for (float[] row : x) {
                deviation[j] += Math.pow(row[j] - mean[j], 2) / N;
            }
            deviation[j] = Math.sqrt(deviation[j]);
        }
        double total = 0;
        for (float weight : weights) {
            total += weight;
        }
        double[][] gradient = new double[classes][D + 1];
        for (int k = 0; k < classes; k++) {
            for (int j = 0; j < D; j++) {
                gradient[k][j] = L2 * fit.weight().get(k * D + j) * deviation[j];
            }
        }
        for (int i = 0; i < N; i++) {
            double[] p = probabilities(fit, x[i], classes);
            for (int k = 0; k < classes; k++) {
                double slope = (p[k] - (labels[i] == k ? 1 : 0)) * weights[i] / total;
                for (int j = 0; j < D; j++) {
                    gradient[k][j] += slope * (x[i][j] - mean[j]) / deviation[j];
                }
                gradient[k][D] += slope;
            }
        }
        double sum = 0;
        for (double[] row : gradient) {
            for (double slope : row) {
                sum += slope * slope;
            }
        }
        return Math.sqrt(sum);
    }

    private static double[] probabilities(LinearHead.Weights fit, float[] row, int classes) {
        double[] p = new double[classes];
        double sum = 0;
        for (int k = 0; k < classes; k++) {
            double logit = fit.bias().get(k);
            for (int j = 0; j < D; j++) {
                logit += (double) fit.weight().get(k * D + j) * row[j];
            }
            p[k] = Math.exp(logit);
            sum += p[k];
        }
        for (int k = 0; k < classes; k++) {
            p[k] /= sum;
        }
        return p;
    }

    @Test
    void theGradientVanishesAtTheFit() {
        for (int classes = 2; classes <= 4; classes++) {
            int[] labels = draw(classes, classes);
            for (float[] weights :
                    new float[][] {ones(), LogisticRegression.balanced(labels, classes)}) {
                LinearHead.Weights fit =
                        LogisticRegression.fit(features(), labels, classes, weights);
                LinearHead.Weights zero =
                        new LinearHead.Weights(
                                HostTensor.of(new float[classes * D], classes, D),
                                HostTensor.of(new float[classes], classes));
                assertThat(gradientNorm(zero, labels, classes, weights)).isGreaterThan(0.1);
                assertThat(gradientNorm(fit, labels, classes, weights)).isLessThan(1e-3);
            }
        }
    }

    @Test
    void theOrderOfTheExamplesDoesNotMatter() {
        int[] labels = draw(3, 7);
        HostTensor before = LogisticRegression.fit(features(), labels, 3, ones()).weight();
        int[] order = EpochOrder.of(N, 1, 0);
        float[][] rows = Arrays.stream(order).mapToObj(i -> x[i]).toArray(float[][]::new);
        int[] moved = Arrays.stream(order).map(i -> labels[i]).toArray();
        HostTensor after = LogisticRegression.fit(manager.create(rows), moved, 3, ones()).weight();
        assertThat(after.toArray()).containsExactly(before.toArray(), within(1e-3f));
    }

    @Test
    void anExampleOfWeightTwoCountsAsTwo() {
        int[] labels = draw(2, 9);
        float[] weights = ones();
        weights[0] = 2;
        weights[1] = 0;
        LinearHead.Weights weighted = LogisticRegression.fit(features(), labels, 2, weights);
        assertThat(gradientNorm(weighted, labels, 2, weights)).isLessThan(1e-3);
        assertThat(weighted).isNotEqualTo(LogisticRegression.fit(features(), labels, 2, ones()));
    }

    @Test
    void aFeatureThatIsAlwaysTheSameDoesNoHarm() {
        int[] labels = draw(2, 3);
        for (float[] row : x) {
            row[4] = 7;
        }
        LinearHead.Weights fit = LogisticRegression.fit(features(), labels, 2, ones());
        assertThat(fit.weight().isFinite()).isTrue();
        int[] predictions = LogisticRegression.predict(fit, features());
        assertThat(LogisticRegression.balancedAccuracy(labels, predictions, 2)).isGreaterThan(0.6);
    }

    @Test
    void predictionsAreTheLargestLogit() {
        LinearHead.Weights head =
                new LinearHead.Weights(
                        HostTensor.of(new float[] {1, 0, -1, 0, 0, 1}, 3, 2),
                        HostTensor.of(new float[] {0, 0, 0.5f}, 3));
        NDArray features = manager.create(new float[][] {{3, 0}, {-3, 0}, {0, 0}, {1, 4}});
        assertThat(LogisticRegression.predict(head, features)).containsExactly(0, 1, 2, 2);
        assertThat(LogisticRegression.argMax(HostTensor.of(new float[] {1, 1, 0, 2, 3, 3}, 2, 3)))
                .containsExactly(0, 1);
    }

    @Test
    void balancedWeightsGiveEveryClassThatOccursTheSameSum() {
        assertThat(LogisticRegression.balanced(new int[] {0, 0, 0, 2}, 3))
                .containsExactly(new float[] {2 / 3f, 2 / 3f, 2 / 3f, 2}, within(1e-6f));
        assertThat(
                        LogisticRegression.balancedAccuracy(
                                new int[] {0, 0, 0, 2}, new int[] {0, 0, 1, 2}, 3))
                .isCloseTo((2 / 3.0 + 1) / 2, within(1e-6));
    }

    @Test
    void countsThatDifferAreRefused() {
        NDArray features = manager.zeros(new Shape(3, 2));
        assertThatThrownBy(() -> LogisticRegression.fit(features, new int[2], 2, new float[3]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("features of shape (3, 2), 2 labels and 3 weights do not fit together");
    }

    @Test
    void nothingIsLeftOfAFit() {
        int[] labels = draw(2, 1);
        NDArray features = features();
        LinearHead.Weights fit = LogisticRegression.fit(features, labels, 2, ones());
        int handles = Handles.of(manager);
        for (int i = 0; i < 3; i++) {
            assertThat(LogisticRegression.fit(features, labels, 2, ones())).isEqualTo(fit);
            LogisticRegression.predict(fit, features);
        }
        assertThat(Handles.of(manager)).isEqualTo(handles);
    }
}
