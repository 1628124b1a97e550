package io.fairlora.metrics.fairness;

import io.fairlora.metrics.BinaryConfusion;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import java.util.ArrayList;
import java.util.List;

/**
 * Inequality of the benefit b = prediction - label + 1 over individuals: 0 for a false negative, 1
 * for a correct prediction, 2 for a false positive (Speicher et al. 2018, "A unified approach to
 * quantifying algorithmic unfairness", sections 2 and 3). Weighted examples count as often as their
 * weight. All groups take part, whatever their size, as in the paper; tasks are binary.
 */
public final class Inequality {

    private Inequality() {}

    /**
     * Generalized entropy index: 1 / (n alpha (alpha - 1)) sum((b / mean)^alpha - 1); for alpha 1
     * the Theil index, for alpha 0 the mean log deviation -1/n sum ln(b / mean).
     *
     * @param snapshot predictions counted by group
     * @param alpha any finite number; 2 is usual
     * @return the index, 0 if everybody has the same benefit; undefined if the mean benefit is 0,
     *     or if some benefit is 0 and {@code alpha} is 0 or less
     * @throws IllegalStateException if the task is not binary
     */
    public static Figure generalizedEntropy(ConfusionSnapshot snapshot, double alpha) {
        BinaryConfusion cells = snapshot.overallConfusion();
        return entropy(
                new double[] {0, 1, 2},
                new double[] {cells.falseNegatives(), cells.correct(), cells.falsePositives()},
                alpha);
    }

    /**
     * Theil index: the generalized entropy index for alpha 1, 1/n sum (b / mean) ln(b / mean).
     *
     * @param snapshot predictions counted by group
     * @return the index
     * @throws IllegalStateException if the task is not binary
     */
    public static Figure theil(ConfusionSnapshot snapshot) {
        return generalizedEntropy(snapshot, 1);
    }

    /**
     * Coefficient of variation: standard deviation over mean of the benefit, sqrt(2 GEI(2)).
     *
     * @param snapshot predictions counted by group
     * @return the coefficient
     * @throws IllegalStateException if the task is not binary
     */
    public static Figure coefficientOfVariation(ConfusionSnapshot snapshot) {
        return generalizedEntropy(snapshot, 2).map(index -> Math.sqrt(2 * index));
    }

    /**
     * The part of the index that lies between groups: everybody gets the mean benefit of the group.
     *
     * @param snapshot predictions counted by group
     * @param alpha any finite number; 2 is usual
     * @return the index, 0 if all groups have the same mean benefit
     * @throws IllegalStateException if the task is not binary
     */
    public static Figure betweenGroups(ConfusionSnapshot snapshot, double alpha) {
        List<Group> groups = snapshot.groups();
        double[] benefits = new double[groups.size()];
        double[] weights = new double[groups.size()];
        for (int g = 0; g < benefits.length; g++) {
            BinaryConfusion cells = snapshot.confusion(groups.get(g));
            weights[g] = cells.total();
            benefits[g] =
                    weights[g] == 0
                            ? 0
                            : (cells.correct() + 2 * cells.falsePositives()) / weights[g];
        }
        return entropy(benefits, weights, alpha);
    }

    /**
     * Generalized entropy index of given benefits.
     *
     * @param benefits numbers of 0 or more
     * @param weights how many examples have each of them
     * @param alpha any finite number
     * @return the index
     * @throws IllegalArgumentException if the lengths differ or a number is negative
     */
    public static Figure entropy(double[] benefits, double[] weights, double alpha) {
        if (benefits.length != weights.length) {
            throw new IllegalArgumentException(
                    "found "
                            + benefits.length
                            + " benefits and "
                            + weights.length
                            + " weights, expected as many");
        }
        double total = 0;
        double sum = 0;
        for (int i = 0; i < benefits.length; i++) {
            if (!(benefits[i] >= 0) || !(weights[i] >= 0)) {
                throw new IllegalArgumentException(
                        "benefit "
                                + benefits[i]
                                + " has weight "
                                + weights[i]
                                + ", expected numbers of 0 or more");
            }
            total += weights[i];
            sum += weights[i] * benefits[i];
        }
        if (total == 0 || sum == 0) {
            return Figure.undefined(total == 0 ? "no examples" : "the mean benefit is 0");
        }
        double mean = sum / total;
        List<Double> terms = new ArrayList<>();
        for (int i = 0; i < benefits.length; i++) {
            if (weights[i] > 0) {
                if (benefits[i] == 0 && alpha <= 0) {
                    return Figure.undefined("a benefit is 0 and alpha is not above 0");
                }
                terms.add(weights[i] * term(benefits[i] / mean, alpha));
            }
        }
        double index = terms.stream().mapToDouble(Double::doubleValue).sum() / total;
        return Figure.of(Math.max(0, index));
    }

    private static double term(double ratio, double alpha) {
        if (alpha == 1) {
            return ratio == 0 ? 0 : ratio * Math.log(ratio);
        }
        if (alpha == 0) {
            return -Math.log(ratio);
        }
        return (Math.pow(ratio, alpha) - 1) / (alpha * (alpha - 1));
    }
}
