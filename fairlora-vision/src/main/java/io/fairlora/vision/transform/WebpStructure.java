package io.fairlora.vision.transform;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The chunks of a WebP file (RFC 9649, section 2): the first image and where it lies.
 *
 * @param bitstream the chunk with the image's colours, as a file of its own: without transparency,
 *     colour profile and metadata
 * @param lossless whether its colours are stored without loss
 * @param width the canvas's columns; 0 where the image is the canvas
 * @param height the canvas's rows; 0 where the image is the canvas
 * @param left the image's first column on the canvas
 * @param top the image's first row on the canvas
 * @param exif whether there is a chunk of Exif data
 */
@SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
record WebpStructure(
        byte[] bitstream,
        boolean lossless,
        int width,
        int height,
        int left,
        int top,
        boolean exif) {

    private static final int HEADER = 12;
    private static final int CHUNK_HEADER = 8;

    /** The least size of the chunk that tells the canvas. */
    private static final int CANVAS = 10;

    /** What precedes the chunks of an animation's frame. */
    private static final int FRAME_HEADER = 16;

    static boolean isWebp(byte[] file) {
        return file.length >= HEADER && is(file, 0, "RIFF") && is(file, 8, "WEBP");
    }

    /** What is wrong with the container, or {@code null}. */
    static @Nullable String damage(byte[] file) {
        long end = CHUNK_HEADER + size(file, 4);
        if (end > file.length) {
            return "it is cut short after " + file.length + " bytes of " + end;
        }
        int image = image(file, HEADER, (int) end);
        return image < 0 ? "it holds no whole image" : null;
    }

    /** The structure of a file in which no {@linkplain #damage damage} is seen. */
    static WebpStructure of(byte[] file) {
        int end = (int) (CHUNK_HEADER + size(file, 4));
        int image = image(file, HEADER, end);
        int exif = find(file, HEADER, end, "EXIF");
        int canvas = find(file, HEADER, end, "VP8X");
        int width = 0;
        int height = 0;
        int left = 0;
        int top = 0;
        if (is(file, image, "ANMF")) {
            if (canvas >= 0 && endOf(file, canvas) - canvas >= CHUNK_HEADER + CANVAS) {
                width = 1 + uint24(file, canvas + CHUNK_HEADER + 4);
                height = 1 + uint24(file, canvas + CHUNK_HEADER + 7);
                left = 2 * uint24(file, image + CHUNK_HEADER);
                top = 2 * uint24(file, image + CHUNK_HEADER + 3);
            }
            image = still(file, inFrame(image), endOf(file, image));
        }
        return new WebpStructure(
                alone(file, image), is(file, image, "VP8L"), width, height, left, top, exif >= 0);
    }

    /** The number of pixels of the canvas, or 0 where the image is the canvas. */
    long canvasPixels() {
        return (long) width * height;
    }

    /** The image on its canvas, which is black elsewhere. */
    RgbImage onCanvas(RgbImage image) {
        if (canvasPixels() == 0 || (width == image.width() && height == image.height())) {
            return image;
        }
        byte[] pixels = new byte[3 * width * height];
        int columns = Math.min(image.width(), width - left);
        for (int y = 0; columns > 0 && y < Math.min(image.height(), height - top); y++) {
            System.arraycopy(
                    image.pixels(),
                    3 * y * image.width(),
                    pixels,
                    3 * ((top + y) * width + left),
                    3 * columns);
        }
        return new RgbImage(width, height, pixels);
    }

    private static byte[] alone(byte[] file, int chunk) {
        byte[] body = Arrays.copyOfRange(file, chunk, endOf(file, chunk));
        int length = body.length + (body.length & 1);
        return ByteBuffer.allocate(HEADER + length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("RIFF".getBytes(StandardCharsets.US_ASCII))
                .putInt(4 + length)
                .put("WEBP".getBytes(StandardCharsets.US_ASCII))
                .put(body)
                .array();
    }

    /** The first image or frame of an animation that holds one, or -1. */
    private static int image(byte[] file, int from, int end) {
        int still = still(file, from, end);
        int frame = find(file, from, end, "ANMF");
        if (still >= 0 || frame < 0) {
            return still;
        }
        return still(file, inFrame(frame), endOf(file, frame)) < 0 ? -1 : frame;
    }

    private static int still(byte[] file, int from, int end) {
        int lossy = find(file, from, end, "VP8 ");
        return lossy >= 0 ? lossy : find(file, from, end, "VP8L");
    }

    /** The first chunk of that name that is there as a whole, or -1. */
    private static int find(byte[] file, int from, int end, String name) {
        long at = from;
        while (at + CHUNK_HEADER <= end) {
            long next = at + CHUNK_HEADER + size(file, (int) at + 4);
            if (next > end) {
                return -1;
            }
            if (is(file, (int) at, name)) {
                return (int) at;
            }
            at = next + (next - at) % 2;
        }
        return -1;
    }

    private static int inFrame(int frame) {
        return frame + CHUNK_HEADER + FRAME_HEADER;
    }

    private static int endOf(byte[] file, int chunk) {
        return (int) (chunk + CHUNK_HEADER + size(file, chunk + 4));
    }

    private static long size(byte[] file, int at) {
        return Integer.toUnsignedLong(
                ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt(at));
    }

    private static int uint24(byte[] file, int at) {
        return (file[at] & 0xFF) | (file[at + 1] & 0xFF) << 8 | (file[at + 2] & 0xFF) << 16;
    }

    private static boolean is(byte[] file, int at, String name) {
        for (int i = 0; i < name.length(); i++) {
            if (file[at + i] != name.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
