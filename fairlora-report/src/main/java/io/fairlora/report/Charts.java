package io.fairlora.report;

import io.fairlora.metrics.RocPoint;
import io.fairlora.metrics.interval.Interval;
import io.fairlora.metrics.report.Estimate;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.GroupCurves;
import io.fairlora.metrics.report.GroupCurves.CalibrationPoint;
import io.fairlora.metrics.report.GroupFigures;
import java.awt.BasicStroke;
import java.awt.Color;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.lines.SeriesLines;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws the charts of a report. */
final class Charts {
    private static final int WIDTH = 520;
    private static final int ROW_HEIGHT = 30;
    private static final int LONGEST_LABEL = 34;
    private static final BasicStroke WHISKER = new BasicStroke(2);
    private static final BasicStroke DASHED =
            new BasicStroke(
                    1, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {5, 4}, 0);

    private static final Map<String, String> RATES = new LinkedHashMap<>();

    static {
        RATES.put("selection_rate", "Selection rate by group");
        RATES.put("true_positive_rate", "True positive rate by group");
        RATES.put("false_positive_rate", "False positive rate by group");
        RATES.put("accuracy", "Accuracy by group");
    }

    private final List<InlineChart> charts = new ArrayList<>();

    private Charts() {}

    /** A labelled value with its interval. */
    private record Row(String label, double value, Optional<Interval> interval) {}

    /**
     * All charts for which there are figures.
     *
     * @param report the report
     * @param others reports of other models, to compare in the scatter
     */
    static List<InlineChart> of(FairnessReport report, List<FairnessReport> others) {
        Charts charts = new Charts();
        RATES.forEach((key, title) -> charts.addRates(report, key, title));
        charts.addGaps(report, "_difference", "Differences between groups", 0);
        charts.addGaps(report, "_ratio", "Ratios between groups", 1);
        charts.addRoc(report.curves());
        charts.addCalibration(report.curves());
        if (!others.isEmpty()) {
            List<FairnessReport> models = new ArrayList<>(List.of(report));
            models.addAll(others);
            charts.addScatter(models);
        }
        return charts.charts;
    }

    private void add(XYChart chart, String title, String description) {
        String svg = InlineSvg.encode(chart, "chart" + charts.size(), title + ". " + description);
        charts.add(new InlineChart(title, description, svg));
    }

    private void addRates(FairnessReport report, String key, String title) {
        List<Row> rows = new ArrayList<>();
        for (GroupFigures group : report.byGroup()) {
            row(group.group().label(), group.figures().get(key)).ifPresent(rows::add);
        }
        Optional<Row> overall = row("overall", report.overall().get(key));
        if (rows.isEmpty() || overall.isEmpty()) {
            return;
        }
        XYChart chart = forest(rows);
        double value = overall.get().value();
        ChartStyle.addLine(
                chart,
                "overall",
                new double[] {value, value},
                new double[] {0, rows.size() + 1},
                ChartStyle.INK,
                DASHED);
        chart.getStyler().setXAxisMin(0.0);
        chart.getStyler().setXAxisMax(1.0);
        add(
                chart,
                title,
                "Dots are rates, bars their confidence intervals; the dashed line is everybody.");
    }

    private void addGaps(FairnessReport report, String kind, String title, double fair) {
        List<Row> rows = new ArrayList<>();
        report.metrics()
                .forEach(
                        (name, estimate) -> {
                            boolean treatment = name.startsWith("treatment");
                            if (name.contains(kind) && !treatment) {
                                String label = name.replaceFirst(kind, "").replace('_', ' ');
                                row(label, estimate).ifPresent(rows::add);
                            }
                        });
        if (rows.isEmpty()) {
            return;
        }
        XYChart chart = forest(rows);
        double[] across = {0, rows.size() + 1};
        ChartStyle.addLine(
                chart, "fair", new double[] {fair, fair}, across, ChartStyle.INK, DASHED);
        String description = "Dots are values, bars their intervals; the dashed line is fair.";
        if (fair == 1) {
            ChartStyle.addLine(
                    chart,
                    "four fifths",
                    new double[] {0.8, 0.8},
                    across,
                    ChartStyle.color(1),
                    DASHED);
            description += " The line at 0.8 is the four-fifths rule.";
        }
        add(chart, title, description);
    }

    private static Optional<Row> row(String label, @Nullable Estimate estimate) {
        return estimate == null || !estimate.figure().isDefined()
                ? Optional.empty()
                : Optional.of(new Row(label, estimate.figure().value(), estimate.interval()));
    }

    /** A row for each value from top to bottom, with its interval as a bar. */
    private static XYChart forest(List<Row> rows) {
        int n = rows.size();
        XYChart chart = ChartStyle.chart(WIDTH, 70 + ROW_HEIGHT * (n + 1), "", "");
        XYStyler styler = chart.getStyler();
        styler.setLegendVisible(false);
        styler.setYAxisMin(0.0);
        styler.setYAxisMax(n + 1.0);
        styler.setYAxisTickMarkSpacingHint(ROW_HEIGHT - 6);
        styler.setPlotGridHorizontalLinesVisible(false);
        List<String> labels = uniqueLabels(rows);
        // A whole-numbered range puts the ticks on the rows; the library drops equal labels.
        styler.setyAxisTickLabelsFormattingFunction(
                y -> {
                    int index = n - (int) Math.rint(y);
                    return index >= 0 && index < n
                            ? labels.get(index)
                            : " ".repeat(index < 0 ? -2 * index : 2 * (index - n) + 1);
                });
        for (int i = 0; i < n; i++) {
            Row row = rows.get(i);
            double y = n - i;
            row.interval()
                    .ifPresent(
                            interval ->
                                    ChartStyle.addLine(
                                            chart,
                                            "interval " + y,
                                            new double[] {interval.low(), interval.high()},
                                            new double[] {y, y},
                                            ChartStyle.color(0),
                                            WHISKER));
            XYSeries dot =
                    chart.addSeries("value " + y, new double[] {row.value()}, new double[] {y});
            dot.setMarker(SeriesMarkers.CIRCLE);
            dot.setMarkerColor(ChartStyle.color(0));
            dot.setLineStyle(SeriesLines.NONE);
        }
        return chart;
    }

    private static List<String> uniqueLabels(List<Row> rows) {
        List<String> labels = new ArrayList<>();
        for (Row row : rows) {
            String label = shortened(row.label());
            int copy = 2;
            while (labels.contains(label)) {
                label = shortened(row.label()) + " (" + copy++ + ")";
            }
            labels.add(label);
        }
        return labels;
    }

    private static String shortened(String label) {
        return label.length() <= LONGEST_LABEL
                ? label
                : label.substring(0, LONGEST_LABEL - 1) + "…";
    }

    private static XYChart square(String x, String y, int legendEntries) {
        XYChart chart = ChartStyle.chart(WIDTH, WIDTH - 40 + 12 * legendEntries, x, y);
        chart.getStyler().setXAxisMin(0.0);
        chart.getStyler().setXAxisMax(1.0);
        chart.getStyler().setYAxisMin(0.0);
        chart.getStyler().setYAxisMax(1.0);
        ChartStyle.addLine(
                chart, " ", new double[] {0, 1}, new double[] {0, 1}, Color.GRAY, DASHED);
        return chart;
    }

    private void addRoc(List<GroupCurves> curves) {
        List<GroupCurves> drawn = curves.stream().filter(c -> !c.roc().isEmpty()).toList();
        if (drawn.isEmpty()) {
            return;
        }
        XYChart chart = square("False positive rate", "True positive rate", drawn.size());
        for (int i = 0; i < drawn.size(); i++) {
            List<RocPoint> points = drawn.get(i).roc();
            XYSeries series =
                    chart.addSeries(
                            shortened(drawn.get(i).group().label()) + mark(drawn, i),
                            points.stream().mapToDouble(RocPoint::falsePositiveRate).toArray(),
                            points.stream().mapToDouble(RocPoint::truePositiveRate).toArray());
            series.setMarker(SeriesMarkers.NONE);
            series.setLineColor(ChartStyle.color(i));
            series.setLineStyle(ChartStyle.line(i));
        }
        add(chart, "ROC by group", "A curve further to the upper left separates better.");
    }

    /** Tells apart groups whose shortened names are the same. */
    private static String mark(List<GroupCurves> curves, int index) {
        String name = shortened(curves.get(index).group().label());
        long before =
                curves.subList(0, index).stream()
                        .filter(c -> shortened(c.group().label()).equals(name))
                        .count();
        return before == 0 ? "" : " (" + (before + 1) + ")";
    }

    private void addCalibration(List<GroupCurves> curves) {
        List<GroupCurves> drawn = curves.stream().filter(c -> !c.calibration().isEmpty()).toList();
        if (drawn.isEmpty()) {
            return;
        }
        XYChart chart = square("Mean score", "Share of positives", drawn.size());
        for (int i = 0; i < drawn.size(); i++) {
            List<CalibrationPoint> points = drawn.get(i).calibration();
            for (int b = 0; b < points.size(); b++) {
                CalibrationPoint point = points.get(b);
                String name = "interval " + i + " " + b;
                int group = i;
                point.observed()
                        .interval()
                        .ifPresent(
                                interval ->
                                        ChartStyle.addLine(
                                                chart,
                                                name,
                                                new double[] {point.meanScore(), point.meanScore()},
                                                new double[] {interval.low(), interval.high()},
                                                ChartStyle.color(group),
                                                new BasicStroke(1)));
            }
            XYSeries series =
                    chart.addSeries(
                            shortened(drawn.get(i).group().label()) + mark(drawn, i),
                            points.stream().mapToDouble(CalibrationPoint::meanScore).toArray(),
                            points.stream()
                                    .mapToDouble(p -> p.observed().figure().value())
                                    .toArray());
            series.setMarker(ChartStyle.marker(i));
            series.setMarkerColor(ChartStyle.color(i));
            series.setLineColor(ChartStyle.color(i));
            series.setLineStyle(ChartStyle.line(i));
        }
        add(
                chart,
                "Calibration by group",
                "On the dashed line scores mean what they say; bars are confidence intervals.");
    }

    private void addScatter(List<FairnessReport> models) {
        XYChart chart =
                ChartStyle.chart(
                        WIDTH,
                        WIDTH - 80 + 12 * models.size(),
                        "Equalized odds difference (0 is fair)",
                        "Accuracy");
        int drawn = 0;
        for (int i = 0; i < models.size(); i++) {
            Optional<Row> gap = row("", models.get(i).metrics().get("equalized_odds_difference"));
            Optional<Row> accuracy = row("", models.get(i).overall().get("accuracy"));
            if (gap.isEmpty() || accuracy.isEmpty()) {
                continue;
            }
            double x = gap.get().value();
            double y = accuracy.get().value();
            int model = i;
            gap.get()
                    .interval()
                    .ifPresent(
                            r ->
                                    ChartStyle.addLine(
                                            chart,
                                            "gap " + model,
                                            new double[] {r.low(), r.high()},
                                            new double[] {y, y},
                                            ChartStyle.color(model),
                                            new BasicStroke(1)));
            accuracy.get()
                    .interval()
                    .ifPresent(
                            r ->
                                    ChartStyle.addLine(
                                            chart,
                                            "accuracy " + model,
                                            new double[] {x, x},
                                            new double[] {r.low(), r.high()},
                                            ChartStyle.color(model),
                                            new BasicStroke(1)));
            XYSeries dot =
                    chart.addSeries(
                            (i + 1) + " " + shortened(models.get(i).provenance().subject()),
                            new double[] {x},
                            new double[] {y});
            dot.setMarker(ChartStyle.marker(i));
            dot.setMarkerColor(ChartStyle.color(i));
            dot.setLineStyle(SeriesLines.NONE);
            drawn++;
        }
        if (drawn > 0) {
            add(
                    chart,
                    "Accuracy and fairness of the models",
                    "Better models lie to the upper left; bars are confidence intervals.");
        }
    }
}
