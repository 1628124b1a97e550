package io.fairlora.metrics;

import java.io.Serializable;

/**
 * A point of a ROC curve: what happens when scores from a threshold up are selected.
 *
 * @param falsePositiveRate share of negatives selected
 * @param truePositiveRate share of positives selected
 * @param threshold the lowest score selected, infinite for the first point
 */
public record RocPoint(double falsePositiveRate, double truePositiveRate, double threshold)
        implements Serializable {}
