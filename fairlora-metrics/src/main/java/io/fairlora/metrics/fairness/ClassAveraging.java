package io.fairlora.metrics.fairness;

/** How the comparisons of each class against the rest become one, in a task of several classes. */
public enum ClassAveraging {
    /** The class with the largest difference or the smallest ratio: no class may be unfair. */
    WORST,
    /** The mean over the classes, each with the same weight. */
    MACRO
}
