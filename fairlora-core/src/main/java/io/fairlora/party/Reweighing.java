package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * Weights under which task label and sensitive attribute are independent (Kamiran and Calders 2012,
 * "Data preprocessing techniques for classification without discrimination", section 5.3). Needs
 * both labels of every example: the reference that a private method is held against.
 */
public final class Reweighing {

    private Reweighing() {}

    /**
     * Computes the weights.
     *
     * @param labels y, one class an example
     * @param classes the number of classes of y
     * @param values s, one class an example
     * @param groups the number of classes of s
     * @return {@code P(y) P(s) / P(y, s)} of each example; their mean is 1 if every cell occurs
     * @throws IllegalArgumentException if the lengths differ
     */
    public static float[] weights(int[] labels, int classes, int[] values, int groups) {
        checkArgument(
                labels.length == values.length,
                "%s labels but %s values of the sensitive attribute",
                labels.length,
                values.length);
        double[] ofLabel = new double[classes];
        double[] ofValue = new double[groups];
        double[][] joint = new double[classes][groups];
        for (int i = 0; i < labels.length; i++) {
            ofLabel[labels[i]]++;
            ofValue[values[i]]++;
            joint[labels[i]][values[i]]++;
        }
        float[] weights = new float[labels.length];
        for (int i = 0; i < weights.length; i++) {
            int y = labels[i];
            int s = values[i];
            weights[i] = (float) (ofLabel[y] * ofValue[s] / (labels.length * joint[y][s]));
        }
        return weights;
    }
}
