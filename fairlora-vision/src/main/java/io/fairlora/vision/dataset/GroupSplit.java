package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Divides examples into parts so that no group, such as a person's pictures, is torn apart. */
final class GroupSplit {

    private GroupSplit() {}

    /** The examples of every group, the groups in ascending order. */
    static List<int[]> members(int[] groups) {
        Map<Integer, List<Integer>> members = new TreeMap<>();
        for (int i = 0; i < groups.length; i++) {
            members.computeIfAbsent(groups[i], group -> new ArrayList<>()).add(i);
        }
        return new ArrayList<>(members.values().stream().map(Ints::toArray).toList());
    }

    /** Puts the groups into an order that the generator decides (Fisher and Yates). */
    static void shuffle(List<int[]> groups, SplittableRandom random) {
        for (int i = groups.size() - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int[] other = groups.get(i);
            groups.set(i, groups.get(j));
            groups.set(j, other);
        }
    }

    /**
     * Deals groups out in their order.
     *
     * @param groups the examples of every group
     * @param fractions the part of all examples that each part shall have
     * @return a list of groups for each part; each is off by half a group at most
     */
    static List<List<int[]>> deal(List<int[]> groups, double[] fractions) {
        double total = groups.stream().mapToInt(group -> group.length).sum();
        List<List<int[]>> parts = new ArrayList<>();
        for (int p = 0; p < fractions.length; p++) {
            parts.add(new ArrayList<>());
        }
        int part = 0;
        double bound = fractions[0];
        double dealt = 0;
        for (int[] group : groups) {
            double middle = (dealt + group.length / 2.0) / total;
            while (middle > bound && part < fractions.length - 1) {
                part++;
                bound += fractions[part];
            }
            parts.get(part).add(group);
            dealt += group.length;
        }
        return parts;
    }

    static void checkFractions(double[] fractions) {
        double sum = 0;
        for (double fraction : fractions) {
            checkArgument(
                    fraction >= 0 && fraction <= 1,
                    "a fraction must be from 0 to 1, found %s",
                    fraction);
            sum += fraction;
        }
        checkArgument(
                fractions.length > 0 && Math.abs(sum - 1) < 1e-9,
                "fractions must add up to 1, found %s",
                sum);
    }

    /** All examples of some groups, ascending. */
    static int[] flatten(List<int[]> groups) {
        return groups.stream().flatMapToInt(Arrays::stream).sorted().toArray();
    }
}
