package io.fairlora.metrics;

import ai.djl.ndarray.NDArray;
import com.google.common.collect.ImmutableList;
import java.util.Arrays;

/**
 * Turns a continuous sensitive attribute, such as age, into groups: half-open bins between given
 * edges. {@code Bins.of("age", 18, 40)} makes (-inf, 18), [18, 40) and [40, inf).
 */
public final class Bins {
    private final double[] edges;
    private final ImmutableList<Group> groups;

    private Bins(String attribute, double[] edges) {
        this.edges = edges;
        ImmutableList.Builder<Group> names = ImmutableList.builder();
        for (int i = 0; i <= edges.length; i++) {
            String low = i == 0 ? "(-inf" : "[" + number(edges[i - 1]);
            String high = i == edges.length ? "inf)" : number(edges[i]) + ")";
            names.add(Group.of(attribute, low + ", " + high));
        }
        this.groups = names.build();
    }

    /**
     * Bins between edges; each edge belongs to the bin above it.
     *
     * @param attribute the sensitive attribute's name
     * @param edges one or more finite numbers in increasing order
     * @return one bin more than there are edges
     * @throws IllegalArgumentException if there are no edges or they do not increase
     */
    public static Bins of(String attribute, double... edges) {
        boolean increasing = edges.length > 0;
        for (int i = 0; i < edges.length; i++) {
            increasing &= Double.isFinite(edges[i]) && (i == 0 || edges[i] > edges[i - 1]);
        }
        if (!increasing) {
            throw new IllegalArgumentException(
                    "edges of "
                            + attribute
                            + " are "
                            + Arrays.toString(edges)
                            + ", expected one or more finite numbers in increasing order");
        }
        return new Bins(attribute, edges.clone());
    }

    private static String number(double edge) {
        return edge == Math.rint(edge) && Math.abs(edge) < 1e15
                ? Long.toString((long) edge)
                : Double.toString(edge);
    }

    /**
     * The bins as groups.
     *
     * @return the groups by code
     */
    public ImmutableList<Group> groups() {
        return groups;
    }

    /**
     * The bin of a value.
     *
     * @param value any number but NaN
     * @return the code of its group
     * @throws IllegalArgumentException if the value is NaN
     */
    public int codeOf(double value) {
        if (Double.isNaN(value)) {
            throw new IllegalArgumentException("value is NaN, expected a number to put into a bin");
        }
        int found = Arrays.binarySearch(edges, value + 0.0);
        return found >= 0 ? found + 1 : -found - 1;
    }

    /**
     * The bins of values.
     *
     * @param values numbers but NaN
     * @return the codes of their groups
     * @throws IllegalArgumentException if a value is NaN
     */
    public int[] codesOf(double... values) {
        return Arrays.stream(values).mapToInt(this::codeOf).toArray();
    }

    /**
     * The bins of values.
     *
     * @param values numbers but NaN, of any shape and numeric type
     * @return the codes of their groups, in row-major order
     * @throws IllegalArgumentException if a value is NaN
     */
    public int[] codesOf(NDArray values) {
        return codesOf(HostArrays.doubles(values));
    }
}
