package io.fairlora.report;

/**
 * A chart of a page.
 *
 * @param title what it shows
 * @param description how to read it, for its caption
 * @param svg an SVG element without prolog; its text is drawn as outlines
 */
public record InlineChart(String title, String description, String svg) {}
