package io.fairlora.vision.synth;

import java.awt.Color;
import java.awt.geom.Path2D;

/** Draws the hair, behind and before the face, and the hat upon it. */
final class Hair {

    private static final double CURLY = 0.3;

    private final FaceRecipe recipe;
    private final Head head;
    private final Palette palette;
    private final Pen pen;
    private final boolean isLong;
    private final double volume;
    private final double centre;
    private final double reach;

    Hair(FaceRecipe recipe, Head head, Palette palette, Pen pen) {
        this.recipe = recipe;
        this.head = head;
        this.palette = palette;
        this.pen = pen;
        isLong = recipe.get(FaceAttribute.HAIR_LENGTH) == 1;
        volume = recipe.draw(Trait.HAIR_VOLUME, 1.5, 5.5) + (isLong ? 2 : 0);
        // Turning to the right shows more of the hair on the left.
        centre = head.centre() - 2.2 * head.yaw();
        reach = head.halfWidth() + 0.6 * volume;
    }

    /** What falls behind neck and shoulders. */
    void behind() {
        if (!isLong) {
            return;
        }
        double end = recipe.draw(Trait.HAIR_FALL, 84, 104);
        double spread = recipe.draw(Trait.HAIR_VOLUME, 0, 7);
        double width = reach + 3;
        Path2D path = new Path2D.Double();
        path.moveTo(centre - width, 46);
        path.curveTo(
                centre - width - 1, 62, centre - width - spread, 74, centre - width - spread, end);
        path.quadTo(centre, end + 5, centre + width + spread, end);
        path.curveTo(centre + width + spread, 74, centre + width + 1, 62, centre + width, 46);
        path.curveTo(centre + width, 6, centre - width, 6, centre - width, 46);
        path.closePath();
        pen.fill(path, Palette.mix(palette.hair(), Color.BLACK, 0.22));
    }

    /** What grows on the head. */
    void before() {
        double side =
                isLong
                        ? recipe.draw(Trait.HAIR_STYLE, 62, 76)
                        : recipe.draw(Trait.HAIR_STYLE, 40, 52);
        double top = head.crown() - volume;
        double line = recipe.draw(Trait.PARTING, 22, 31);
        double part = head.x(recipe.draw(Trait.PARTING, -0.55, 0.55));
        double thin = head.halfWidth() * (isLong ? 0.84 : 0.92);
        Path2D path = new Path2D.Double();
        path.moveTo(centre - reach, side);
        path.curveTo(centre - reach - 2, 20, centre - reach * 0.7, top, centre, top);
        path.curveTo(centre + reach * 0.7, top, centre + reach + 2, 20, centre + reach, side);
        path.quadTo(head.centre() + thin + 1.5, side - 6, head.centre() + thin, 42);
        switch (recipe.choice(Trait.HAIR_STYLE, 4)) {
            case 0 -> {
                // Parted: two curtains.
                path.quadTo(head.centre() + thin - 2, line + 3, part, line - 4);
                path.quadTo(head.centre() - thin + 2, line + 3, head.centre() - thin, 42);
            }
            case 1 -> {
                // A fringe.
                path.quadTo(
                        head.centre() + thin - 1, line + 6, head.centre() + thin * 0.7, line + 6);
                path.quadTo(part, line + 9, head.centre() - thin * 0.7, line + 6);
                path.quadTo(head.centre() - thin + 1, line + 6, head.centre() - thin, 42);
            }
            case 2 -> {
                // Swept to one side.
                path.curveTo(head.centre() + thin, line - 4, part + 8, line - 6, part, line + 1);
                path.quadTo(head.centre() - thin + 4, line + 8, head.centre() - thin, 42);
            }
            default -> {
                // Brushed back, the forehead free.
                path.curveTo(
                        head.centre() + thin,
                        line - 4,
                        head.centre() + thin * 0.6,
                        line - 5,
                        head.centre(),
                        line - 5);
                path.curveTo(
                        head.centre() - thin * 0.6,
                        line - 5,
                        head.centre() - thin,
                        line - 4,
                        head.centre() - thin,
                        42);
            }
        }
        path.quadTo(head.centre() - thin - 1.5, side - 6, centre - reach, side);
        path.closePath();
        pen.fill(path, palette.hair());
        if (recipe.draw(Trait.HAIR_CURL) < CURLY) {
            curls(top, side);
        } else {
            strands(top);
        }
    }

    /** Locks along the outline, from ear to ear. */
    private void curls(double top, double side) {
        double radius = 3 + 0.5 * volume;
        Color light = Palette.glaze(Palette.mix(palette.hair(), Color.WHITE, 0.3), 0.3);
        int count = 14;
        for (int i = 0; i <= count; i++) {
            double angle = Math.PI * i / count;
            double x = centre - (reach - 0.5) * Math.cos(angle);
            double y = 36 - (36 - top - 1.5) * Math.sin(angle);
            pen.ellipse(x, y, radius, radius, palette.hair());
            pen.ellipse(x + 0.6, y + 0.4, radius * 0.4, radius * 0.4, light);
        }
        for (double y = 40; y < side - 2; y += 5) {
            pen.ellipse(centre - reach - 0.5, y, radius * 0.8, radius, palette.hair());
            pen.ellipse(centre + reach + 0.5, y, radius * 0.8, radius, palette.hair());
        }
    }

    private void strands(double top) {
        Color gloss = Palette.glaze(Palette.mix(palette.hair(), Color.WHITE, 0.35), 0.35);
        for (int i = -2; i <= 2; i++) {
            double x = centre + i * 0.3 * reach;
            pen.curve(
                    x * 0.4 + centre * 0.6,
                    top + 1.5,
                    x,
                    top + 1.5 + Math.abs(i),
                    x + i * 1.4,
                    top + 7 + 2 * Math.abs(i),
                    0.7,
                    gloss);
        }
    }

    void hat() {
        if (recipe.get(FaceAttribute.HAT) == 0) {
            return;
        }
        boolean cap = recipe.draw(Trait.HAT_KIND) < 0.5;
        double width = Math.max(reach, head.halfWidth() + 2.5) + 1;
        double rim = cap ? 29 : 30;
        double top = head.crown() - volume - (cap ? 3 : 5);
        Color shade = Palette.mix(palette.hat(), Color.BLACK, 0.3);
        Path2D dome = new Path2D.Double();
        dome.moveTo(centre - width, rim);
        dome.curveTo(centre - width - 0.5, top + 4, centre - width * 0.6, top, centre, top);
        dome.curveTo(centre + width * 0.6, top, centre + width + 0.5, top + 4, centre + width, rim);
        dome.quadTo(centre, rim - 5, centre - width, rim);
        dome.closePath();
        pen.fill(dome, palette.hat());
        if (cap) {
            double front = head.x(0, 0.5);
            Path2D brim = new Path2D.Double();
            brim.moveTo(front - width * 0.95, rim + 1);
            brim.curveTo(
                    front - width * 0.6,
                    rim - 7,
                    front + width * 0.6,
                    rim - 7,
                    front + width * 0.95,
                    rim + 1);
            brim.curveTo(
                    front + width * 0.6,
                    rim + 5.5,
                    front - width * 0.6,
                    rim + 5.5,
                    front - width * 0.95,
                    rim + 1);
            brim.closePath();
            pen.fill(brim, shade);
            pen.ellipse(centre, top + 0.8, 1.6, 1, shade);
        } else {
            Path2D band = new Path2D.Double();
            band.moveTo(centre - width - 0.8, rim - 5);
            band.quadTo(centre, rim - 11, centre + width + 0.8, rim - 5);
            band.lineTo(centre + width + 0.8, rim + 2);
            band.quadTo(centre, rim - 4, centre - width - 0.8, rim + 2);
            band.closePath();
            pen.fill(band, shade);
            pen.ellipse(centre, top, 4.2, 3.6, Palette.mix(palette.hat(), Color.WHITE, 0.35));
        }
    }
}
