package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * What becomes of an image before its middle is cut out: it is resized so that its shorter edge has
 * a given length, or to a given size, or not at all. Where the result is smaller than the cut it is
 * padded with zeros (black).
 *
 * @param resize how it is resized
 * @param height for {@link Resize#EXACT} the rows it is resized to; for {@link
 *     Resize#SHORTEST_EDGE} the length of the shorter edge, the same as {@code width}
 * @param width for {@link Resize#EXACT} the columns it is resized to; for {@link
 *     Resize#SHORTEST_EDGE} the length of the shorter edge
 * @param rounding where the cut begins if the rest cannot be halved
 */
public record CentreCrop(Resize resize, int height, int width, Rounding rounding) {

    /** Refuses sizes below 1. */
    public CentreCrop {
        checkArgument(
                height >= 1 && width >= 1,
                "an image must be resized to at least 1 x 1, found %s x %s",
                height,
                width);
        checkArgument(
                resize != Resize.SHORTEST_EDGE || height == width,
                "a shortest edge has one length, found %s and %s",
                height,
                width);
    }

    /**
     * Keeps the proportions: the shorter edge gets a length, the longer {@code floor(length *
     * longer / shorter)}, as torchvision's {@code Resize(int)} and Hugging Face's {@code
     * {"shortest_edge": n}} have it.
     *
     * @param length the length in pixels, at least 1
     * @param rounding where the cut begins
     * @return the crop
     */
    public static CentreCrop ofShortestEdge(int length, Rounding rounding) {
        return new CentreCrop(Resize.SHORTEST_EDGE, length, length, rounding);
    }

    /**
     * Resizes without regard to the proportions, as DeiT's image processor does and timm's with
     * {@code crop_mode="squash"}.
     *
     * @param height rows, at least 1
     * @param width columns, at least 1
     * @param rounding where the cut begins
     * @return the crop
     */
    public static CentreCrop ofSize(int height, int width, Rounding rounding) {
        return new CentreCrop(Resize.EXACT, height, width, rounding);
    }

    /**
     * Cuts from the image as it is.
     *
     * @param rounding where the cut begins
     * @return the crop
     */
    public static CentreCrop ofOriginal(Rounding rounding) {
        return new CentreCrop(Resize.NONE, 1, 1, rounding);
    }

    /** How an image is resized before its middle is cut out. */
    public enum Resize {
        /** Its shorter edge gets the length; the proportions are kept. */
        SHORTEST_EDGE,
        /** To the size. */
        EXACT,
        /** Not at all. */
        NONE
    }

    /** Where the middle of n rows or columns begins if an odd number of them goes. */
    public enum Rounding {
        /**
         * At {@code floor((n - c) / 2)}, as Hugging Face's {@code center_crop} does; an image that
         * is too small gets the larger part of its padding above and to the left.
         */
        DOWN,
        /**
         * At {@code (n - c) / 2} with the half rounded to the even neighbour, as torchvision's
         * {@code center_crop} does, and so timm; an image that is too small gets the larger part of
         * its padding below and to the right.
         */
        HALF_EVEN
    }
}
