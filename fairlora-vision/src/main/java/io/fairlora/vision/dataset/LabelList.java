package io.fairlora.vision.dataset;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import de.siegmar.fastcsv.reader.CsvParseException;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * A list with a row for each image: a CSV file with a header, or, by the ending {@code .jsonl}, a
 * JSON object on each line.
 */
final class LabelList {

    private static final ObjectMapper JSON =
            JsonMapper.builder().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION).build();

    private final Path file;

    LabelList(Path file) {
        this.file = file;
    }

    /** One row; a cell that is absent or null in JSON is empty. */
    final class Row {
        private final long line;
        private final List<String> columns;
        private final List<String> cells;

        Row(long line, List<String> columns, List<String> cells) {
            this.line = line;
            this.columns = columns;
            this.cells = cells;
        }

        /** The names of all columns; in JSON, in the order in which they first occur. */
        List<String> columns() {
            return columns;
        }

        /** A cell without the blanks around it. */
        String cell(String column) {
            int at = columns.indexOf(column);
            if (at < 0) {
                throw new DatasetException(
                        String.format(
                                "%s: there is no column %s, found %s", file, column, columns));
            }
            return cells.get(at).strip();
        }

        DatasetException unexpected(String column, String found, List<String> expected) {
            return new DatasetException(
                    String.format(
                            "%s, line %d: %s is \"%s\", expected one of %s",
                            file, line, column, found, expected));
        }
    }

    void forEach(Consumer<Row> action) {
        if (!Files.isRegularFile(file)) {
            throw new DatasetException(file + ": there is no such file");
        }
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".jsonl")) {
            jsonLines().forEach(action);
        } else {
            csv(action);
        }
    }

    private void csv(Consumer<Row> action) {
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
                action.accept(
                        new Row(row.getStartingLineNumber(), row.getHeader(), row.getFields()));
            }
        } catch (IOException | UncheckedIOException | CsvParseException e) {
            throw new DatasetException(file + ": is not a CSV file: " + e.getMessage(), e);
        }
    }

    private List<Row> jsonLines() {
        Map<Integer, JsonNode> objects = new LinkedHashMap<>();
        Set<String> columns = new LinkedHashSet<>();
        try {
            int number = 0;
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                number++;
                if (!line.isBlank()) {
                    JsonNode object = object(number, line);
                    object.fieldNames().forEachRemaining(columns::add);
                    objects.put(number, object);
                }
            }
        } catch (IOException e) {
            throw new DatasetException(file + ": cannot be read: " + e.getMessage(), e);
        }
        List<String> header = List.copyOf(columns);
        List<Row> rows = new ArrayList<>();
        objects.forEach(
                (number, object) -> {
                    List<String> cells = new ArrayList<>();
                    header.forEach(column -> cells.add(cell(number, object, column)));
                    rows.add(new Row(number, header, cells));
                });
        return rows;
    }

    private JsonNode object(int number, String line) {
        try {
            JsonNode node = JSON.readTree(line);
            if (node.isObject()) {
                return node;
            }
            throw new DatasetException(
                    String.format("%s, line %d: is not a JSON object", file, number));
        } catch (JsonProcessingException e) {
            throw new DatasetException(
                    String.format(
                            "%s, line %d: is not a JSON object: %s",
                            file, number, e.getOriginalMessage()),
                    e);
        }
    }

    private String cell(int number, JsonNode object, String column) {
        JsonNode value = object.path(column);
        if (value.isContainerNode()) {
            throw new DatasetException(
                    String.format(
                            "%s, line %d: %s is %s, expected a text or a number",
                            file, number, column, value));
        }
        return value.isNull() ? "" : value.asText();
    }
}
