package io.fairlora.metrics;

import java.io.Serializable;

/**
 * The examples with scores in one bin of a reliability diagram.
 *
 * @param meanScore mean of their scores
 * @param observed share of positives among them
 * @param count their number
 * @param effectiveCount (sum w)^2 / sum w^2, the same without weights
 */
public record CalibrationBin(double meanScore, double observed, long count, double effectiveCount)
        implements Serializable {}
