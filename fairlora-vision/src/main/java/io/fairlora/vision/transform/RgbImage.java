package io.fairlora.vision.transform;

import static com.google.common.base.Preconditions.checkArgument;

import java.awt.image.BufferedImage;
import java.util.Objects;

/** An image of 8 bits for each of red, green and blue. Immutable. */
public final class RgbImage {

    private final int width;
    private final int height;
    private final byte[] pixels;

    /** Takes the pixels over without a copy. */
    RgbImage(int width, int height, byte[] pixels) {
        this.width = width;
        this.height = height;
        this.pixels = pixels;
    }

    /**
     * An image of the given pixels.
     *
     * @param width columns, at least 1
     * @param height rows, at least 1
     * @param pixels unsigned bytes in the order row, column, channel (red, green, blue); copied
     * @return the image
     * @throws IllegalArgumentException if a size is below 1 or the number of bytes is not {@code 3
     *     * width * height}
     */
    public static RgbImage of(int width, int height, byte[] pixels) {
        checkArgument(width >= 1, "width must be at least 1, found %s", width);
        checkArgument(height >= 1, "height must be at least 1, found %s", height);
        checkArgument(
                pixels.length == 3L * width * height,
                "an image of %s x %s has %s bytes, found %s",
                width,
                height,
                3L * width * height,
                pixels.length);
        return new RgbImage(width, height, pixels.clone());
    }

    /**
     * The pixels of an image that something else decoded: 8 bits a colour, of 16 the upper 8;
     * without transparency, as Pillow drops it.
     *
     * @param image any
     * @return a copy
     */
    public static RgbImage of(BufferedImage image) {
        return ImageDecoder.of(image);
    }

    /**
     * The number of columns.
     *
     * @return at least 1
     */
    public int width() {
        return width;
    }

    /**
     * The number of rows.
     *
     * @return at least 1
     */
    public int height() {
        return height;
    }

    /**
     * One value.
     *
     * @param x the column, in {@code [0, width())}
     * @param y the row, in {@code [0, height())}
     * @param channel 0 red, 1 green, 2 blue
     * @return 0 to 255
     * @throws IndexOutOfBoundsException if a position is outside the image
     */
    public int sample(int x, int y, int channel) {
        Objects.checkIndex(x, width);
        Objects.checkIndex(y, height);
        Objects.checkIndex(channel, 3);
        return pixels[(y * width + x) * 3 + channel] & 0xFF;
    }

    /**
     * A copy of the pixels.
     *
     * @return {@code 3 * width() * height()} unsigned bytes in the order row, column, channel
     */
    public byte[] toByteArray() {
        return pixels.clone();
    }

    /**
     * Writes the pixels plane by plane.
     *
     * @param target receives {@code 3 * width() * height()} unsigned bytes in the order channel,
     *     row, column
     * @param offset where the first byte goes
     * @throws IndexOutOfBoundsException if they do not fit
     */
    public void copyPlanes(byte[] target, int offset) {
        int plane = width * height;
        Objects.checkFromIndexSize(offset, 3 * plane, target.length);
        for (int i = 0; i < plane; i++) {
            target[offset + i] = pixels[3 * i];
            target[offset + plane + i] = pixels[3 * i + 1];
            target[offset + 2 * plane + i] = pixels[3 * i + 2];
        }
    }

    /**
     * The middle of the image.
     *
     * @param heightFraction the part of the rows to keep, in (0, 1]
     * @param widthFraction the part of the columns to keep, in (0, 1]
     * @return the central {@code round(fraction * size)} rows and columns, at least one of each
     * @throws IllegalArgumentException if a fraction is outside (0, 1]
     */
    public RgbImage centreCrop(double heightFraction, double widthFraction) {
        checkArgument(
                heightFraction > 0
                        && heightFraction <= 1
                        && widthFraction > 0
                        && widthFraction <= 1,
                "fractions must be above 0 and at most 1, found %s of the height and %s of the"
                        + " width",
                heightFraction,
                widthFraction);
        int rows = Math.max(1, (int) Math.round(height * heightFraction));
        int columns = Math.max(1, (int) Math.round(width * widthFraction));
        return crop((width - columns) / 2, (height - rows) / 2, columns, rows);
    }

    /**
     * A part of the image.
     *
     * @param left the first column, at least 0
     * @param top the first row, at least 0
     * @param columns how many, at least 1
     * @param rows how many, at least 1
     * @return an image of that size
     * @throws IndexOutOfBoundsException if the part does not lie in the image
     */
    public RgbImage crop(int left, int top, int columns, int rows) {
        Objects.checkFromIndexSize(left, columns, width);
        Objects.checkFromIndexSize(top, rows, height);
        if (columns == width && rows == height) {
            return this;
        }
        byte[] kept = new byte[3 * rows * columns];
        for (int y = 0; y < rows; y++) {
            System.arraycopy(
                    pixels, 3 * ((top + y) * width + left), kept, 3 * y * columns, 3 * columns);
        }
        return new RgbImage(columns, rows, kept);
    }

    /**
     * An image of pixels that lie plane by plane.
     *
     * @param width columns, at least 1
     * @param height rows, at least 1
     * @param planes at least {@code 3 * width * height} unsigned bytes in the order channel, row,
     *     column, as {@link #copyPlanes} writes them
     * @return the image
     */
    public static RgbImage ofPlanes(int width, int height, byte[] planes) {
        int plane = width * height;
        byte[] pixels = new byte[3 * plane];
        for (int i = 0; i < plane; i++) {
            pixels[3 * i] = planes[i];
            pixels[3 * i + 1] = planes[plane + i];
            pixels[3 * i + 2] = planes[2 * plane + i];
        }
        return new RgbImage(width, height, pixels);
    }

    /** The pixels themselves; whoever takes them does not write to them. */
    byte[] pixels() {
        return pixels;
    }
}
