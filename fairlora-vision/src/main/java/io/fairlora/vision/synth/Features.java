package io.fairlora.vision.synth;

import java.awt.Color;
import java.awt.geom.Path2D;
import java.awt.geom.RoundRectangle2D;

/** Draws what lies on a face: eyes, brows, nose, mouth, lines, glasses. */
final class Features {

    private static final Color EYE_WHITE = new Color(238, 234, 230);
    private static final Color TOOTH = new Color(240, 236, 226);
    private static final Color MOUTH_INSIDE = new Color(62, 16, 20);
    private static final Color PUPIL = new Color(12, 10, 10);

    private final FaceRecipe recipe;
    private final Head head;
    private final Palette palette;
    private final Pen pen;
    private final double smile;
    private final double eyeY;
    private final double eyeAcross;
    private final double noseY;
    private final double mouthY;
    private final double mouthAcross;

    Features(FaceRecipe recipe, Head head, Palette palette, Pen pen) {
        this.recipe = recipe;
        this.head = head;
        this.palette = palette;
        this.pen = pen;
        smile = recipe.smile();
        double pitch = recipe.draw(Trait.PITCH, -2, 2);
        eyeY = 47 + pitch;
        eyeAcross = recipe.draw(Trait.EYE_DISTANCE, 0.4, 0.48);
        noseY = 61 + pitch + recipe.draw(Trait.NOSE_LENGTH, -1.5, 2);
        mouthY = 71 + 0.6 * pitch + recipe.draw(Trait.MOUTH_HEIGHT, -0.8, 1.6);
        mouthAcross = recipe.draw(Trait.MOUTH_WIDTH, 0.29, 0.4) + 0.09 * Math.max(0, smile);
    }

    void draw() {
        cheeks();
        lines();
        eye(-1);
        eye(1);
        nose();
        mouth();
        if (recipe.get(FaceAttribute.GLASSES) == 1) {
            glasses();
        }
    }

    private void cheeks() {
        double blush = recipe.draw(Trait.BLUSH, 0, 0.09);
        Color rose = Palette.glaze(new Color(206, 80, 74), blush);
        for (int side = -1; side <= 1; side += 2) {
            double x = head.x(side * 0.6);
            pen.ellipse(x, 60.5, 6.2, 4.8, rose);
            pen.ellipse(x, 60.5, 4.4, 3.2, rose);
            pen.ellipse(x, 60.5, 2.6, 1.8, rose);
        }
    }

    private void eye(int side) {
        double halfWidth = recipe.draw(Trait.EYE_SIZE, 4.6, 5.8);
        double open = recipe.draw(Trait.EYE_OPEN, 2.1, 3.4) * (1 - 0.16 * Math.max(0, smile));
        double slant = recipe.draw(Trait.EYE_SLANT, -0.5, 1.3);
        double half = halfWidth / head.halfWidth();
        double inner = head.x(side * (eyeAcross - half));
        double outer = head.x(side * (eyeAcross + half));
        double middle = (inner + outer) / 2;
        double innerY = eyeY + 0.4;
        double outerY = eyeY - slant;
        double upper = eyeY - 2.1 * open;
        double lower = eyeY + 1.25 * open - 0.5 * Math.max(0, smile);
        pen.ellipse(middle, eyeY - 0.5, halfWidth + 1.2, open + 2.4, glazedShadow(0.45));
        pen.lens(inner, innerY, outer, outerY, middle, upper, lower, EYE_WHITE);
        double iris = Math.min(2.55, 0.78 * open + 0.6);
        double room = Math.max(0, Math.abs(outer - inner) / 2 - iris - 0.4);
        double look = recipe.draw(Trait.GAZE, -0.9, 0.9) + 0.8 * head.yaw();
        double gaze = Math.max(-room, Math.min(room, look));
        double irisY = eyeY - 0.25 * open;
        pen.ellipse(middle + gaze, irisY, iris * 0.95, iris, palette.iris());
        pen.ellipse(middle + gaze, irisY, iris * 0.48, iris * 0.48, PUPIL);
        pen.ellipse(middle + gaze + 0.8, irisY - 0.8, 0.55, 0.55, Color.WHITE);
        pen.curve(inner, innerY, middle, upper, outer, outerY, 1.15, lash());
        pen.curve(inner, innerY, middle, lower, outer, outerY, 0.5, Palette.glaze(lash(), 0.5));
        pen.curve(
                inner,
                innerY - 1.6,
                middle,
                upper - 2.2,
                outer,
                outerY - 1.2,
                0.6,
                Palette.glaze(palette.skinLine(), 0.6));
        brow(side, half);
    }

    private Color lash() {
        return Palette.mix(palette.skinLine(), PUPIL, 0.6);
    }

    private void brow(int side, double half) {
        double height = recipe.draw(Trait.BROW_HEIGHT, 7.2, 9.6);
        double arch = recipe.draw(Trait.BROW_ARCH, 0.3, 2.4);
        double weight = recipe.draw(Trait.BROW_WEIGHT, 1.1, 2.5);
        double inner = head.x(side * (eyeAcross - 1.1 * half));
        double outer = head.x(side * Math.min(0.9, eyeAcross + 1.25 * half));
        double y = eyeY - height;
        double pullX = inner + 0.6 * (outer - inner);
        Path2D path = new Path2D.Double();
        path.moveTo(inner, y - weight / 2 + 0.8);
        path.quadTo(pullX, y - 2 * arch - weight / 2, outer, y + 0.9);
        path.quadTo(pullX, y - 2 * arch + weight, inner, y + weight / 2 + 0.8);
        path.closePath();
        pen.fill(path, Palette.glaze(palette.brow(), 0.88));
    }

    private void nose() {
        double width = recipe.draw(Trait.NOSE_WIDTH, 3.2, 5.6);
        double tip = head.x(0, 0.22);
        double bridge = head.x(0, 0.04);
        // The side away from the light of the turned nose: one line of its ridge.
        double side = head.yaw() >= 0 ? 1 : -1;
        pen.curve(
                bridge + side * 1.8,
                eyeY + 1,
                bridge + side * 1.4,
                noseY - 5,
                tip + side * width * 0.72,
                noseY - 1,
                1.3,
                glazedShadow(0.7));
        pen.ellipse(tip, noseY - 0.6, width * 0.62, 2.4, Palette.glaze(Color.WHITE, 0.08));
        pen.curve(
                tip - width,
                noseY,
                tip,
                noseY + 3.2,
                tip + width,
                noseY,
                1.0,
                Palette.glaze(palette.skinLine(), 0.75));
        pen.ellipse(tip - width * 0.5, noseY + 0.9, 1.0, 0.65, palette.skinLine());
        pen.ellipse(tip + width * 0.5, noseY + 0.9, 1.0, 0.65, palette.skinLine());
    }

    private void mouth() {
        double fullness = recipe.draw(Trait.LIP_FULLNESS, 0.8, 2.2);
        double left = head.x(-mouthAcross, 0.08);
        double right = head.x(mouthAcross, 0.08);
        double middle = head.x(0, 0.14);
        double corner = mouthY - 3.5 * smile;
        double seam = mouthY + 2.7 * smile;
        boolean open = smile > 0.35 && recipe.draw(Trait.TEETH) < 0.7;
        double gap = open ? 2.4 + 4.6 * (smile - 0.35) : 0;
        Color dark = Palette.mix(palette.lip(), MOUTH_INSIDE, 0.65);
        pen.lens(
                left,
                corner,
                right,
                corner,
                middle,
                seam - 1.9 * fullness,
                seam,
                Palette.mix(palette.lip(), MOUTH_INSIDE, 0.2));
        pen.lens(
                left,
                corner,
                right,
                corner,
                middle,
                seam,
                seam + gap + 2.9 * fullness,
                palette.lip());
        if (open) {
            pen.lens(left, corner, right, corner, middle, seam, seam + gap, MOUTH_INSIDE);
            double inset = 0.12 * (right - left);
            pen.lens(
                    left + inset,
                    corner + 0.25 * gap,
                    right - inset,
                    corner + 0.25 * gap,
                    middle,
                    seam,
                    seam + 0.75 * gap,
                    TOOTH);
        } else {
            pen.curve(left, corner, middle, seam, right, corner, 0.9, dark);
        }
        pen.ellipse(left, corner, 0.7, 0.7, Palette.glaze(dark, 0.7));
        pen.ellipse(right, corner, 0.7, 0.7, Palette.glaze(dark, 0.7));
        double shadowY = mouthY + 1.8 + 2 * fullness + gap;
        pen.curve(
                middle - 3,
                shadowY + 1,
                middle,
                shadowY + 2.2,
                middle + 3,
                shadowY + 1,
                1.1,
                glazedShadow(0.45));
    }

    private void lines() {
        double age = recipe.lines();
        Color line = Palette.glaze(palette.skinLine(), 0.85 * age);
        double width = 0.5 + 0.6 * age;
        for (int i = 0; i < 3; i++) {
            double y = 29.5 + 3.2 * i;
            double reach = 0.42 - 0.05 * Math.abs(i - 1);
            pen.curve(
                    head.x(-reach),
                    y + 0.5,
                    head.x(0),
                    y - 1.1,
                    head.x(reach),
                    y + 0.5,
                    width,
                    line);
        }
        double crease = Math.min(1, 0.9 * age + 0.22 * Math.max(0, smile));
        Color fold = Palette.glaze(palette.skinLine(), 0.75 * crease);
        for (int side = -1; side <= 1; side += 2) {
            double corner = head.x(side * 0.72);
            for (int i = -1; i <= 1; i++) {
                double y = eyeY + 1.2 * i;
                pen.curve(
                        corner,
                        y,
                        head.x(side * 0.8),
                        y + 0.6 * i,
                        head.x(side * 0.86),
                        y + 1.6 * i,
                        width * 0.8,
                        line);
            }
            pen.curve(
                    head.x(side * (eyeAcross - 0.14)),
                    eyeY + 4.6,
                    head.x(side * eyeAcross),
                    eyeY + 6.8,
                    head.x(side * (eyeAcross + 0.16)),
                    eyeY + 4.4,
                    width,
                    line);
            pen.curve(
                    head.x(side * 0.24, 0.1),
                    noseY - 0.5,
                    head.x(side * 0.44),
                    noseY + 3.5,
                    head.x(side * (mouthAcross + 0.12), 0.05),
                    mouthY - smile,
                    0.6 + 0.5 * crease,
                    fold);
        }
    }

    private void glasses() {
        boolean round = recipe.draw(Trait.FRAME) < 0.5;
        double height = 5.2 + 1.6 * recipe.draw(Trait.FRAME);
        double thickness = 0.9 + 0.7 * recipe.draw(Trait.FRAME_COLOUR);
        double[] inner = new double[2];
        for (int i = 0; i < 2; i++) {
            int side = 2 * i - 1;
            inner[i] = head.x(side * (eyeAcross - 0.3), 0.06);
            double outer = head.x(side * Math.min(0.86, eyeAcross + 0.32), 0.06);
            double left = Math.min(inner[i], outer);
            double width = Math.abs(outer - inner[i]);
            double arc = round ? 11 : 4;
            RoundRectangle2D lens =
                    new RoundRectangle2D.Double(left, eyeY - height, width, 2 * height, arc, arc);
            pen.fill(lens, Palette.glaze(Color.WHITE, 0.1));
            pen.stroke(lens, thickness, palette.frame());
            pen.curve(
                    outer,
                    eyeY - 2,
                    head.x(side * 0.97),
                    eyeY - 2,
                    head.x(side),
                    eyeY - 1,
                    thickness,
                    palette.frame());
        }
        pen.curve(
                inner[0],
                eyeY - 1.5,
                head.x(0, 0.1),
                eyeY - 3.2,
                inner[1],
                eyeY - 1.5,
                thickness,
                palette.frame());
    }

    private Color glazedShadow(double opacity) {
        return Palette.glaze(palette.skinShadow(), opacity);
    }
}
