package io.fairlora.metrics.fairness;

/** What a comparison does with a group whose rate is undefined. */
public enum UndefinedPolicy {
    /** Leaves the group out and says so in the result's notes. */
    SKIP,
    /** Makes the comparison undefined, with the group's reason. */
    PROPAGATE,
    /** Throws an {@link IllegalStateException} with the group's reason. */
    FAIL
}
