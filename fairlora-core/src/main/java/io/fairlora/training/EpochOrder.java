package io.fairlora.training;

import java.util.SplittableRandom;

/** The order in which an epoch visits the examples: a function of seed and epoch alone. */
public final class EpochOrder {

    private EpochOrder() {}

    /**
     * A uniform permutation.
     *
     * @param size the number of examples
     * @param seed the seed of the training
     * @param epoch the epoch, from 0
     * @return each of 0..size-1 once
     */
    public static int[] of(int size, long seed, int epoch) {
        // The odd constant (the golden ratio's bits) keeps neighbouring seeds and epochs apart.
        SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + epoch);
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
