package io.fairlora.party;

/** How many images an eraser needs. */
final class LinearErasers {

    /** With fewer than this many images a feature, the covariance is too rough to erase with. */
    private static final int IMAGES_PER_FEATURE = 8;

    private LinearErasers() {}

    static int minimum(int featureSize) {
        return IMAGES_PER_FEATURE * featureSize;
    }

    static void checkEnough(int images, int featureSize) {
        if (images < minimum(featureSize)) {
            throw new RefusedException(
                    "an eraser of "
                            + featureSize
                            + " features needs at least "
                            + minimum(featureSize)
                            + " images, this auditor has "
                            + images);
        }
    }
}
