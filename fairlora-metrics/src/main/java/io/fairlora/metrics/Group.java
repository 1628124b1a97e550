package io.fairlora.metrics;

import com.google.common.base.Joiner;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import java.io.Serial;
import java.io.Serializable;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A group of people: a value for each of one or more sensitive attributes, such as {@code sex=F} or
 * the intersection {@code sex=F, race=Black}.
 *
 * <p>Groups are ordered by their attributes, then by their values; runs of digits compare as
 * numbers, so that {@code 9} comes before {@code 10}.
 */
public final class Group implements Comparable<Group>, Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final ImmutableMap<String, String> attributes;

    private Group(ImmutableMap<String, String> attributes) {
        if (attributes.isEmpty()) {
            throw new IllegalArgumentException("a group needs at least one attribute, found none");
        }
        this.attributes = attributes;
    }

    /**
     * The group with one value of one attribute.
     *
     * @param attribute the sensitive attribute's name
     * @param value the group's value of it
     * @return the group
     */
    public static Group of(String attribute, String value) {
        return new Group(ImmutableMap.of(attribute, value));
    }

    /**
     * An intersection of two attributes.
     *
     * @param attribute1 the first attribute's name
     * @param value1 its value
     * @param attribute2 the second attribute's name, another one
     * @param value2 its value
     * @return the group
     * @throws IllegalArgumentException if both attributes have the same name
     */
    public static Group of(String attribute1, String value1, String attribute2, String value2) {
        return new Group(ImmutableMap.of(attribute1, value1, attribute2, value2));
    }

    /**
     * An intersection of any number of attributes.
     *
     * @param attributes value by attribute, in the order in which they are shown; not empty
     * @return the group
     * @throws IllegalArgumentException if the map is empty
     */
    public static Group of(Map<String, String> attributes) {
        return new Group(ImmutableMap.copyOf(attributes));
    }

    /**
     * The groups of one attribute.
     *
     * @param attribute the sensitive attribute's name
     * @param values its values; the position of each is its code
     * @return a group for each value, in the same order
     */
    public static List<Group> values(String attribute, String... values) {
        ImmutableList.Builder<Group> groups = ImmutableList.builder();
        for (String value : values) {
            groups.add(of(attribute, value));
        }
        return groups.build();
    }

    /**
     * All intersections of the groups of two attributes. The code of {@code (i, j)} is {@code i *
     * second.size() + j}.
     *
     * @param first groups of some attributes
     * @param second groups of other attributes
     * @return {@code first.size() * second.size()} groups
     * @throws IllegalArgumentException if an attribute occurs on both sides
     */
    public static List<Group> cross(List<Group> first, List<Group> second) {
        ImmutableList.Builder<Group> groups = ImmutableList.builder();
        for (Group a : first) {
            for (Group b : second) {
                groups.add(
                        new Group(
                                ImmutableMap.<String, String>builder()
                                        .putAll(a.attributes)
                                        .putAll(b.attributes)
                                        .buildOrThrow()));
            }
        }
        return groups.build();
    }

    /**
     * The attributes and their values.
     *
     * @return value by attribute, in order; immutable
     */
    public ImmutableMap<String, String> attributes() {
        return attributes;
    }

    /**
     * The values alone, for a table whose heading names the attributes.
     *
     * @return the values joined by ", "
     */
    public String label() {
        return Joiner.on(", ").join(attributes.values());
    }

    @Override
    public int compareTo(Group other) {
        Iterator<Map.Entry<String, String>> a = attributes.entrySet().iterator();
        Iterator<Map.Entry<String, String>> b = other.attributes.entrySet().iterator();
        while (a.hasNext() && b.hasNext()) {
            Map.Entry<String, String> x = a.next();
            Map.Entry<String, String> y = b.next();
            int order = x.getKey().compareTo(y.getKey());
            if (order == 0) {
                order = compareNaturally(x.getValue(), y.getValue());
            }
            if (order != 0) {
                return order;
            }
        }
        return Boolean.compare(a.hasNext(), b.hasNext());
    }

    private static int compareNaturally(String a, String b) {
        int i = 0;
        int j = 0;
        while (i < a.length() && j < b.length()) {
            int endA = endOfDigits(a, i);
            int endB = endOfDigits(b, j);
            int order;
            if (endA > i && endB > j) {
                String x = stripZeros(a.substring(i, endA));
                String y = stripZeros(b.substring(j, endB));
                order =
                        x.length() == y.length()
                                ? x.compareTo(y)
                                : Integer.compare(x.length(), y.length());
                i = endA;
                j = endB;
            } else {
                order = Character.compare(a.charAt(i++), b.charAt(j++));
            }
            if (order != 0) {
                return order;
            }
        }
        int order = Integer.compare(a.length() - i, b.length() - j);
        return order != 0 ? order : a.compareTo(b);
    }

    private static int endOfDigits(String text, int start) {
        int end = start;
        while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
            end++;
        }
        return end;
    }

    private static String stripZeros(String digits) {
        int start = 0;
        while (start < digits.length() - 1 && digits.charAt(start) == '0') {
            start++;
        }
        return digits.substring(start);
    }

    /** Two groups are equal if they have the same values of the same attributes in one order. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Group that
                && attributes.entrySet().asList().equals(that.attributes.entrySet().asList());
    }

    @Override
    public int hashCode() {
        return attributes.hashCode();
    }

    @Override
    public String toString() {
        return Joiner.on(", ").withKeyValueSeparator("=").join(attributes);
    }
}
