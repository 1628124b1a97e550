package io.fairlora.vision.synth;

import java.awt.geom.Path2D;

/**
 * The shape of a head, in hundredths of the image: x to the right, y down.
 *
 * @param centre the x of the middle of the outline
 * @param halfWidth half the width at the cheekbones
 * @param crown the y of the top of the skull
 * @param chin the y of the chin
 * @param jaw the width of the jaw as a share of the cheekbones'
 * @param yaw how far the head is turned, from -1 (left) to 1 (right)
 */
record Head(double centre, double halfWidth, double crown, double chin, double jaw, double yaw) {

    /** The angle, in radians, of a head turned as far as it goes. */
    private static final double TURN = 0.36;

    static Head of(FaceRecipe recipe) {
        return new Head(
                50,
                recipe.draw(Trait.FACE_WIDTH, 22.5, 27),
                15,
                recipe.draw(Trait.CHIN, 82, 87),
                recipe.draw(Trait.JAW, 0.62, 0.9),
                recipe.yaw());
    }

    /**
     * The x of a point of the face's surface, taken as a cylinder that turns.
     *
     * @param across where the point is on a frontal face: -1 left edge, 0 middle, 1 right edge
     */
    double x(double across) {
        return centre + halfWidth * Math.sin(Math.asin(across) + TURN * yaw);
    }

    /** The x of a point before the surface by {@code depth} half-widths, such as the nose's tip. */
    double x(double across, double depth) {
        return x(across) + halfWidth * depth * Math.sin(TURN * yaw);
    }

    /** The y of the cheekbones, where the face is widest. */
    double cheeks() {
        return 48;
    }

    Path2D outline() {
        double top = cheeks() - 2;
        double drift = 4 * yaw;
        double jawWidth = halfWidth * jaw;
        double chinWidth = halfWidth * jaw * 0.42;
        double middle = centre + drift;
        Path2D path = new Path2D.Double();
        path.moveTo(centre - halfWidth, top);
        path.curveTo(
                centre - halfWidth,
                top + 16,
                middle - jawWidth,
                chin - 9,
                middle - chinWidth,
                chin - 2.5);
        path.curveTo(
                middle - chinWidth * 0.4,
                chin + 0.8,
                middle + chinWidth * 0.4,
                chin + 0.8,
                middle + chinWidth,
                chin - 2.5);
        path.curveTo(
                middle + jawWidth, chin - 9, centre + halfWidth, top + 16, centre + halfWidth, top);
        path.curveTo(centre + halfWidth, 26, centre + halfWidth * 0.65, crown, centre, crown);
        path.curveTo(
                centre - halfWidth * 0.65, crown, centre - halfWidth, 26, centre - halfWidth, top);
        path.closePath();
        return path;
    }
}
