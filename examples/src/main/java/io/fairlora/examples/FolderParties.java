package io.fairlora.examples;

import io.fairlora.lora.InputSpec;
import io.fairlora.party.AuditImages;
import io.fairlora.party.SensitiveImages;
import io.fairlora.training.EpochOrder;
import io.fairlora.training.TaskImages;
import io.fairlora.vision.dataset.DatasetCheck;
import io.fairlora.vision.dataset.FaceDataset;
import io.fairlora.vision.dataset.ImageFolder;
import io.fairlora.vision.dataset.MappedImages;
import io.fairlora.vision.transform.Augmentation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A user's own folder, as the two parties see it: the developer reads the file of labels and never
 * that of the sensitive attribute. Both keep the same files for validation.
 */
final class FolderParties {

    /**
     * How a folder is read.
     *
     * @param data the folder or zip archive of images
     * @param check what becomes of bad files
     * @param cache where decoded pixels are kept, or {@code null}
     * @param input the size they are kept in
     */
    record Reading(Path data, DatasetCheck check, @Nullable Path cache, InputSpec input) {

        FaceDataset column(Path list, String column, String party) {
            FaceDataset faces =
                    ImageFolder.builder()
                            .setRoot(data)
                            .setLabels(list)
                            .optLabelColumns(column)
                            .build()
                            .labelled(column)
                            .checked(check);
            if (faces.size() == 0) {
                throw new IllegalArgumentException(
                        list + " labels no image of " + data + " that can be read");
            }
            if (cache == null) {
                return faces;
            }
            return faces.withImages(
                    MappedImages.of(
                            faces.images(),
                            input,
                            cache.resolve(party + ".pixels"),
                            Runtime.getRuntime().availableProcessors(),
                            read -> {}));
        }
    }

    private final Reading reading;
    private final FaceDataset developer;
    private final String label;
    private final Map<String, Integer> heldOut = new HashMap<>();
    private final Map<String, Integer> known = new HashMap<>();
    private final int[] trainRows;
    private final int[] validationRows;

    /**
     * Reads the developer's labels and holds a part of every class back, at least one image of each
     * that has two.
     */
    FolderParties(Reading reading, Path labels, String label, double validation, long seed) {
        this.reading = reading;
        this.label = label;
        developer = reading.column(labels, label, "developer");
        int[] classes = developer.labels(label);
        List<Integer> train = new ArrayList<>();
        List<Integer> held = new ArrayList<>();
        for (int c = 0; c < developer.classes(label).size(); c++) {
            int wanted = c;
            int[] members =
                    IntStream.range(0, classes.length).filter(i -> classes[i] == wanted).toArray();
            int[] order = EpochOrder.of(members.length, seed, c);
            long count = Math.max(1, Math.round(validation * members.length));
            long kept = members.length < 2 ? 0 : Math.min(count, members.length - 1);
            for (int i = 0; i < order.length; i++) {
                (i < kept ? held : train).add(members[order[i]]);
            }
        }
        trainRows = train.stream().mapToInt(i -> i).sorted().toArray();
        validationRows = held.stream().mapToInt(i -> i).sorted().toArray();
        for (int row : validationRows) {
            heldOut.put(developer.images().name(row), classes[row]);
        }
        for (int row : trainRows) {
            known.put(developer.images().name(row), classes[row]);
        }
    }

    FaceDataset developer() {
        return developer;
    }

    TaskImages train(Augmentation augmentation) {
        return developer.augmented(augmentation).select(trainRows).task(label);
    }

    TaskImages validation() {
        return developer.select(validationRows).task(label);
    }

    /** What the auditor holds. */
    record Auditor(SensitiveImages sensitive, AuditImages audit, String summary) {}

    /**
     * Reads the sensitive attribute. The auditor measures on the images that are held back, and
     * trains on all others that its own list names.
     */
    Auditor auditor(Path sensitiveLabels, String sensitive) {
        FaceDataset faces = reading.column(sensitiveLabels, sensitive, "auditor");
        List<Integer> own = new ArrayList<>();
        List<Integer> measured = new ArrayList<>();
        for (int i = 0; i < faces.size(); i++) {
            (heldOut.containsKey(faces.images().name(i)) ? measured : own).add(i);
        }
        if (own.isEmpty() || measured.isEmpty()) {
            throw new IllegalArgumentException(
                    String.format(
                            "%s knows the %s of %d images held back for validation and of %d"
                                    + " others, expected some of both",
                            sensitiveLabels, sensitive, measured.size(), own.size()));
        }
        FaceDataset others = faces.select(own.stream().mapToInt(i -> i).toArray());
        FaceDataset audited = faces.select(measured.stream().mapToInt(i -> i).toArray());
        return new Auditor(
                withTask(others, others.sensitive(sensitive)),
                AuditImages.of(
                        audited.images(),
                        labels(audited, heldOut),
                        developer.classes(label),
                        sensitive,
                        audited.labels(sensitive),
                        audited.classes(sensitive)),
                faces.report().toString());
    }

    /** An eraser "given y" needs the task's label of all the auditor's images. */
    private SensitiveImages withTask(FaceDataset others, SensitiveImages sensitive) {
        for (int i = 0; i < others.size(); i++) {
            if (!known.containsKey(others.images().name(i))) {
                return sensitive;
            }
        }
        return sensitive.withTask(labels(others, known), developer.classes(label));
    }

    private static int[] labels(FaceDataset faces, Map<String, Integer> byName) {
        int[] labels = new int[faces.size()];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = Objects.requireNonNull(byName.get(faces.images().name(i)));
        }
        return labels;
    }
}
