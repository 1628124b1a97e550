package io.fairlora.vision.dataset;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One of CelebA's lists: a name and integers on every line, parted by blanks or commas; the lines
 * end with LF or CRLF. Read by hand, as splitting eight million cells into strings takes seconds.
 */
final class CelebaList {

    /** What is done with a line. */
    interface RowReader {
        /**
         * Takes one row.
         *
         * @param name the image
         * @param values its numbers; the array is used again for the next row
         */
        void row(String name, int[] values);
    }

    private final Path file;
    private final byte[] text;
    private int at;
    private int line = 1;

    CelebaList(Path file) {
        this.file = file;
        try {
            text = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new DatasetException(file + ": cannot be read: " + e.getMessage(), e);
        }
        boolean hasByteOrderMark =
                text.length >= 3
                        && text[0] == (byte) 0xEF
                        && text[1] == (byte) 0xBB
                        && text[2] == (byte) 0xBF;
        at = hasByteOrderMark ? 3 : 0;
    }

    /**
     * Reads the head: the official one, a count and a line of column names, or the first line of a
     * CSV file, whose first cell names the image column.
     *
     * @return the names of the columns of numbers
     */
    Head head() {
        List<String> first = cells();
        if (first.size() == 1 && first.get(0).chars().allMatch(Character::isDigit)) {
            return new Head(cells(), Integer.parseInt(first.get(0)));
        }
        if (first.size() < 2) {
            throw new DatasetException(
                    file + ", line 1: found " + first + ", expected a count or column names");
        }
        return new Head(first.subList(1, first.size()), -1);
    }

    /**
     * The columns of a list.
     *
     * @param columns their names
     * @param rows the number of rows the list says it has, or -1
     */
    record Head(List<String> columns, int rows) {}

    /** Skips the first line if its second cell is no number: the head of a CSV file. */
    void skipHead() {
        int start = at;
        List<String> first = cells();
        if (first.size() < 2 || !first.get(1).matches("-?\\d+")) {
            return;
        }
        at = start;
        line = 1;
    }

    /**
     * Reads all rows.
     *
     * @param columns the number of integers on each line
     * @param reader takes them
     * @return the number of rows
     */
    int rows(int columns, RowReader reader) {
        int[] values = new int[columns];
        int rows = 0;
        while (at < text.length) {
            skipBlanks();
            if (atEndOfLine()) {
                endLine();
                continue;
            }
            int start = at;
            skipCell();
            String name = new String(text, start, at - start, StandardCharsets.UTF_8);
            for (int i = 0; i < columns; i++) {
                skipBlanks();
                if (atEndOfLine()) {
                    throw damaged(name, "has " + i + " values, expected " + columns);
                }
                values[i] = integer(name);
            }
            skipBlanks();
            if (!atEndOfLine()) {
                throw damaged(name, "has more than the expected " + columns + " values");
            }
            endLine();
            reader.row(name, values);
            rows++;
        }
        return rows;
    }

    private int integer(String name) {
        int start = at;
        boolean negative = text[at] == '-';
        long value = 0;
        for (at += negative ? 1 : 0; at < text.length && isDigit(text[at]); at++) {
            value = value * 10 + (text[at] - '0');
        }
        int digits = at - start - (negative ? 1 : 0);
        if (digits == 0 || digits > 9 || !(atEndOfLine() || isBlank(text[at]))) {
            at = start;
            skipCell();
            String cell = new String(text, start, at - start, StandardCharsets.UTF_8);
            throw damaged(name, "has \"" + cell + "\", expected an integer");
        }
        return (int) (negative ? -value : value);
    }

    private List<String> cells() {
        List<String> cells = new ArrayList<>();
        skipBlanks();
        while (!atEndOfLine()) {
            int start = at;
            skipCell();
            cells.add(new String(text, start, at - start, StandardCharsets.UTF_8));
            skipBlanks();
        }
        endLine();
        return cells;
    }

    private DatasetException damaged(String name, String found) {
        return new DatasetException(file + ", line " + line + ": " + name + " " + found);
    }

    private void skipBlanks() {
        while (at < text.length && isBlank(text[at])) {
            at++;
        }
    }

    private void skipCell() {
        while (at < text.length && !isBlank(text[at]) && text[at] != '\n') {
            at++;
        }
    }

    private boolean atEndOfLine() {
        return at >= text.length || text[at] == '\n';
    }

    private void endLine() {
        at++;
        line++;
    }

    private static boolean isBlank(byte c) {
        return c == ' ' || c == ',' || c == '\r' || c == '\t';
    }

    private static boolean isDigit(byte c) {
        return c >= '0' && c <= '9';
    }
}
