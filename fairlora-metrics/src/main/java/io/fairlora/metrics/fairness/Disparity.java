package io.fairlora.metrics.fairness;

import com.google.common.collect.ImmutableList;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import java.util.List;

/**
 * The outcome of a comparison of groups.
 *
 * @param figure the difference or ratio
 * @param groups the groups that drive it: the worse off first, then the better off or the
 *     reference; one group when it is compared to everybody, none when undefined or averaged
 * @param notes what the figure leaves out, such as groups skipped because their rate is undefined
 */
public record Disparity(Figure figure, List<Group> groups, List<String> notes) {

    /** Copies the lists. */
    public Disparity {
        groups = ImmutableList.copyOf(groups);
        notes = ImmutableList.copyOf(notes);
    }

    static Disparity undefined(String reason, List<String> notes) {
        return new Disparity(Figure.undefined(reason), ImmutableList.of(), notes);
    }
}
