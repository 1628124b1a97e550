package io.fairlora.examples;

import io.fairlora.lora.InputSpec;
import io.fairlora.party.AuditImages;
import io.fairlora.party.SensitiveImages;
import io.fairlora.training.CountDisplay;
import io.fairlora.training.EpochOrder;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import io.fairlora.vision.dataset.DatasetCheck;
import io.fairlora.vision.dataset.FaceDataset;
import io.fairlora.vision.dataset.ImageFolder;
import io.fairlora.vision.dataset.MappedImages;
import io.fairlora.vision.transform.Augmentation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A user's own folder, as the two parties see it: the developer reads the file of labels and never
 * that of the sensitive attribute. Both keep the same files for validation.
 */
final class FolderParties implements AutoCloseable {

    /**
     * How a folder is read.
     *
     * @param data the folder or zip archive of images
     * @param check what becomes of bad files
     * @param cache where decoded pixels are kept, or {@code null}
     * @param input the size they are kept in
     */
    record Reading(Path data, DatasetCheck check, @Nullable Path cache, InputSpec input) {

        FaceDataset columns(Path list, String party, String column, String... more) {
            List<String> columns = new ArrayList<>(List.of(column));
            columns.addAll(List.of(more));
            FaceDataset listed =
                    ImageFolder.builder()
                            .setRoot(data)
                            .setLabels(list)
                            .optLabelColumns(columns.toArray(String[]::new))
                            .build();
            try {
                return readable(listed.labelled(column), list, party);
            } catch (RuntimeException e) {
                listed.close();
                throw e;
            }
        }

        private FaceDataset readable(FaceDataset labelled, Path list, String party) {
            FaceDataset faces =
                    labelled.checked(
                            check.withListener(
                                    new CountDisplay(
                                            System.err, party + " reads", labelled.size())));
            if (faces.size() == 0) {
                throw new IllegalArgumentException(
                        list + " labels no image of " + data + " that can be read");
            }
            return faces;
        }

        /** The images, decoded no more if there is a cache. */
        Images cached(FaceDataset faces, String party) {
            return cache == null
                    ? faces.images()
                    : MappedImages.of(
                            faces.images(),
                            input,
                            cache.resolve(party + ".pixels"),
                            Runtime.getRuntime().availableProcessors(),
                            new CountDisplay(System.err, party + " caches", faces.size()));
        }
    }

    private final Reading reading;
    private final String label;
    private final UnaryOperator<Images> keep;
    private final FaceDataset developer;
    private final Images kept;
    private final Map<String, Integer> rows = new HashMap<>();
    private final boolean[] heldBack;
    private final List<FaceDataset> opened = new ArrayList<>();

    /**
     * Reads the developer's labels and holds a part of every class back.
     *
     * @param group the column whose images stay on one side, or {@code null}
     * @param keep makes of images those with what is kept of each
     */
    FolderParties(
            Reading reading,
            Path labels,
            String label,
            @Nullable String group,
            double validation,
            long seed,
            UnaryOperator<Images> keep) {
        this.reading = reading;
        this.label = label;
        this.keep = keep;
        String[] more = group == null ? new String[0] : new String[] {group};
        FaceDataset faces = reading.columns(labels, "developer", label, more);
        try {
            for (int row = 0; row < faces.size(); row++) {
                rows.put(faces.images().name(row), row);
            }
            heldBack = heldBack(faces, label, group, validation, seed);
            developer = faces.withImages(reading.cached(faces, "developer"));
            kept = keep.apply(developer.images());
            opened.add(developer);
        } catch (RuntimeException e) {
            faces.close();
            throw e;
        }
    }

    /**
     * Holds whole groups back, in random order, as long as each brings the number of held images of
     * its classes nearer to what is wanted: the given part, at least 1 and never all.
     */
    private static boolean[] heldBack(
            FaceDataset faces, String label, @Nullable String group, double part, long seed) {
        int[] classes = faces.labels(label);
        int[] wanted = new int[faces.classes(label).size()];
        for (int c : classes) {
            wanted[c]++;
        }
        int[] total = wanted.clone();
        int[] left = wanted.clone();
        for (int c = 0; c < wanted.length; c++) {
            long count = Math.max(1, Math.round(part * wanted[c]));
            wanted[c] = (int) Math.max(0, Math.min(count, wanted[c] - 1L));
        }
        List<int[]> groups = groups(faces, group);
        boolean[] held = new boolean[classes.length];
        for (int g : EpochOrder.of(groups.size(), seed, 0)) {
            int[] counts = new int[wanted.length];
            for (int row : groups.get(g)) {
                counts[classes[row]]++;
            }
            int nearer = 0;
            for (int c = 0; c < counts.length; c++) {
                nearer += Math.abs(wanted[c]) - Math.abs(wanted[c] - counts[c]);
            }
            if (nearer > 0) {
                for (int row : groups.get(g)) {
                    held[row] = true;
                }
                for (int c = 0; c < counts.length; c++) {
                    wanted[c] -= counts[c];
                    left[c] -= counts[c];
                }
            }
        }
        for (int c = 0; c < left.length; c++) {
            if (left[c] == 0 && total[c] > 0) {
                throw new IllegalArgumentException(
                        String.format(
                                "no image of %s %s is left to train on: all are of one %s that is"
                                        + " held back; choose another --seed or --validation",
                                label, faces.classes(label).get(c), group));
            }
        }
        return held;
    }

    /** The rows of every group; a row of unknown group, or without groups each, is its own. */
    private static List<int[]> groups(FaceDataset faces, @Nullable String group) {
        Map<Integer, List<Integer>> members = new LinkedHashMap<>();
        int[] values = group == null ? new int[0] : faces.labels(group);
        for (int row = 0; row < faces.size(); row++) {
            boolean alone = group == null || values[row] < 0;
            members.computeIfAbsent(alone ? -1 - row : values[row], g -> new ArrayList<>())
                    .add(row);
        }
        return members.values().stream()
                .map(list -> list.stream().mapToInt(i -> i).toArray())
                .toList();
    }

    FaceDataset developer() {
        return developer;
    }

    private int[] rows(boolean held) {
        return rows.values().stream()
                .filter(row -> heldBack[row] == held)
                .sorted()
                .mapToInt(i -> i)
                .toArray();
    }

    /** What is kept of an image is not that of an augmented one. */
    TaskImages train(@Nullable Augmentation augmentation) {
        FaceDataset faces =
                augmentation == null
                        ? developer.withImages(kept)
                        : developer.augmented(augmentation);
        return faces.select(rows(false)).task(label);
    }

    TaskImages validation() {
        return developer.withImages(kept).select(rows(true)).task(label);
    }

    /** What the auditor holds. */
    record Auditor(SensitiveImages sensitive, AuditImages audit, String summary) {}

    /**
     * Reads the sensitive attribute. The auditor measures on the images that are held back, and
     * trains on all others that its own list names.
     */
    Auditor auditor(Path sensitiveLabels, String sensitive) {
        FaceDataset listed = reading.columns(sensitiveLabels, "auditor", sensitive);
        opened.add(listed);
        return auditor(listed.withImages(keptOf(listed)), sensitiveLabels, sensitive);
    }

    /** Taken from the developer's where all are among them, else read anew. */
    private Images keptOf(FaceDataset faces) {
        Images images = faces.images();
        int[] positions = new int[images.size()];
        for (int i = 0; i < positions.length; i++) {
            Integer row = rows.get(images.name(i));
            if (row == null) {
                return keep.apply(reading.cached(faces, "auditor"));
            }
            positions[i] = row;
        }
        return kept.select(positions);
    }

    private Auditor auditor(FaceDataset faces, Path list, String sensitive) {
        List<Integer> own = new ArrayList<>();
        List<Integer> measured = new ArrayList<>();
        for (int i = 0; i < faces.size(); i++) {
            Integer row = rows.get(faces.images().name(i));
            (row != null && heldBack[row] ? measured : own).add(i);
        }
        if (own.isEmpty() || measured.isEmpty()) {
            throw new IllegalArgumentException(
                    String.format(
                            "%s knows the %s of %d images held back for validation and of %d"
                                    + " others, expected some of both",
                            list, sensitive, measured.size(), own.size()));
        }
        FaceDataset others = faces.select(own.stream().mapToInt(i -> i).toArray());
        FaceDataset audited = faces.select(measured.stream().mapToInt(i -> i).toArray());
        return new Auditor(
                withTask(others, others.sensitive(sensitive)),
                AuditImages.of(
                        audited.images(),
                        labels(audited),
                        developer.classes(label),
                        sensitive,
                        audited.labels(sensitive),
                        audited.classes(sensitive)),
                faces.report().toString());
    }

    /** An eraser "given y" needs the task's label of all the auditor's images. */
    private SensitiveImages withTask(FaceDataset others, SensitiveImages sensitive) {
        for (int i = 0; i < others.size(); i++) {
            if (!rows.containsKey(others.images().name(i))) {
                return sensitive;
            }
        }
        return sensitive.withTask(labels(others), developer.classes(label));
    }

    private int[] labels(FaceDataset faces) {
        int[] all = developer.labels(label);
        int[] labels = new int[faces.size()];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = all[Objects.requireNonNull(rows.get(faces.images().name(i)))];
        }
        return labels;
    }

    @Override
    public void close() {
        opened.forEach(FaceDataset::close);
    }
}
