package io.fairlora.vision.synth;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;

/** Fills and strokes in the coordinates of the face. */
record Pen(Graphics2D graphics) {

    void fill(Shape shape, Color colour) {
        graphics.setColor(colour);
        graphics.fill(shape);
    }

    void ellipse(double x, double y, double radiusX, double radiusY, Color colour) {
        fill(new Ellipse2D.Double(x - radiusX, y - radiusY, 2 * radiusX, 2 * radiusY), colour);
    }

    void stroke(Shape shape, double width, Color colour) {
        graphics.setColor(colour);
        graphics.setStroke(
                new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        graphics.draw(shape);
    }

    /** A line from the first to the last point, pulled towards the second. */
    void curve(
            double x1,
            double y1,
            double pullX,
            double pullY,
            double x2,
            double y2,
            double width,
            Color colour) {
        Path2D path = new Path2D.Double();
        path.moveTo(x1, y1);
        path.quadTo(pullX, pullY, x2, y2);
        stroke(path, width, colour);
    }

    /** What two such lines between the same ends enclose. */
    void lens(
            double x1,
            double y1,
            double x2,
            double y2,
            double pullX,
            double upperY,
            double lowerY,
            Color colour) {
        Path2D path = new Path2D.Double();
        path.moveTo(x1, y1);
        path.quadTo(pullX, upperY, x2, y2);
        path.quadTo(pullX, lowerY, x1, y1);
        fill(path, colour);
    }
}
