package io.fairlora.vision.dataset;

import java.util.List;

/**
 * What a data set found on disk. All lists hold file names, in the order met.
 *
 * @param used the number of faces in the data set
 * @param malformed files or rows whose name or labels could not be understood, and so were left out
 * @param absent files a list names that are not on disk, and so were left out
 * @param unlisted files on disk that no list names, and so were left out
 * @param duplicates files a list names more than once: the first row counts
 */
public record DatasetReport(
        int used,
        List<String> malformed,
        List<String> absent,
        List<String> unlisted,
        List<String> duplicates) {

    private static final int SHOWN = 5;

    /** Copies the lists. */
    public DatasetReport {
        malformed = List.copyOf(malformed);
        absent = List.copyOf(absent);
        unlisted = List.copyOf(unlisted);
        duplicates = List.copyOf(duplicates);
    }

    /** One line with the counts and the first few names of each kind. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(used + " faces");
        append(text, "malformed", malformed);
        append(text, "listed but not on disk", absent);
        append(text, "on disk but not listed", unlisted);
        append(text, "listed more than once", duplicates);
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
