package io.fairlora.metrics.interval;

import java.io.Serializable;

/**
 * The outcome of a test of "all groups have the same rate".
 *
 * @param gap the largest difference found
 * @param pValue the chance of a gap as large or larger if the rates were the same
 * @param exact whether all outcomes were enumerated; if not, the p-value is (b + 1) / (m + 1) over
 *     m random permutations, b of which had such a gap
 * @param expectedGap the mean gap if the rates were the same: above zero, because the largest
 *     difference is never negative
 */
public record GapTest(double gap, double pValue, boolean exact, double expectedGap)
        implements Serializable {}
