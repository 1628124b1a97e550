package io.fairlora.vision.dataset;

import de.siegmar.fastcsv.reader.CsvParseException;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** A CSV file with a header and a row for each image. */
final class LabelList {

    private final Path file;

    LabelList(Path file) {
        this.file = file;
    }

    void forEach(Consumer<NamedCsvRecord> action) {
        if (!Files.isRegularFile(file)) {
            throw new DatasetException(file + ": there is no such file");
        }
        try (CsvReader<NamedCsvRecord> csv =
                CsvReader.builder().detectBomHeader(true).ofNamedCsvRecord(file)) {
            for (NamedCsvRecord row : csv) {
                if (row.getFieldCount() != row.getHeader().size()) {
                    throw new DatasetException(
                            String.format(
                                    "%s, line %d: has %d cells, expected %d",
                                    file,
                                    row.getStartingLineNumber(),
                                    row.getFieldCount(),
                                    row.getHeader().size()));
                }
                action.accept(row);
            }
        } catch (IOException | UncheckedIOException | CsvParseException e) {
            throw new DatasetException(file + ": is not a CSV file: " + e.getMessage(), e);
        }
    }

    /** A cell without the blanks around it. */
    String cell(NamedCsvRecord row, String column) {
        return row.findField(column)
                .orElseThrow(
                        () ->
                                new DatasetException(
                                        String.format(
                                                "%s: there is no column %s, found %s",
                                                file, column, row.getHeader())))
                .strip();
    }

    DatasetException unexpected(
            NamedCsvRecord row, String column, String found, List<String> expected) {
        return new DatasetException(
                String.format(
                        "%s, line %d: %s is \"%s\", expected one of %s",
                        file, row.getStartingLineNumber(), column, found, expected));
    }
}
