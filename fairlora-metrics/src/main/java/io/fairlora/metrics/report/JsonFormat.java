package io.fairlora.metrics.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableMap;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.RocPoint;
import io.fairlora.metrics.interval.Interval;
import io.fairlora.metrics.report.GroupCurves.CalibrationPoint;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A report as JSON, under Fairlearn's names where it has them, and back.
 *
 * <p>{@code overall} and the entries of {@code by_group} hold plain numbers, null where a figure is
 * undefined; {@code overall_intervals}, {@code intervals} and {@code undefined} beside them hold
 * the rest. Each of {@code metrics} and {@code extras} is an object {@code {"value", "low", "high",
 * "undefined", "groups"}}.
 */
public final class JsonFormat {
    private static final ObjectMapper MAPPER =
            new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private JsonFormat() {}

    /**
     * Writes a report.
     *
     * @param report the report
     * @return an indented JSON object
     */
    public static String write(FairnessReport report) {
        ObjectNode root = MAPPER.createObjectNode();
        root.set("provenance", provenance(report.provenance()));
        root.put("count", report.count());
        putFigures(root, "overall", "overall_", report.overall());
        ArrayNode groups = root.putArray("by_group");
        for (GroupFigures group : report.byGroup()) {
            ObjectNode node = groups.addObject();
            node.set("group", group(group.group()));
            node.put("count", group.count());
            node.put("suppressed", group.suppressed());
            putFigures(node, "", "", group.figures());
        }
        root.set("metrics", estimates(report.metrics()));
        root.set("extras", estimates(report.extras()));
        if (!report.curves().isEmpty()) {
            putCurves(root.putArray("curves"), report.curves());
        }
        ArrayNode notes = root.putArray("notes");
        report.notes().forEach(notes::add);
        try {
            return MAPPER.writeValueAsString(root);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of JSON nodes failed to print", e);
        }
    }

    private static ObjectNode provenance(Provenance provenance) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("subject", provenance.subject());
        node.put("created", provenance.created().toString());
        node.put("library_version", provenance.libraryVersion());
        ObjectNode settings = node.putObject("settings");
        provenance.settings().forEach(settings::put);
        return node;
    }

    private static ObjectNode group(Group group) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        group.attributes().forEach(node::put);
        return node;
    }

    private static void putFigures(
            ObjectNode parent, String name, String prefix, Map<String, Estimate> figures) {
        ObjectNode values = name.isEmpty() ? parent : parent.putObject(name);
        ObjectNode intervals = JsonNodeFactory.instance.objectNode();
        ObjectNode undefined = JsonNodeFactory.instance.objectNode();
        figures.forEach(
                (key, estimate) -> {
                    putNumber(values, key, estimate.figure());
                    estimate.figure().reason().ifPresent(reason -> undefined.put(key, reason));
                    estimate.interval().ifPresent(i -> putInterval(intervals.putObject(key), i));
                });
        if (!intervals.isEmpty()) {
            parent.set(prefix + "intervals", intervals);
        }
        if (!undefined.isEmpty()) {
            parent.set(prefix + "undefined", undefined);
        }
    }

    private static ObjectNode estimates(Map<String, Estimate> estimates) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        estimates.forEach((key, estimate) -> node.set(key, estimate(estimate)));
        return node;
    }

    private static ObjectNode estimate(Estimate estimate) {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        putNumber(node, "value", estimate.figure());
        estimate.interval().ifPresent(interval -> putInterval(node, interval));
        estimate.figure().reason().ifPresent(reason -> node.put("undefined", reason));
        ArrayNode groups = node.putArray("groups");
        estimate.groups().forEach(g -> groups.add(group(g)));
        estimate.significance()
                .ifPresent(
                        s -> {
                            node.put("p_value", s.pValue());
                            node.put("p_value_exact", s.exact());
                            node.put("expected_if_fair", s.expectedIfFair());
                            node.put("bias_corrected", s.biasCorrected());
                        });
        if (!estimate.notes().isEmpty()) {
            ArrayNode notes = node.putArray("notes");
            estimate.notes().forEach(notes::add);
        }
        return node;
    }

    private static void putNumber(ObjectNode node, String key, Figure figure) {
        if (figure.isDefined()) {
            node.put(key, figure.value());
        } else {
            node.putNull(key);
        }
    }

    private static void putInterval(ObjectNode node, Interval interval) {
        node.put("low", interval.low());
        node.put("high", interval.high());
        node.put("confidence", interval.confidence());
    }

    /**
     * Reads what {@link #write} wrote.
     *
     * @param json a JSON object
     * @return the report
     * @throws IllegalArgumentException if the text is not such an object; the message says what was
     *     found
     */
    public static FairnessReport read(String json) {
        JsonNode root;
        try {
            root = MAPPER.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "expected a fairness report, found no valid JSON", e);
        }
        for (String key : List.of("provenance", "count", "overall", "by_group", "metrics")) {
            if (!root.has(key)) {
                throw new IllegalArgumentException(
                        "expected a fairness report, found JSON without \"" + key + "\"");
            }
        }
        JsonNode origin = root.get("provenance");
        Map<String, String> settings = new LinkedHashMap<>();
        origin.path("settings")
                .properties()
                .forEach(e -> settings.put(e.getKey(), e.getValue().asText()));
        Instant created;
        try {
            created = Instant.parse(origin.path("created").asText());
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException(
                    "\"created\" is " + origin.path("created") + ", expected an ISO-8601 time", e);
        }
        List<GroupFigures> groups = new ArrayList<>();
        for (JsonNode node : root.get("by_group")) {
            groups.add(
                    new GroupFigures(
                            readGroup(node.path("group")),
                            node.path("count").asLong(),
                            node.path("suppressed").asBoolean(),
                            readFigures(node, node, "")));
        }
        return new FairnessReport(
                new Provenance(
                        origin.path("subject").asText(),
                        created,
                        origin.path("library_version").asText(),
                        settings),
                root.get("count").asLong(),
                readFigures(root.get("overall"), root, "overall_"),
                groups,
                readEstimates(root.get("metrics")),
                readEstimates(root.path("extras")),
                readCurves(root.path("curves")),
                readTexts(root.path("notes")));
    }

    private static Group readGroup(JsonNode node) {
        ImmutableMap.Builder<String, String> attributes = ImmutableMap.builder();
        node.properties().forEach(e -> attributes.put(e.getKey(), e.getValue().asText()));
        return Group.of(attributes.buildOrThrow());
    }

    private static Map<String, Estimate> readFigures(
            JsonNode values, JsonNode parent, String prefix) {
        Map<String, Estimate> figures = new LinkedHashMap<>();
        JsonNode intervals = parent.path(prefix + "intervals");
        JsonNode undefined = parent.path(prefix + "undefined");
        values.properties()
                .forEach(
                        e -> {
                            String key = e.getKey();
                            boolean figure = e.getValue().isDouble() || e.getValue().isNull();
                            if (figure) {
                                figures.put(
                                        key,
                                        Estimate.of(
                                                readFigure(e.getValue(), undefined.path(key)),
                                                readInterval(intervals.path(key))));
                            }
                        });
        return figures;
    }

    private static Map<String, Estimate> readEstimates(JsonNode node) {
        Map<String, Estimate> estimates = new LinkedHashMap<>();
        node.properties().forEach(e -> estimates.put(e.getKey(), readEstimate(e.getValue())));
        return estimates;
    }

    private static Estimate readEstimate(JsonNode node) {
        List<Group> groups = new ArrayList<>();
        node.path("groups").forEach(g -> groups.add(readGroup(g)));
        return new Estimate(
                readFigure(node.path("value"), node.path("undefined")),
                readInterval(node),
                groups,
                readTexts(node.path("notes")),
                readSignificance(node));
    }

    private static Figure readFigure(JsonNode value, JsonNode undefined) {
        return value.isNumber()
                ? Figure.of(value.asDouble())
                : Figure.undefined(undefined.asText("no reason given"));
    }

    private static Optional<Interval> readInterval(JsonNode node) {
        return node.has("low")
                ? Optional.of(
                        new Interval(
                                node.path("low").asDouble(),
                                node.path("high").asDouble(),
                                node.path("confidence").asDouble(0.95)))
                : Optional.empty();
    }

    private static Optional<Significance> readSignificance(JsonNode node) {
        return node.has("p_value")
                ? Optional.of(
                        new Significance(
                                node.path("p_value").asDouble(),
                                node.path("p_value_exact").asBoolean(),
                                node.path("expected_if_fair").asDouble(),
                                node.path("bias_corrected").asDouble()))
                : Optional.empty();
    }

    private static void putCurves(ArrayNode target, List<GroupCurves> curves) {
        for (GroupCurves curve : curves) {
            ObjectNode node = target.addObject();
            node.set("group", group(curve.group()));
            ArrayNode roc = node.putArray("roc");
            for (RocPoint point : curve.roc()) {
                // JSON has no infinity: the first point, which selects nobody, has no threshold.
                ArrayNode values = roc.addArray();
                values.add(point.falsePositiveRate()).add(point.truePositiveRate());
                if (Double.isFinite(point.threshold())) {
                    values.add(point.threshold());
                }
            }
            ArrayNode calibration = node.putArray("calibration");
            for (CalibrationPoint point : curve.calibration()) {
                ObjectNode bin = calibration.addObject();
                bin.put("mean_score", point.meanScore());
                bin.put("count", point.count());
                bin.set("observed", estimate(point.observed()));
            }
        }
    }

    private static List<GroupCurves> readCurves(JsonNode nodes) {
        List<GroupCurves> curves = new ArrayList<>();
        for (JsonNode node : nodes) {
            List<RocPoint> roc = new ArrayList<>();
            for (JsonNode point : node.path("roc")) {
                roc.add(
                        new RocPoint(
                                point.path(0).asDouble(),
                                point.path(1).asDouble(),
                                point.path(2).asDouble(Double.POSITIVE_INFINITY)));
            }
            List<CalibrationPoint> calibration = new ArrayList<>();
            for (JsonNode bin : node.path("calibration")) {
                calibration.add(
                        new CalibrationPoint(
                                bin.path("mean_score").asDouble(),
                                readEstimate(bin.path("observed")),
                                bin.path("count").asLong()));
            }
            curves.add(new GroupCurves(readGroup(node.path("group")), roc, calibration));
        }
        return curves;
    }

    private static List<String> readTexts(JsonNode node) {
        List<String> texts = new ArrayList<>();
        node.forEach(n -> texts.add(n.asText()));
        return texts;
    }
}
