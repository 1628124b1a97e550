package io.fairlora.report;

import com.google.common.html.HtmlEscapers;
import de.erichseifert.vectorgraphics2d.Document;
import de.erichseifert.vectorgraphics2d.Processors;
import de.erichseifert.vectorgraphics2d.VectorGraphics2D;
import de.erichseifert.vectorgraphics2d.util.PageSize;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.knowm.xchart.XYChart;

/** Encodes charts as SVG elements that share a page. */
final class InlineSvg {
    private static final Pattern ID = Pattern.compile("\\bid=\"([^\"]+)\"");
    private static final Pattern ROOT = Pattern.compile("<svg [^>]*>");

    private InlineSvg() {}

    /**
     * Encodes a chart.
     *
     * @param id distinguishes this chart from others of the page
     * @param label read out in place of the chart
     */
    static String encode(XYChart chart, String id, String label) {
        int width = chart.getWidth();
        int height = chart.getHeight();
        VectorGraphics2D graphics = new VectorGraphics2D();
        chart.paint(graphics, width, height);
        Document document =
                Processors.get("svg")
                        .getDocument(graphics.getCommands(), new PageSize(0, 0, width, height));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            document.writeTo(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String text = bytes.toString(StandardCharsets.UTF_8);
        String root =
                String.format(
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\""
                                + " role=\"img\" aria-label=\"%s\">",
                        width, height, HtmlEscapers.htmlEscaper().escape(label));
        text = text.substring(text.indexOf("<svg "));
        text = ROOT.matcher(text).replaceFirst(Matcher.quoteReplacement(root));
        return withUniqueIds(text, id);
    }

    /** All charts of a page share one space of ids, in which clip paths would clash. */
    private static String withUniqueIds(String svg, String prefix) {
        Map<String, String> names = new LinkedHashMap<>();
        ID.matcher(svg)
                .results()
                .forEach(r -> names.putIfAbsent(r.group(1), prefix + "-" + names.size()));
        String text = svg;
        for (Map.Entry<String, String> name : names.entrySet()) {
            text =
                    text.replace("id=\"" + name.getKey() + "\"", "id=\"" + name.getValue() + "\"")
                            .replace(
                                    "url(#" + name.getKey() + ")", "url(#" + name.getValue() + ")");
        }
        return text;
    }
}
