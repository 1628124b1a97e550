package io.fairlora.training;

import io.fairlora.lora.InputSpec;
import io.fairlora.party.AuditImages;
import io.fairlora.party.SensitiveImages;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Images of noise in which a task label and a sensitive attribute each brighten some pixels, for
 * tests; of any size asked for.
 */
public final class TinyFaces implements Images {

    private final int[] labels;
    private final int[] values;
    private final List<String> classes;
    private final List<String> groups;
    private final long seed;

    private TinyFaces(int[] labels, int[] values, int classes, int groups, long seed) {
        this.labels = labels;
        this.values = values;
        this.classes = names("class", classes);
        this.groups = names("group", groups);
        this.seed = seed;
    }

    /**
     * Random images.
     *
     * @param agreement with which the attribute is the label (modulo the number of groups); it is
     *     uniform otherwise
     */
    public static TinyFaces of(int size, int classes, int groups, double agreement, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int[] labels = new int[size];
        int[] values = new int[size];
        for (int i = 0; i < size; i++) {
            labels[i] = random.nextInt(classes);
            boolean agrees = random.nextDouble() < agreement;
            values[i] = agrees ? labels[i] % groups : random.nextInt(groups);
        }
        return new TinyFaces(labels, values, classes, groups, seed);
    }

    private static List<String> names(String prefix, int count) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            names.add(prefix + i);
        }
        return names;
    }

    public int[] labels() {
        return labels.clone();
    }

    public int[] values() {
        return values.clone();
    }

    public List<String> classes() {
        return classes;
    }

    public TaskImages task() {
        return TaskImages.of(this, labels, classes);
    }

    public SensitiveImages sensitive() {
        return SensitiveImages.of("group", this, values, groups);
    }

    public SensitiveImages sensitiveWithTask() {
        return sensitive().withTask(labels, classes);
    }

    public AuditImages audit() {
        return AuditImages.of(this, labels, classes, "group", values, groups);
    }

    @Override
    public int size() {
        return labels.length;
    }

    @Override
    public String name(int index) {
        return "face-" + index + ".png";
    }

    @Override
    public void read(int index, InputSpec spec, byte[] target, int offset) {
        SplittableRandom random = new SplittableRandom(seed * 1_000_003 + index);
        int pixels = spec.bytes();
        for (int i = 0; i < pixels; i++) {
            int shade = 20 + random.nextInt(120);
            if (i % 6 == labels[index]) {
                shade += 50;
            }
            if (i % 6 == 3 + values[index]) {
                shade += 90;
            }
            target[offset + i] = (byte) shade;
        }
    }
}
