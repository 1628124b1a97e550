package io.fairlora.metrics.fairness;

/**
 * How groups are compared.
 *
 * @param comparison what a group is compared to
 * @param undefined what happens to a group whose rate is undefined
 * @param minimumGroupSize groups with fewer examples take no part in a comparison; 0 or more
 * @param classes how the classes of a task with more than two become one figure
 */
public record FairnessOptions(
        Comparison comparison,
        UndefinedPolicy undefined,
        int minimumGroupSize,
        ClassAveraging classes) {

    /**
     * Between groups, skipping groups with an undefined rate, of at least 30 examples, by the worst
     * class.
     */
    public static final FairnessOptions DEFAULT =
            new FairnessOptions(
                    Comparison.betweenGroups(), UndefinedPolicy.SKIP, 30, ClassAveraging.WORST);

    /** Checks the minimum group size. */
    public FairnessOptions {
        if (minimumGroupSize < 0) {
            throw new IllegalArgumentException(
                    "minimum group size is " + minimumGroupSize + ", expected 0 or more");
        }
    }

    /**
     * These options with another comparison.
     *
     * @param newComparison what a group is compared to
     * @return the new options
     */
    public FairnessOptions withComparison(Comparison newComparison) {
        return new FairnessOptions(newComparison, undefined, minimumGroupSize, classes);
    }

    /**
     * These options with another policy.
     *
     * @param policy what happens to a group whose rate is undefined
     * @return the new options
     */
    public FairnessOptions withUndefined(UndefinedPolicy policy) {
        return new FairnessOptions(comparison, policy, minimumGroupSize, classes);
    }

    /**
     * These options with another minimum group size.
     *
     * @param size groups with fewer examples take no part in a comparison; 0 or more
     * @return the new options
     * @throws IllegalArgumentException if the size is negative
     */
    public FairnessOptions withMinimumGroupSize(int size) {
        return new FairnessOptions(comparison, undefined, size, classes);
    }

    /**
     * These options with another averaging of classes.
     *
     * @param averaging how the classes of a task with more than two become one figure
     * @return the new options
     */
    public FairnessOptions withClasses(ClassAveraging averaging) {
        return new FairnessOptions(comparison, undefined, minimumGroupSize, averaging);
    }
}
