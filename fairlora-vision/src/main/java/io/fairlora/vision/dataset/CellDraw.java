package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Ints;
import io.fairlora.vision.dataset.BiasedSplit.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Draws one part from groups of examples, in the groups' order. */
final class CellDraw {

    private final Part part;
    private final boolean natural;
    private final Cells cells;
    private final double[] law;

    CellDraw(Part part, CellLaw law, Cells cells) {
        this.part = part;
        this.natural = law.isNatural();
        this.cells = cells;
        this.law = cells.probabilities(law);
    }

    Part part() {
        return part;
    }

    /**
     * Draws a number of examples.
     *
     * @param size how many
     * @param groups whence; each that has an example still needed is claimed
     * @param others receives the groups that were not claimed
     * @return the examples, ascending
     */
    int[] exactly(int size, List<int[]> groups, List<int[]> others) {
        int[] wanted = apportion(size);
        int[] missing = wanted.clone();
        int[] found = new int[law.length];
        List<Integer> chosen = new ArrayList<>();
        for (int[] group : groups) {
            if (Arrays.stream(group).noneMatch(i -> missing[cells.of(i)] > 0)) {
                others.add(group);
                continue;
            }
            for (int i : group) {
                found[cells.of(i)]++;
            }
            take(group, missing, chosen);
        }
        for (int cell = 0; cell < law.length; cell++) {
            checkArgument(
                    missing[cell] == 0,
                    "%s needs %s examples with %s, only %s are left",
                    part,
                    wanted[cell],
                    cells.describe(cell),
                    found[cell]);
        }
        return sorted(chosen);
    }

    /** Draws as many examples as the law allows, all of them where it is the natural one. */
    int[] asManyAs(List<int[]> groups) {
        if (natural) {
            return GroupSplit.flatten(groups);
        }
        int[] available = new int[law.length];
        for (int[] group : groups) {
            for (int i : group) {
                available[cells.of(i)]++;
            }
        }
        double size = Double.MAX_VALUE;
        for (int cell = 0; cell < law.length; cell++) {
            if (law[cell] > 0) {
                size = Math.min(size, available[cell] / law[cell]);
            }
        }
        int[] missing = new int[law.length];
        for (int cell = 0; cell < law.length; cell++) {
            // The addend makes up for rounding in the scarcest cell, whose product is whole.
            missing[cell] = (int) (size * law[cell] + 1e-6);
            checkArgument(
                    law[cell] == 0 || missing[cell] > 0,
                    "%s gets no example with %s: its share has, cell by cell, %s",
                    part,
                    cells.describe(cell),
                    Ints.asList(available));
        }
        List<Integer> chosen = new ArrayList<>();
        groups.forEach(group -> take(group, missing, chosen));
        return sorted(chosen);
    }

    private void take(int[] group, int[] missing, List<Integer> chosen) {
        for (int i : group) {
            if (missing[cells.of(i)] > 0) {
                missing[cells.of(i)]--;
                chosen.add(i);
            }
        }
    }

    private static int[] sorted(List<Integer> chosen) {
        return chosen.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /** Whole numbers that add up to the size, by the method of largest remainders. */
    private int[] apportion(int size) {
        int[] counts = new int[law.length];
        double[] remainders = new double[law.length];
        int rest = size;
        for (int cell = 0; cell < law.length; cell++) {
            counts[cell] = (int) (law[cell] * size + 1e-9);
            remainders[cell] = law[cell] * size - counts[cell];
            rest -= counts[cell];
        }
        for (; rest > 0; rest--) {
            int largest = 0;
            for (int cell = 1; cell < law.length; cell++) {
                if (remainders[cell] > remainders[largest]) {
                    largest = cell;
                }
            }
            counts[largest]++;
            remainders[largest]--;
        }
        return counts;
    }
}
