package io.fairlora.metrics.report;

/**
 * How a gap between groups compares to what chance makes of a fair model.
 *
 * @param pValue the chance of a gap as large if the groups had the same rates
 * @param exact whether the p-value comes from all outcomes rather than from random permutations
 * @param expectedIfFair the mean gap if the groups had the same rates: the largest difference is
 *     above zero even then
 * @param biasCorrected the gap less its bias as the bootstrap estimates it; may be negative
 */
public record Significance(
        double pValue, boolean exact, double expectedIfFair, double biasCorrected) {}
