package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableList;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.interval.Interval;
import java.util.List;
import java.util.Optional;

/**
 * A figure of a report with its uncertainty.
 *
 * @param figure the value, or why there is none
 * @param interval its confidence interval, where one is defined
 * @param groups the groups that drive it, the worse off first; empty for a figure of one group
 * @param notes what the figure leaves out
 * @param significance how a difference compares to chance, where it was tested
 */
public record Estimate(
        Figure figure,
        Optional<Interval> interval,
        List<Group> groups,
        List<String> notes,
        Optional<Significance> significance) {

    /** Copies the lists. */
    public Estimate {
        groups = ImmutableList.copyOf(groups);
        notes = ImmutableList.copyOf(notes);
    }

    /**
     * A figure alone.
     *
     * @param figure the value, or why there is none
     * @return the estimate without interval, groups and notes
     */
    public static Estimate of(Figure figure) {
        return of(figure, Optional.empty());
    }

    /**
     * A figure with an interval.
     *
     * @param figure the value, or why there is none
     * @param interval its confidence interval, where one is defined
     * @return the estimate without groups and notes
     */
    public static Estimate of(Figure figure, Optional<Interval> interval) {
        return new Estimate(figure, interval, List.of(), List.of(), Optional.empty());
    }
}
