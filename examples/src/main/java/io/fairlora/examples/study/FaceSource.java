package io.fairlora.examples.study;

import io.fairlora.training.Images;
import io.fairlora.vision.dataset.BiasedSplit;
import io.fairlora.vision.dataset.CelebA;
import io.fairlora.vision.dataset.CellLaw;
import io.fairlora.vision.dataset.FaceDataset;
import io.fairlora.vision.dataset.UtkFace;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.synth.SynthFaces;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Where the faces of a seed come from: drawn anew, or split anew from a folder. */
public interface FaceSource {

    /**
     * The data of the two parties.
     *
     * @param seed decides what is drawn or how it is split
     * @return disjoint parts
     */
    Parts parts(long seed);

    /**
     * What is measured on what.
     *
     * @return such as {@code CelebA Smiling / Male}
     */
    String describe();

    /**
     * Faces for each purpose, with task and sensitive attribute; no face is in two parts.
     *
     * @param train the developer's, in which the two go together as planted
     * @param validation the developer's, balanced
     * @param auditor what the auditor trains on, as in nature
     * @param test what the auditor measures on, balanced over the cells
     * @param task the name of the task
     * @param sensitive the name of the sensitive attribute
     */
    record Parts(
            FaceDataset train,
            FaceDataset validation,
            FaceDataset auditor,
            FaceDataset test,
            String task,
            String sensitive) {}

    /**
     * How many faces each part has.
     *
     * @param train at least 1
     * @param validation at least 1
     * @param auditor at least 8 times the length of a feature vector, for an eraser
     * @param test at least 1
     */
    record Sizes(int train, int validation, int auditor, int test) {}

    /**
     * Synthetic faces.
     *
     * @param task what to predict
     * @param sensitive the attribute to be protected
     * @param correlation P(y = s) in training, 0.5 for none
     * @param sizes how many
     * @param keep how the images are kept in memory
     * @return the source
     */
    static FaceSource synthetic(
            FaceAttribute task,
            FaceAttribute sensitive,
            double correlation,
            Sizes sizes,
            UnaryOperator<Images> keep) {
        return new FaceSource() {
            @Override
            public Parts parts(long seed) {
                double none = 1.0 / task.classes().size();
                // Four seeds of the drawing to each seed of the study: no face is drawn twice.
                return new Parts(
                        draw(4 * seed, sizes.train(), correlation),
                        draw(4 * seed + 1, sizes.validation(), none),
                        draw(4 * seed + 2, sizes.auditor(), none),
                        draw(4 * seed + 3, sizes.test(), none),
                        name(task),
                        name(sensitive));
            }

            private FaceDataset draw(long seed, int count, double p) {
                SynthFaces faces =
                        SynthFaces.builder()
                                .setSize(count)
                                .optSeed(seed)
                                .optTask(task)
                                .optSensitive(sensitive)
                                .optCorrelation(p)
                                .build();
                FaceDataset data =
                        FaceDataset.of(faces.images())
                                .withAttribute(name(task), faces.classes(task), faces.labels(task))
                                .withAttribute(
                                        name(sensitive),
                                        faces.classes(sensitive),
                                        faces.labels(sensitive));
                return data.withImages(keep.apply(data.images()));
            }

            @Override
            public String describe() {
                return "synthetic faces, " + name(task) + " / " + name(sensitive);
            }
        };
    }

    private static String name(FaceAttribute attribute) {
        return attribute.name().toLowerCase(Locale.ROOT);
    }

    /**
     * UTKFace.
     *
     * @param root its folder
     * @param task {@code gender}, {@code race} or {@code age} (40 and older)
     * @param sensitive another of them
     * @param correlation planted in training; {@code null} leaves nature's
     * @param auditorImages what the auditor needs at least, for an eraser
     * @param keep how the images are kept in memory
     * @return the source
     */
    static FaceSource utkFace(
            Path root,
            String task,
            String sensitive,
            @Nullable Double correlation,
            int auditorImages,
            UnaryOperator<Images> keep) {
        UtkFace faces = UtkFace.builder().setRoot(root).optAgeThreshold(40).build();
        return real(
                "UTKFace",
                faces,
                attribute(task),
                attribute(sensitive),
                correlation,
                auditorImages,
                keep);
    }

    private static String attribute(String name) {
        return name.equals("age") ? "age>=40" : name;
    }

    /**
     * CelebA, split by identity.
     *
     * @param root its folder
     * @param task one of the 40 attributes
     * @param sensitive another
     * @param correlation planted in training; {@code null} leaves nature's
     * @param auditorImages what the auditor needs at least, for an eraser
     * @param keep how the images are kept in memory
     * @return the source
     */
    static FaceSource celebA(
            Path root,
            String task,
            String sensitive,
            @Nullable Double correlation,
            int auditorImages,
            UnaryOperator<Images> keep) {
        CelebA faces = CelebA.builder().setRoot(root).build();
        return real("CelebA", faces, task, sensitive, correlation, auditorImages, keep);
    }

    private static FaceSource real(
            String set,
            FaceDataset all,
            String task,
            String sensitive,
            @Nullable Double correlation,
            int auditorImages,
            UnaryOperator<Images> keep) {
        FaceDataset labelled = all.labelled(task, sensitive);
        FaceDataset faces = labelled.withImages(keep.apply(labelled.images()));
        double auditor = Math.max(0.3, (double) auditorImages / faces.size());
        double rest = 1 - auditor;
        return new FaceSource() {
            @Override
            public Parts parts(long seed) {
                BiasedSplit.Builder split =
                        BiasedSplit.builder()
                                .task(faces.labels(task))
                                .sensitive(faces.labels(sensitive))
                                .law(
                                        BiasedSplit.Part.TRAIN,
                                        correlation == null
                                                ? CellLaw.natural()
                                                : CellLaw.correlatedAlongNature(correlation))
                                .law(BiasedSplit.Part.AUDITOR, CellLaw.natural())
                                .fractions(0.58 * rest, auditor, 0.11 * rest, 0.31 * rest)
                                .seed(seed);
                if (correlation == null && hasEmptyCell(faces.labels(task), sensitive)) {
                    // Nature has no such face at all: a balanced part cannot be had.
                    split.law(BiasedSplit.Part.VALIDATION, CellLaw.natural());
                    split.law(BiasedSplit.Part.TEST, CellLaw.natural());
                }
                if (faces.attributes().contains(CelebA.IDENTITY)) {
                    split.groups(faces.labels(CelebA.IDENTITY));
                }
                BiasedSplit parts = split.build();
                return new Parts(
                        faces.select(parts.train()),
                        faces.select(parts.validation()),
                        faces.select(parts.auditor()),
                        faces.select(parts.test()),
                        task,
                        sensitive);
            }

            private boolean hasEmptyCell(int[] labels, String attribute) {
                int[] values = faces.labels(attribute);
                int groups = faces.classes(attribute).size();
                return IntStream.range(0, labels.length)
                                .map(i -> labels[i] * groups + values[i])
                                .distinct()
                                .count()
                        < (long) groups * faces.classes(task).size();
            }

            @Override
            public String describe() {
                return set + ", " + task + " / " + sensitive;
            }
        };
    }
}
