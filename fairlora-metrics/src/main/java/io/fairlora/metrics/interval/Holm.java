package io.fairlora.metrics.interval;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Holm's correction for several tests at once (Holm 1979, "A simple sequentially rejective multiple
 * test procedure").
 */
public final class Holm {

    private Holm() {}

    /**
     * Adjusts p-values so that rejecting those up to alpha makes any false rejection no likelier
     * than alpha: with the values sorted, the i-th of m (from 0) is multiplied by m - i, and none
     * is smaller than the one before it.
     *
     * @param pValues numbers in [0, 1]
     * @return the adjusted values in the same order, at most 1
     * @throws IllegalArgumentException if a value is out of range
     */
    public static double[] adjust(double... pValues) {
        for (double p : pValues) {
            if (!(p >= 0 && p <= 1)) {
                throw new IllegalArgumentException(
                        "p-values are "
                                + Arrays.toString(pValues)
                                + ", expected numbers from 0 to 1");
            }
        }
        int m = pValues.length;
        int[] order =
                IntStream.range(0, m)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> pValues[i]))
                        .mapToInt(Integer::intValue)
                        .toArray();
        double[] adjusted = new double[m];
        double largest = 0;
        for (int i = 0; i < m; i++) {
            largest = Math.max(largest, Math.min(1, (m - i) * pValues[order[i]]));
            adjusted[order[i]] = largest;
        }
        return adjusted;
    }
}
