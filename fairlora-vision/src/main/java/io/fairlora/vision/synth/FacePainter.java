package io.fairlora.vision.synth;

import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;

/** Composes a face from back to front, then lights it and passes it through the camera. */
final class FacePainter {

    private FacePainter() {}

    static void paint(FaceRecipe recipe, int width, int height, byte[] target, int offset) {
        Head head = Head.of(recipe);
        Palette palette = Palette.of(recipe);
        BufferedImage scene = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB_PRE);
        Graphics2D graphics = graphics(scene);
        background(recipe, palette, graphics);
        graphics.dispose();
        // A layer of its own: its opacity tells the camera what the light on the head falls upon.
        BufferedImage person = new BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB_PRE);
        graphics = graphics(person);
        person(recipe, head, palette, graphics);
        graphics.dispose();
        Camera camera = new Camera(recipe, head, width, height);
        camera.shoot(pixels(scene), pixels(person), target, offset);
    }

    private static Graphics2D graphics(BufferedImage image) {
        Graphics2D graphics = image.createGraphics();
        graphics.setRenderingHint(
                RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        graphics.setRenderingHint(
                RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
        graphics.scale(image.getWidth() / 100.0, image.getHeight() / 100.0);
        return graphics;
    }

    private static int[] pixels(BufferedImage image) {
        return ((DataBufferInt) image.getRaster().getDataBuffer()).getData();
    }

    private static void person(FaceRecipe recipe, Head head, Palette palette, Graphics2D graphics) {
        Pen pen = new Pen(graphics);
        graphics.translate(
                50 + recipe.draw(Trait.SHIFT_X, -4, 4), 52 + recipe.draw(Trait.SHIFT_Y, -3, 3));
        double zoom = recipe.draw(Trait.ZOOM, 0.92, 1.12);
        graphics.scale(zoom, zoom);
        graphics.rotate(recipe.draw(Trait.ROLL, -0.13, 0.13));
        graphics.translate(-50, -52);
        Hair hair = new Hair(recipe, head, palette, pen);
        hair.behind();
        body(recipe, head, palette, pen);
        double ears = recipe.draw(Trait.EARS, 2.4, 4);
        for (int side = -1; side <= 1; side += 2) {
            // Turning hides the ear on the side turned to.
            double x = head.centre() + side * (head.halfWidth() + 0.8) - 1.8 * head.yaw();
            pen.ellipse(x, 51, ears, 6.2, palette.skin());
            pen.ellipse(x, 51.5, ears * 0.5, 3.6, Palette.glaze(palette.skinShadow(), 0.8));
        }
        Path2D outline = head.outline();
        pen.fill(outline, palette.skin());
        pen.stroke(outline, 0.7, Palette.glaze(palette.skinShadow(), 0.5));
        Features features = new Features(recipe, head, palette, pen);
        features.draw();
        hair.before();
        hair.hat();
    }

    private static void background(FaceRecipe recipe, Palette palette, Graphics2D graphics) {
        Pen pen = new Pen(graphics);
        float lean = (float) recipe.draw(Trait.BACKGROUND_HUE, -60, 60);
        graphics.setPaint(
                new GradientPaint(
                        50 - lean,
                        0,
                        palette.backgroundTop(),
                        50 + lean,
                        100,
                        palette.backgroundBottom()));
        graphics.fill(new Rectangle2D.Double(0, 0, 100, 100));
        double kind = recipe.draw(Trait.BACKGROUND_KIND);
        if (kind < 0.35) {
            // A window or a picture on the wall.
            double x = recipe.draw(Trait.BACKGROUND_SHADE, -20, 80);
            Color light = Palette.mix(palette.backgroundTop(), Color.WHITE, 0.45);
            pen.fill(new Rectangle2D.Double(x, -10, 34, 60), light);
        } else if (kind < 0.7) {
            // Foliage or lamps out of focus.
            for (int i = 0; i < 5; i++) {
                double x = (recipe.draw(Trait.BACKGROUND_SHADE) * 37 * (i + 1)) % 1 * 100;
                double y = (recipe.draw(Trait.BACKGROUND_HUE) * 53 * (i + 1)) % 1 * 100;
                Color spot =
                        Palette.mix(
                                palette.backgroundBottom(),
                                i % 2 == 0 ? Color.WHITE : Color.BLACK,
                                0.35);
                pen.ellipse(x, y, 9 + 2 * i, 9 + 2 * i, Palette.glaze(spot, 0.5));
            }
        }
    }

    private static void body(FaceRecipe recipe, Head head, Palette palette, Pen pen) {
        double neck = head.halfWidth() * 0.52;
        double x = head.centre() + 1.2 * head.yaw();
        Path2D shoulders = new Path2D.Double();
        shoulders.moveTo(-6, 125);
        shoulders.curveTo(0, 98, 18, 95, x - neck - 2, 90);
        shoulders.lineTo(x + neck + 2, 90);
        shoulders.curveTo(82, 95, 100, 98, 106, 125);
        shoulders.closePath();
        pen.fill(shoulders, palette.shirt());
        Path2D throat = new Path2D.Double();
        throat.moveTo(x - neck, 66);
        throat.lineTo(x - neck - 0.5, 91);
        double collar = recipe.draw(Trait.COLLAR, 94, 106);
        throat.quadTo(x, collar, x + neck + 0.5, 91);
        throat.lineTo(x + neck, 66);
        throat.closePath();
        pen.fill(throat, palette.skin());
        pen.ellipse(
                x + 2 * head.yaw(),
                head.chin() - 1,
                neck + 2,
                6.5,
                Palette.glaze(palette.skinShadow(), 0.85));
        if (recipe.draw(Trait.COLLAR) < 0.4) {
            Color fold = Palette.mix(palette.shirt(), Color.WHITE, 0.3);
            pen.curve(x - neck - 2, 90, x - 3, 97, x, 105, 2.2, fold);
            pen.curve(x + neck + 2, 90, x + 3, 97, x, 105, 2.2, fold);
        }
    }
}
