package io.fairlora.vision.transform;

/**
 * The operations of RandAugment (Cubuk et al., 2020) with torchvision's magnitudes ({@code
 * RandAugment._augmentation_space}), in its order.
 */
enum RandAugmentOp {
    IDENTITY(0, false),
    SHEAR_X(0.3, true),
    SHEAR_Y(0.3, true),
    /** Of an image of 331 pixels, the paper's, up to 150. */
    TRANSLATE_X(150.0 / 331, true),
    TRANSLATE_Y(150.0 / 331, true),
    ROTATE(30, true),
    BRIGHTNESS(0.9, true),
    COLOR(0.9, true),
    CONTRAST(0.9, true),
    SHARPNESS(0.9, true),
    POSTERIZE(4, false),
    SOLARIZE(255, false),
    AUTO_CONTRAST(0, false),
    EQUALIZE(0, false);

    /** The greatest magnitude; the least is 0. */
    static final int GREATEST = 30;

    private final double greatest;
    private final boolean signed;

    RandAugmentOp(double greatest, boolean signed) {
        this.greatest = greatest;
        this.signed = signed;
    }

    /**
     * Changes an image.
     *
     * @param magnitude how much, in [0, 30]
     * @param negative whether in the other direction, where there are two
     */
    RgbImage apply(RgbImage image, int magnitude, boolean negative) {
        double pixels =
                switch (this) {
                    case TRANSLATE_X -> image.width();
                    case TRANSLATE_Y -> image.height();
                    default -> 1;
                };
        double strength = part(greatest * pixels, magnitude);
        double value = signed && negative ? -strength : strength;
        return switch (this) {
            case IDENTITY -> image;
            case SHEAR_X -> GeometricOps.shearX(image, value);
            case SHEAR_Y -> GeometricOps.shearY(image, value);
            case TRANSLATE_X -> GeometricOps.translate(image, (int) value, 0);
            case TRANSLATE_Y -> GeometricOps.translate(image, 0, (int) value);
            case ROTATE -> GeometricOps.rotate(image, value);
            case BRIGHTNESS -> ColourOps.brightness(image, (float) (1 + value));
            case COLOR -> ColourOps.saturation(image, (float) (1 + value));
            case CONTRAST -> ColourOps.contrast(image, (float) (1 + value));
            case SHARPNESS -> ColourOps.sharpness(image, (float) (1 + value));
            case POSTERIZE -> ColourOps.posterize(image, 8 - (int) Math.rint(value));
            case SOLARIZE -> ColourOps.solarize(image, part(greatest, GREATEST - magnitude));
            case AUTO_CONTRAST -> ColourOps.autoContrast(image);
            case EQUALIZE -> ColourOps.equalize(image);
        };
    }

    /** What {@code torch.linspace(0, greatest, 31)} has at a position, in its single precision. */
    private static double part(double greatest, int position) {
        float end = (float) greatest;
        float step = end / GREATEST;
        return position < (GREATEST + 1) / 2 ? step * position : end - step * (GREATEST - position);
    }
}
