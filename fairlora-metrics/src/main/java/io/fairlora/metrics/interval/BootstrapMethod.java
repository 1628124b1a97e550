package io.fairlora.metrics.interval;

/** How an interval is read off the replicates of a bootstrap. */
public enum BootstrapMethod {
    /**
     * The alpha/2 and 1 - alpha/2 quantiles of the replicates (Efron 1979). Simple; off centre for
     * a statistic with bias, such as the largest of several differences.
     */
    PERCENTILE,
    /**
     * Bias-corrected and accelerated: the quantiles are moved by the median bias of the replicates
     * and by the skewness of the jackknife (Efron 1987, "Better bootstrap confidence intervals").
     */
    BCA
}
