package io.fairlora.metrics.fairness;

import io.fairlora.metrics.Group;

/** What a group is compared to. */
public sealed interface Comparison {

    /**
     * The largest rate of any group against the smallest: differences are max - min, ratios min /
     * max (Fairlearn's {@code between_groups}).
     */
    record BetweenGroups() implements Comparison {
        @Override
        public String toString() {
            return "between groups";
        }
    }

    /**
     * Each group against everybody, itself included: differences are the largest |rate - overall|,
     * ratios the smallest of rate / overall and overall / rate (Fairlearn's {@code to_overall}).
     */
    record ToOverall() implements Comparison {
        @Override
        public String toString() {
            return "to overall";
        }
    }

    /**
     * Each group against one group: the signed difference rate - reference of largest size, or the
     * ratio rate / reference that is furthest from 1.
     *
     * @param group the reference group
     */
    record ToReference(Group group) implements Comparison {
        @Override
        public String toString() {
            return "to reference " + group;
        }
    }

    /**
     * The largest rate of any group against the smallest.
     *
     * @return the comparison
     */
    static Comparison betweenGroups() {
        return new BetweenGroups();
    }

    /**
     * Each group against everybody.
     *
     * @return the comparison
     */
    static Comparison toOverall() {
        return new ToOverall();
    }

    /**
     * Each group against one group.
     *
     * @param group the reference group
     * @return the comparison
     */
    static Comparison toReference(Group group) {
        return new ToReference(group);
    }
}
