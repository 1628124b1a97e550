package io.fairlora.vision.transform;

import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.InputSpec;

/**
 * Brings an image to the size that a model asks for, as Hugging Face's slow image processors and
 * timm's evaluation transform do, bit for bit.
 */
public final class Framing {

    private Framing() {}

    /**
     * Resizes and cuts out the middle, as the specification says.
     *
     * @param image the image
     * @param spec the size asked for
     * @return an image of {@code spec.height()} rows and {@code spec.width()} columns
     */
    public static RgbImage apply(RgbImage image, InputSpec spec) {
        CentreCrop crop = spec.crop();
        if (crop == null) {
            return Resize.resize(image, spec.height(), spec.width(), spec.interpolation());
        }
        return middle(resized(image, spec, crop), spec, crop.rounding());
    }

    /**
     * Does the same and writes the pixels plane by plane, as {@link RgbImage#copyPlanes} does.
     *
     * @param image the image
     * @param spec the size asked for
     * @param target receives {@code spec.bytes()} unsigned bytes in the order channel, row, column
     * @param offset where the first byte goes
     * @throws IndexOutOfBoundsException if they do not fit
     */
    public static void applyToPlanes(RgbImage image, InputSpec spec, byte[] target, int offset) {
        if (spec.crop() == null) {
            Resize.resizeToPlanes(
                    image, spec.height(), spec.width(), spec.interpolation(), target, offset);
        } else {
            apply(image, spec).copyPlanes(target, offset);
        }
    }

    private static RgbImage resized(RgbImage image, InputSpec spec, CentreCrop crop) {
        return switch (crop.resize()) {
            case NONE -> image;
            case EXACT -> Resize.resize(image, crop.height(), crop.width(), spec.interpolation());
            case SHORTEST_EDGE -> {
                boolean tall = image.width() <= image.height();
                int shorter = tall ? image.width() : image.height();
                int longer = tall ? image.height() : image.width();
                // Both peers compute in double precision and cut off; so does this.
                int length = (int) ((double) ((long) crop.height() * longer) / shorter);
                yield Resize.resize(
                        image,
                        tall ? length : crop.height(),
                        tall ? crop.height() : length,
                        spec.interpolation());
            }
        };
    }

    private static RgbImage middle(RgbImage image, InputSpec spec, Rounding rounding) {
        int height = spec.height();
        int width = spec.width();
        int top = start(image.height(), height, rounding);
        int left = start(image.width(), width, rounding);
        if (image.height() == height && image.width() == width) {
            return image;
        }
        byte[] from = image.pixels();
        byte[] to = new byte[3 * height * width];
        int firstColumn = Math.max(0, -left);
        int columns = Math.min(width, image.width() - left) - firstColumn;
        for (int y = Math.max(0, -top); y < Math.min(height, image.height() - top); y++) {
            System.arraycopy(
                    from,
                    3 * ((top + y) * image.width() + left + firstColumn),
                    to,
                    3 * (y * width + firstColumn),
                    3 * columns);
        }
        return new RgbImage(width, height, to);
    }

    /** The row or column of an image with which the cut begins; negative where it is padded. */
    private static int start(int size, int cut, Rounding rounding) {
        int rest = size - cut;
        if (rest < 0) {
            int padding = -rest;
            return rounding == Rounding.DOWN ? -((padding + 1) / 2) : -(padding / 2);
        }
        return rounding == Rounding.DOWN ? rest / 2 : (int) Math.rint(rest / 2.0);
    }
}
