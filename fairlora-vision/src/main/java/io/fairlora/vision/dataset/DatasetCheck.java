package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableMap;
import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.primitives.Ints;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.ImageDecoder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How the files of a data set are looked at before training starts: each is read and decoded once.
 *
 * <p>A JPEG has no checksum, so some damage still decodes, to other pixels. Only a list of digests
 * tells: with {@link #withDigests} a file that is not byte for byte what it was is found, too.
 * Immutable.
 *
 * <pre>{@code
 * FaceDataset sound = faces.checked(DatasetCheck.LENIENT);
 * System.out.println(sound.report());
 * }</pre>
 */
public final class DatasetCheck {

    /** Leaves out what cannot be used; the report names it. */
    public static final DatasetCheck LENIENT =
            new DatasetCheck(false, 1, ImmutableMap.of(), null, read -> {});

    /** Refuses a data set in which anything at all is wrong. */
    public static final DatasetCheck STRICT =
            new DatasetCheck(true, 1, ImmutableMap.of(), null, read -> {});

    /** A line of {@code sha256sum}: the digest, a blank, a blank or a star, the name. */
    private static final Pattern DIGEST = Pattern.compile("([0-9a-fA-F]{64}) [ *](?:\\./)?(.+)");

    private final boolean strict;
    private final int threads;
    private final ImmutableMap<String, HashCode> digests;
    private final @Nullable Path digestList;
    private final IntConsumer listener;

    private DatasetCheck(
            boolean strict,
            int threads,
            ImmutableMap<String, HashCode> digests,
            @Nullable Path digestList,
            IntConsumer listener) {
        this.strict = strict;
        this.threads = threads;
        this.digests = digests;
        this.digestList = digestList;
        this.listener = listener;
    }

    /**
     * The same check on several threads.
     *
     * @param count how many threads read, at least 1
     * @return the check
     * @throws IllegalArgumentException if there is no thread
     */
    public DatasetCheck withThreads(int count) {
        checkArgument(count >= 1, "threads must be at least 1, found %s", count);
        return new DatasetCheck(strict, count, digests, digestList, listener);
    }

    /**
     * The same check with somebody who is told how far it is.
     *
     * @param told the number of files read so far, one call after the other from the reading
     *     threads, each number once and in order
     * @return the check
     */
    public DatasetCheck withListener(IntConsumer told) {
        return new DatasetCheck(strict, threads, digests, digestList, told);
    }

    /**
     * The same check that also compares every file with a list of digests. A file that the list
     * lacks counts as altered.
     *
     * @param list what {@code sha256sum} prints: on each line 64 hexadecimal digits, two blanks and
     *     the name of a file as the data set has it
     * @return the check
     * @throws DatasetException if the list cannot be read or a line is none of these
     */
    public DatasetCheck withDigests(Path list) {
        ImmutableMap.Builder<String, HashCode> read = ImmutableMap.builder();
        try {
            int number = 0;
            for (String line : Files.readAllLines(list, StandardCharsets.UTF_8)) {
                number++;
                Matcher matcher = DIGEST.matcher(line);
                if (!matcher.matches()) {
                    throw new DatasetException(
                            String.format(
                                    "%s, line %d: is \"%s\", expected 64 hexadecimal digits, two"
                                            + " blanks and a name",
                                    list, number, line));
                }
                read.put(
                        matcher.group(2),
                        HashCode.fromString(matcher.group(1).toLowerCase(Locale.ROOT)));
            }
        } catch (IOException e) {
            throw new DatasetException(list + ": cannot be read: " + e.getMessage(), e);
        }
        return new DatasetCheck(strict, threads, read.buildKeepingLast(), list, listener);
    }

    /** What was seen of one file. */
    private record Seen(@Nullable String unreadable, @Nullable HashCode digest, boolean misnamed) {

        static final Seen SOUND = new Seen(null, null, false);
    }

    /** Reads all images of a data set. */
    FaceDataset apply(FaceDataset faces) {
        Images images = faces.images();
        checkArgument(
                digestList == null || images instanceof FileImages,
                "there are no files to compare with %s",
                digestList);
        Seen[] seen = new Seen[images.size()];
        ParallelReads.run(
                seen.length,
                threads,
                i ->
                        seen[i] =
                                images instanceof FileImages files
                                        ? look(files, i)
                                        : read(images, i),
                listener);
        List<Integer> kept = new ArrayList<>();
        DatasetReport.Content content = sort(images, seen, kept);
        DatasetReport report = faces.report().withContent(kept.size(), content);
        if (strict && report.problems() > 0) {
            throw new DatasetException("the data set is not sound: " + report);
        }
        return faces.select(Ints.toArray(kept)).withReport(report);
    }

    private static Seen look(FileImages files, int index) {
        try {
            byte[] content = files.content(index);
            files.decode(index, content);
            return new Seen(
                    null,
                    Hashing.sha256().hashBytes(content),
                    !ImageDecoder.isNamedAs(files.name(index), content));
        } catch (ImageReadException e) {
            return new Seen(String.valueOf(e.getMessage()), null, false);
        }
    }

    /** Images that are not in files can only be read as they are. */
    private static Seen read(Images images, int index) {
        InputSpec smallest = new InputSpec(1, 1, Interpolation.BILINEAR);
        try {
            images.read(index, smallest, new byte[smallest.bytes()], 0);
            return Seen.SOUND;
        } catch (ImageReadException e) {
            return new Seen(String.valueOf(e.getMessage()), null, false);
        }
    }

    private DatasetReport.Content sort(Images images, Seen[] seen, List<Integer> kept) {
        List<String> unreadable = new ArrayList<>();
        List<String> altered = new ArrayList<>();
        List<String> misnamed = new ArrayList<>();
        List<String> copies = new ArrayList<>();
        Map<HashCode, String> first = new HashMap<>();
        for (int i = 0; i < seen.length; i++) {
            String name = images.name(i);
            HashCode digest = seen[i].digest();
            if (seen[i].unreadable() != null) {
                unreadable.add(seen[i].unreadable());
                continue;
            }
            if (digestList != null && (digest == null || !digest.equals(digests.get(name)))) {
                altered.add(name);
                continue;
            }
            kept.add(i);
            if (seen[i].misnamed()) {
                misnamed.add(name);
            }
            String same = digest == null ? null : first.putIfAbsent(digest, name);
            if (same != null && !same.equals(name)) {
                copies.add(name + " (as " + same + ")");
            }
        }
        return new DatasetReport.Content(seen.length, unreadable, altered, misnamed, copies);
    }
}
