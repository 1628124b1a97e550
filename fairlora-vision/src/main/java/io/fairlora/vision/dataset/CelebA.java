package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.training.Images;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * CelebA (Liu et al., 2015): celebrities' faces with 40 binary attributes.
 *
 * <p>The folder holds {@code img_align_celeba} and {@code list_attr_celeba.txt}, and for {@link
 * #partition} and {@link #splitByIdentity} also {@code list_eval_partition.txt} and {@code
 * identity_CelebA.txt}; each may instead be a CSV file of that name, or lie in {@code Img}, {@code
 * Anno} and {@code Eval} as in the official archive. Instead of the folder of images there may be
 * the archive {@code img_align_celeba.zip}, which is read without unpacking it and stays open until
 * the data set is closed. Images may be there only in part.
 *
 * <p>Attributes: the 40 of the list (class 1 is its presence), and {@code identity} (a plain
 * number) where that list is there.
 */
public final class CelebA extends FaceDataset {

    /** The attribute that says who it is. */
    public static final String IDENTITY = "identity";

    private final Path root;
    private final int @Nullable [] partitions;

    private CelebA(
            Path root,
            Images images,
            List<LabelColumn> columns,
            int @Nullable [] partitions,
            DatasetReport report) {
        super(images, columns, report);
        this.root = root;
        this.partitions = partitions;
    }

    /**
     * Starts with nothing set.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The faces of one official part.
     *
     * @param partition the part
     * @return its faces, in order; perhaps none
     * @throws DatasetException if the list of partitions is not there
     */
    public FaceDataset partition(Partition partition) {
        if (partition == Partition.ALL) {
            return this;
        }
        int[] known = partitions;
        if (known == null) {
            throw new DatasetException(
                    root.resolve("list_eval_partition.txt") + ": there is no such file");
        }
        return select(
                IntStream.range(0, size()).filter(i -> known[i] == partition.code()).toArray());
    }

    /**
     * Splits the faces at random so that nobody has pictures in two parts.
     *
     * @param seed decides who comes where
     * @param fractions the share of the faces that each part shall have, together 1; a part is off
     *     by half a person's pictures at most
     * @return a data set for each fraction; together they hold every face once
     * @throws DatasetException if the list of identities is not there or lacks a face
     * @throws IllegalArgumentException if a fraction is outside [0, 1] or they do not add up to 1
     */
    public List<FaceDataset> splitByIdentity(long seed, double... fractions) {
        GroupSplit.checkFractions(fractions);
        if (!attributes().contains(IDENTITY)) {
            throw new DatasetException(
                    root.resolve("identity_CelebA.txt") + ": there is no such file");
        }
        int[] identities = labels(IDENTITY);
        for (int i = 0; i < identities.length; i++) {
            if (identities[i] == LabelColumn.MISSING) {
                throw new DatasetException(
                        root.resolve("identity_CelebA.txt") + ": lacks " + images().name(i));
            }
        }
        List<int[]> persons = GroupSplit.members(identities);
        GroupSplit.shuffle(persons, new SplittableRandom(seed));
        return GroupSplit.deal(persons, fractions).stream()
                .map(part -> select(GroupSplit.flatten(part)))
                .toList();
    }

    /** Where the data set lies. */
    public static final class Builder {

        private @Nullable Path root;
        private double heightFraction = 1;
        private double widthFraction = 1;

        private Builder() {}

        /**
         * The folder with the lists and the images.
         *
         * @param root the folder
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setRoot(Path root) {
            this.root = root;
            return this;
        }

        /**
         * Cuts every image to its middle; without this the whole of it is used.
         *
         * @param ofHeight the part of the rows to keep, in (0, 1]
         * @param ofWidth the part of the columns to keep, in (0, 1]
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optCentreCrop(double ofHeight, double ofWidth) {
            heightFraction = ofHeight;
            widthFraction = ofWidth;
            return this;
        }

        /**
         * Reads the lists and looks which images are there.
         *
         * @return the data set
         * @throws DatasetException if the images or the list of attributes are missing, a list is
         *     damaged, or none of the images is there
         * @throws IllegalArgumentException if no root is set or a fraction is outside (0, 1]
         */
        public CelebA build() {
            checkArgument(root != null, "setRoot must be given");
            Path folder = imageFolder(root);
            try {
                return build(root, folder);
            } catch (RuntimeException e) {
                FileImages.closeArchive(folder);
                throw e;
            }
        }

        private CelebA build(Path root, Path folder) {
            FilesOnDisk files = new FilesOnDisk(folder);
            List<LabelColumn> columns = attributes(attributeList(root), files);
            DatasetReport report = files.report(List.of());
            FileImages images = files.images();
            Optional<Path> identities = find(root, "Anno", "identity_CelebA");
            if (identities.isPresent()) {
                columns.add(
                        new LabelColumn(IDENTITY, List.of(), numbers(identities.get(), images)));
            }
            int[] partitions =
                    find(root, "Eval", "list_eval_partition")
                            .map(list -> numbers(list, images))
                            .orElse(null);
            return new CelebA(
                    root,
                    images.withCentreCrop(heightFraction, widthFraction),
                    columns,
                    partitions,
                    report);
        }

        private static Path imageFolder(Path root) {
            for (Path folder : List.of(root, root.resolve("Img"))) {
                Path images = folder.resolve("img_align_celeba");
                // An archive in circulation nests the folder in one of the same name.
                Path nested = images.resolve("img_align_celeba");
                if (Files.isDirectory(nested)) {
                    return nested;
                }
                if (Files.isDirectory(images)) {
                    return images;
                }
            }
            for (Path folder : List.of(root, root.resolve("Img"))) {
                Path zip = folder.resolve("img_align_celeba.zip");
                if (Files.isRegularFile(zip)) {
                    return folderInZip(FileImages.inZip(zip));
                }
            }
            throw new DatasetException(
                    root.resolve("img_align_celeba")
                            + ": there is no such folder, nor an archive img_align_celeba.zip");
        }

        /** Archives in circulation hold the folder, that folder in another, or the files alone. */
        private static Path folderInZip(Path top) {
            Path folder = top;
            while (Files.isDirectory(folder.resolve("img_align_celeba"))) {
                folder = folder.resolve("img_align_celeba");
            }
            return folder;
        }

        private static Path attributeList(Path root) {
            return find(root, "Anno", "list_attr_celeba")
                    .orElseThrow(
                            () ->
                                    new DatasetException(
                                            root.resolve("list_attr_celeba.txt")
                                                    + ": there is no such file"));
        }

        private static Optional<Path> find(Path root, String official, String name) {
            for (Path folder : List.of(root, root.resolve(official))) {
                for (String ending : List.of(".txt", ".csv")) {
                    Path file = folder.resolve(name + ending);
                    if (Files.isRegularFile(file)) {
                        return Optional.of(file);
                    }
                }
            }
            return Optional.empty();
        }

        private static List<LabelColumn> attributes(Path file, FilesOnDisk files) {
            CelebaList list = new CelebaList(file);
            CelebaList.Head head = list.head();
            int count = head.columns().size();
            List<byte[]> present = new ArrayList<>();
            int rows =
                    list.rows(
                            count,
                            (name, values) -> {
                                if (files.add(name)) {
                                    present.add(flags(file, name, head.columns(), values));
                                }
                            });
            if (head.rows() >= 0 && rows != head.rows()) {
                throw new DatasetException(
                        file + ": has " + rows + " rows, but its first line says " + head.rows());
            }
            List<LabelColumn> columns = new ArrayList<>();
            for (int c = 0; c < count; c++) {
                int[] values = new int[present.size()];
                for (int i = 0; i < values.length; i++) {
                    values[i] = present.get(i)[c];
                }
                String attribute = head.columns().get(c);
                columns.add(
                        new LabelColumn(attribute, List.of("not " + attribute, attribute), values));
            }
            return columns;
        }

        /** Absence is -1 in the official list and also 0 in others. */
        private static byte[] flags(Path file, String name, List<String> columns, int[] values) {
            byte[] flags = new byte[values.length];
            for (int c = 0; c < values.length; c++) {
                if (values[c] < -1 || values[c] > 1) {
                    throw new DatasetException(
                            String.format(
                                    "%s: %s of %s is %d, expected -1 or 1",
                                    file, columns.get(c), name, values[c]));
                }
                flags[c] = (byte) (values[c] == 1 ? 1 : 0);
            }
            return flags;
        }

        /** The number that a list gives for each image; -1 for those it lacks. */
        private static int[] numbers(Path file, Images images) {
            Map<String, Integer> rows = new HashMap<>();
            for (int i = 0; i < images.size(); i++) {
                rows.put(images.name(i), i);
            }
            int[] numbers = new int[images.size()];
            Arrays.fill(numbers, LabelColumn.MISSING);
            CelebaList list = new CelebaList(file);
            list.skipHead();
            list.rows(
                    1,
                    (name, values) -> {
                        Integer row = rows.get(name);
                        if (row != null) {
                            numbers[row] = values[0];
                        }
                    });
            return numbers;
        }
    }
}
