package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import com.google.common.base.Strings;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.Longs;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How many numbers are trained, and how many there are, as PEFT's {@code
 * print_trainable_parameters} says it.
 *
 * @param backbone the number of the backbone's own parameters
 * @param replaced how many of them a trained bias replaces
 * @param tensors the shapes of what is trained by name
 */
public record TrainableParameters(long backbone, long replaced, Map<String, List<Long>> tensors) {

    private static final int SHAPE_WIDTH = 16;
    private static final int SIZE_WIDTH = 12;

    /** Copies the map, and refuses numbers below 0 and more replaced than there are. */
    public TrainableParameters {
        checkArgument(
                replaced >= 0 && backbone >= replaced,
                "of %s parameters %s cannot be replaced",
                backbone,
                replaced);
        ImmutableMap.Builder<String, List<Long>> copy = ImmutableMap.builder();
        tensors.forEach((name, shape) -> copy.put(name, ImmutableList.copyOf(shape)));
        tensors = copy.buildOrThrow();
    }

    /** What an adapter trains in a backbone. */
    static TrainableParameters of(Backbone backbone, InjectedLora adapter) {
        ImmutableMap.Builder<String, List<Long>> tensors = ImmutableMap.builder();
        long replaced = 0;
        for (Map.Entry<String, NDArray> entry : adapter.parameters().entrySet()) {
            long[] shape = entry.getValue().getShape().getShape();
            tensors.put(entry.getKey(), Longs.asList(shape));
            if (adapter.isBackboneBias(entry.getKey())) {
                replaced += entry.getValue().size();
            }
        }
        return new TrainableParameters(backbone.parameterCount(), replaced, tensors.buildOrThrow());
    }

    /**
     * The same with one more trained tensor, such as that of a head.
     *
     * @param name its name
     * @param shape its dimensions
     * @return a summary
     */
    public TrainableParameters with(String name, long... shape) {
        ImmutableMap.Builder<String, List<Long>> more = ImmutableMap.builder();
        more.putAll(tensors).put(name, Longs.asList(shape));
        return new TrainableParameters(backbone, replaced, more.buildOrThrow());
    }

    /**
     * The number of trained numbers.
     *
     * @return at least 0
     */
    public long trainable() {
        return tensors.values().stream().mapToLong(TrainableParameters::size).sum();
    }

    /**
     * The number of all numbers. A trained bias counts once, a trained copy of a whole module
     * beside the frozen one.
     *
     * @return those of the backbone and the trained ones
     */
    public long all() {
        return backbone - replaced + trainable();
    }

    /**
     * The share that is trained.
     *
     * @return in percent of {@link #all}; 0 if there is nothing
     */
    public double percentage() {
        return all() == 0 ? 0 : 100.0 * trainable() / all();
    }

    /**
     * A table of the trained tensors.
     *
     * @return one line each of name, shape and size, under a line of headings
     */
    public String table() {
        int width = "trained".length();
        for (String name : tensors.keySet()) {
            width = Math.max(width, name.length());
        }
        StringBuilder text = new StringBuilder(row(width, "trained", "shape", "parameters"));
        for (Map.Entry<String, List<Long>> entry : tensors.entrySet()) {
            String size = String.format(Locale.ROOT, "%,d", size(entry.getValue()));
            text.append(row(width, entry.getKey(), entry.getValue().toString(), size));
        }
        return text.toString();
    }

    private static String row(int width, String name, String shape, String size) {
        return Strings.padEnd(name, width + 2, ' ')
                + Strings.padEnd(shape, SHAPE_WIDTH, ' ')
                + Strings.padStart(size, SIZE_WIDTH, ' ')
                + "\n";
    }

    private static long size(List<Long> shape) {
        return shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact);
    }

    /**
     * PEFT's line.
     *
     * @return {@code trainable params: 1,234 || all params: 5,678 || trainable%: 21.7330}
     */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "trainable params: %,d || all params: %,d || trainable%%: %.4f",
                trainable(),
                all(),
                percentage());
    }
}
