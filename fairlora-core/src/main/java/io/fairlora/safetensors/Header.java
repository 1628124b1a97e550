package io.fairlora.safetensors;

import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.google.common.primitives.Longs;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file's parsed header.
 *
 * @param tensors by name, in the order of their elements in the file
 * @param metadata the free-form strings
 */
record Header(Map<String, TensorInfo> tensors, Map<String, String> metadata) {

    static final String METADATA = "__metadata__";

    private static final JsonFactory JSON =
            JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

    /** Parses and checks a header against the number of bytes that follow it in the file. */
    static Header parse(Path file, byte[] json, long dataBytes) throws IOException {
        if (json.length == 0 || json[0] != '{') {
            throw new SafetensorsException(file, "the header does not start with '{'");
        }
        // A reader, because from bytes the parser would accept UTF-16 and UTF-32 too.
        try (JsonParser parser =
                JSON.createParser(
                        new InputStreamReader(
                                new ByteArrayInputStream(json),
                                StandardCharsets.UTF_8.newDecoder()))) {
            return new Parse(file, parser).header(dataBytes);
        } catch (JsonProcessingException e) {
            throw new SafetensorsException(
                    file, "the header is not valid JSON: " + e.getOriginalMessage());
        } catch (CharacterCodingException e) {
            throw new SafetensorsException(file, "the header is not valid UTF-8");
        }
    }

    /** One pass over the JSON. */
    private static final class Parse {

        private final Path file;
        private final JsonParser parser;

        Parse(Path file, JsonParser parser) {
            this.file = file;
            this.parser = parser;
        }

        Header header(long dataBytes) throws IOException {
            Map<String, TensorInfo> tensors = new LinkedHashMap<>();
            Map<String, String> metadata = Map.of();
            expect(JsonToken.START_OBJECT, "the header");
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                if (name.equals(METADATA)) {
                    metadata = metadata();
                } else {
                    tensors.put(name, tensor(name));
                }
            }
            if (parser.nextToken() != null) {
                throw new SafetensorsException(file, "something follows the header's JSON object");
            }
            return new Header(inFileOrder(tensors, dataBytes), metadata);
        }

        private Map<String, String> metadata() throws IOException {
            Map<String, String> metadata = new LinkedHashMap<>();
            expect(JsonToken.START_OBJECT, METADATA);
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String key = parser.currentName();
                expect(JsonToken.VALUE_STRING, METADATA + " entry " + key);
                metadata.put(key, parser.getText());
            }
            return metadata;
        }

        private TensorInfo tensor(String name) throws IOException {
            Dtype dtype = null;
            long[] shape = null;
            long[] offsets = null;
            expect(JsonToken.START_OBJECT, "tensor " + name);
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                String what = field + " of tensor " + name;
                switch (field) {
                    case "dtype" -> {
                        expect(JsonToken.VALUE_STRING, what);
                        dtype = dtype(name, parser.getText());
                    }
                    case "shape" -> shape = longs(what);
                    case "data_offsets" -> offsets = longs(what);
                    default ->
                            throw new SafetensorsException(
                                    file,
                                    "tensor "
                                            + name
                                            + " has the unknown field "
                                            + field
                                            + ", expected dtype, shape, data_offsets");
                }
            }
            return checked(name, dtype, shape, offsets);
        }

        private TensorInfo checked(
                String name, @Nullable Dtype dtype, long @Nullable [] shape, long @Nullable [] at)
                throws SafetensorsException {
            if (dtype == null || shape == null || at == null) {
                throw new SafetensorsException(
                        file, "tensor " + name + " lacks one of dtype, shape, data_offsets");
            }
            if (at.length != 2 || at[0] > at[1]) {
                throw new SafetensorsException(
                        file,
                        "data_offsets of tensor "
                                + name
                                + " are "
                                + Longs.asList(at)
                                + ", expected a begin and an end not before it");
            }
            long bytes = dtype.bytes();
            try {
                for (long dimension : shape) {
                    bytes = Math.multiplyExact(bytes, dimension);
                }
            } catch (ArithmeticException e) {
                throw new SafetensorsException(
                        file,
                        "tensor " + name + " has the impossible shape " + Longs.asList(shape));
            }
            if (bytes != at[1] - at[0]) {
                throw new SafetensorsException(
                        file,
                        "tensor "
                                + name
                                + " of type "
                                + dtype
                                + " and shape "
                                + Longs.asList(shape)
                                + " needs "
                                + bytes
                                + " bytes, but its offsets span "
                                + (at[1] - at[0]));
            }
            return new TensorInfo(dtype, new Shape(shape), at[0], at[1]);
        }

        private Dtype dtype(String name, String text) throws SafetensorsException {
            for (Dtype dtype : Dtype.values()) {
                if (dtype.name().equals(text)) {
                    return dtype;
                }
            }
            throw new SafetensorsException(
                    file,
                    "tensor "
                            + name
                            + " has the unknown type "
                            + text
                            + ", expected one of "
                            + List.of(Dtype.values()));
        }

        private long[] longs(String what) throws IOException {
            List<Long> values = new ArrayList<>();
            expect(JsonToken.START_ARRAY, what);
            while (parser.nextToken() == JsonToken.VALUE_NUMBER_INT) {
                long value = parser.getLongValue();
                if (value < 0) {
                    throw new SafetensorsException(file, what + " holds the negative " + value);
                }
                values.add(value);
            }
            if (parser.currentToken() != JsonToken.END_ARRAY) {
                throw new SafetensorsException(
                        file, what + " holds something else than whole numbers");
            }
            return Longs.toArray(values);
        }

        private void expect(JsonToken token, String what) throws IOException {
            JsonToken found = parser.nextToken();
            if (found != token) {
                throw new SafetensorsException(
                        file, what + " is " + found + " in the header, expected " + token);
            }
        }

        /** Checks that the tensors cover the bytes after the header without gap or overlap. */
        private Map<String, TensorInfo> inFileOrder(Map<String, TensorInfo> tensors, long dataBytes)
                throws SafetensorsException {
            List<Map.Entry<String, TensorInfo>> entries = new ArrayList<>(tensors.entrySet());
            entries.sort(
                    Comparator.comparingLong(
                                    (Map.Entry<String, TensorInfo> entry) ->
                                            entry.getValue().begin())
                            .thenComparingLong(entry -> entry.getValue().end()));
            Map<String, TensorInfo> ordered = new LinkedHashMap<>();
            long position = 0;
            for (Map.Entry<String, TensorInfo> entry : entries) {
                TensorInfo info = entry.getValue();
                if (info.begin() != position) {
                    throw new SafetensorsException(
                            file,
                            "tensor "
                                    + entry.getKey()
                                    + " begins at byte "
                                    + info.begin()
                                    + " of the data, expected "
                                    + position
                                    + (info.begin() < position ? " (overlap)" : " (gap)"));
                }
                position = info.end();
                ordered.put(entry.getKey(), info);
            }
            if (position != dataBytes) {
                throw new SafetensorsException(
                        file,
                        "the header describes "
                                + position
                                + " bytes of data, but "
                                + dataBytes
                                + " follow it"
                                + (position > dataBytes ? " (the file is cut short)" : ""));
            }
            return ordered;
        }
    }
}
