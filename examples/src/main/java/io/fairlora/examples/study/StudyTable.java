package io.fairlora.examples.study;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Summaries as text for people and as JSON for programs. */
public final class StudyTable {

    private StudyTable() {}

    /**
     * Aligned tables: the figures, then the paired differences to ERM and to its refitted head.
     *
     * @param summaries one a strategy
     * @return lines that end in a newline
     */
    public static String text(List<Summary> summaries) {
        StringBuilder text = new StringBuilder();
        List<List<String>> rows = new ArrayList<>();
        List<String> header = new ArrayList<>(List.of("strategy", "what crossed"));
        header.addAll(Outcome.METRICS.values());
        rows.add(header);
        for (Summary summary : summaries) {
            List<String> row = new ArrayList<>(List.of(summary.strategy(), crossed(summary)));
            Outcome.METRICS.keySet().forEach(name -> row.add(cell(summary.metrics(), name, "")));
            rows.add(row);
        }
        text.append("On the balanced test, mean over seeds +- half its 95 % interval:\n\n");
        append(text, rows);
        List<List<String>> toErm = differences(summaries, Summary::vsErm, true);
        if (toErm.size() > 1) {
            text.append("\nPaired difference to ERM (* where the interval excludes 0); coin: the");
            text.append(" gaps of ERM mixed with a coin\nuntil it is no more accurate than the");
            text.append(" strategy. REWEIGH sees s: the price of privacy.\n\n");
            append(text, toErm);
        }
        List<List<String>> toRefit = differences(summaries, Summary::vsRefit, false);
        if (toRefit.size() > 1) {
            text.append("\nPaired difference to ERM+REFIT, which fits the head anew without any");
            text.append(" auditor, as ADV, ENT and\nDISTILL do with one: what is left here is the");
            text.append(" auditor's doing.\n\n");
            append(text, toRefit);
        }
        return text.toString();
    }

    private static List<List<String>> differences(
            List<Summary> summaries,
            Function<Summary, Map<String, Summary.Interval>> reference,
            boolean coin) {
        List<List<String>> rows = new ArrayList<>();
        List<String> header = new ArrayList<>(List.of("strategy"));
        header.addAll(Outcome.METRICS.values());
        if (coin) {
            header.addAll(List.of("coin: DP", "coin: EOpp"));
        }
        rows.add(header);
        for (Summary summary : summaries) {
            Map<String, Summary.Interval> figures = reference.apply(summary);
            if (figures.isEmpty()) {
                continue;
            }
            List<String> row = new ArrayList<>(List.of(summary.strategy()));
            Outcome.METRICS.keySet().forEach(name -> row.add(cell(figures, name, "+")));
            if (coin) {
                row.add(number(summary.coin(), "demographic_parity_difference"));
                row.add(number(summary.coin(), "equal_opportunity_difference"));
            }
            rows.add(row);
        }
        return rows;
    }

    private static String crossed(Summary summary) {
        Outcome.Crossed crossed = summary.crossed();
        if (summary.strategy().equals(SeedRun.REWEIGHING)) {
            return "every s";
        }
        if (crossed.rounds() == 0) {
            return "nothing";
        }
        return String.format(
                Locale.ROOT,
                "%d ad%s, %,d kB, %d rd",
                crossed.adapters(),
                crossed.erasers() == 0 ? "" : " + " + crossed.erasers() + " eraser",
                Math.round(crossed.bytes() / 1000.0),
                crossed.rounds());
    }

    private static String cell(Map<String, Summary.Interval> figures, String name, String sign) {
        Summary.Interval interval = figures.get(name);
        if (interval == null || Double.isNaN(interval.mean())) {
            return "-";
        }
        String mean = String.format(Locale.ROOT, "%" + sign + ".3f", interval.mean());
        if (Double.isNaN(interval.low())) {
            return mean;
        }
        boolean clear = interval.low() > 0 || interval.high() < 0;
        return String.format(
                Locale.ROOT,
                "%s+-%.3f%s",
                mean,
                interval.high() - interval.mean(),
                sign.isEmpty() ? "" : clear ? "*" : " ");
    }

    private static String number(Map<String, Double> figures, String name) {
        Double value = figures.get(name);
        return value == null ? "-" : String.format(Locale.ROOT, "%.3f", value);
    }

    private static void append(StringBuilder text, List<List<String>> rows) {
        int columns = rows.get(0).size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int c = 0; c < columns; c++) {
                widths[c] = Math.max(widths[c], row.get(c).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int c = 0; c < columns; c++) {
                line.append(String.format(Locale.ROOT, "%-" + (widths[c] + 2) + "s", row.get(c)));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
    }

    /**
     * The same for programs.
     *
     * @param summaries one a strategy
     * @param settings what was chosen, by name
     * @return {@code {"strategies": [{"name", "crossed", "metrics": {NAME: {"mean", "low", "high",
     *     "vs_erm": {"mean", "low", "high"}, "vs_refit": {"mean", "low", "high"}}}, "coin"}],
     *     "settings"}}
     */
    public static ObjectNode json(List<Summary> summaries, Map<String, String> settings) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        for (Summary summary : summaries) {
            ObjectNode node = root.withArray("strategies").addObject();
            node.put("name", summary.strategy());
            node.putObject("crossed")
                    .put("adapters", summary.crossed().adapters())
                    .put("erasers", summary.crossed().erasers())
                    .put("bytes", summary.crossed().bytes())
                    .put("rounds", summary.crossed().rounds());
            ObjectNode metrics = node.putObject("metrics");
            summary.metrics()
                    .forEach(
                            (name, interval) -> {
                                ObjectNode metric = metrics.putObject(name);
                                put(metric, interval);
                                put(metric, "vs_erm", summary.vsErm().get(name));
                                put(metric, "vs_refit", summary.vsRefit().get(name));
                            });
            ObjectNode coin = node.putObject("coin");
            summary.coin().forEach(coin::put);
        }
        ObjectNode chosen = root.putObject("settings");
        settings.forEach(chosen::put);
        return root;
    }

    private static void put(ObjectNode metric, String name, Summary.@Nullable Interval difference) {
        if (difference != null) {
            put(metric.putObject(name), difference);
        }
    }

    private static void put(ObjectNode node, Summary.Interval interval) {
        number(node, "mean", interval.mean());
        number(node, "low", interval.low());
        number(node, "high", interval.high());
    }

    private static void number(ObjectNode node, String name, double value) {
        if (Double.isNaN(value)) {
            node.putNull(name);
        } else {
            node.put(name, value);
        }
    }
}
