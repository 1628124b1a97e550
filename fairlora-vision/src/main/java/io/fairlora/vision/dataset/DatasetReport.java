package io.fairlora.vision.dataset;

import java.util.List;

/**
 * What a data set found on disk: on building it, in its lists and folders; on a {@link
 * DatasetCheck}, in the files themselves. All lists are in the order met.
 *
 * @param used the number of faces in the data set
 * @param malformed files or rows whose name or labels could not be understood, and so were left out
 * @param absent files a list names that are not on disk, and so were left out
 * @param unlisted files on disk that no list names, and so were left out
 * @param duplicates files a list names more than once: the first row counts
 * @param content what a check of the files found; {@link Content#NOT_CHECKED} before one
 */
public record DatasetReport(
        int used,
        List<String> malformed,
        List<String> absent,
        List<String> unlisted,
        List<String> duplicates,
        Content content) {

    private static final int SHOWN = 5;

    /**
     * What a check of the files found.
     *
     * @param checked the number of files read
     * @param unreadable one sentence for each file that cannot be read as an image, or not whole,
     *     and so was left out; it begins with the file's name
     * @param altered files whose digest is not that of the list of digests, or that it lacks, and
     *     so were left out
     * @param misnamed files that are of another format than their name says; they are used
     * @param copies files that have the bytes of an earlier one, as {@code "2.jpg (as 1.jpg)"};
     *     they are used
     */
    public record Content(
            int checked,
            List<String> unreadable,
            List<String> altered,
            List<String> misnamed,
            List<String> copies) {

        /** Nothing was read yet. */
        public static final Content NOT_CHECKED =
                new Content(0, List.of(), List.of(), List.of(), List.of());

        /** Copies the lists. */
        public Content {
            unreadable = List.copyOf(unreadable);
            altered = List.copyOf(altered);
            misnamed = List.copyOf(misnamed);
            copies = List.copyOf(copies);
        }
    }

    /** Copies the lists. */
    public DatasetReport {
        malformed = List.copyOf(malformed);
        absent = List.copyOf(absent);
        unlisted = List.copyOf(unlisted);
        duplicates = List.copyOf(duplicates);
    }

    /** A report on a data set whose files have not been read. */
    static DatasetReport ofListing(
            int used,
            List<String> malformed,
            List<String> absent,
            List<String> unlisted,
            List<String> duplicates) {
        return new DatasetReport(
                used, malformed, absent, unlisted, duplicates, Content.NOT_CHECKED);
    }

    DatasetReport withContent(int nowUsed, Content found) {
        return new DatasetReport(nowUsed, malformed, absent, unlisted, duplicates, found);
    }

    /**
     * The number of everything named.
     *
     * @return 0 if nothing is wrong, as far as was looked
     */
    public int problems() {
        return malformed.size()
                + absent.size()
                + unlisted.size()
                + duplicates.size()
                + content.unreadable.size()
                + content.altered.size()
                + content.misnamed.size()
                + content.copies.size();
    }

    /** One line with the counts and the first few names of each kind. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(used + " faces");
        append(text, "malformed", malformed);
        append(text, "listed but not on disk", absent);
        append(text, "on disk but not listed", unlisted);
        append(text, "listed more than once", duplicates);
        append(text, "unreadable", content.unreadable);
        append(text, "not as the list of digests has them", content.altered);
        append(text, "of another format than their name says", content.misnamed);
        append(text, "with the bytes of another", content.copies);
        return text.toString();
    }

    private static void append(StringBuilder text, String what, List<String> names) {
        if (!names.isEmpty()) {
            text.append("; ").append(names.size()).append(' ').append(what).append(" (");
            text.append(String.join(", ", names.subList(0, Math.min(SHOWN, names.size()))));
            text.append(names.size() > SHOWN ? ", ...)" : ")");
        }
    }
}
