package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableMap;
import io.fairlora.metrics.Group;
import java.util.Map;

/**
 * The figures of one group.
 *
 * @param group the group
 * @param count its examples
 * @param suppressed whether it is too small for its figures to be shown or compared; if so there
 *     are no figures
 * @param figures estimates by name
 */
public record GroupFigures(
        Group group, long count, boolean suppressed, Map<String, Estimate> figures) {

    /** Copies the map. */
    public GroupFigures {
        figures = ImmutableMap.copyOf(figures);
    }
}
