package io.fairlora.vision.transform;

import com.twelvemonkeys.imageio.plugins.webp.WebPImageReaderSpi;
import io.fairlora.training.ImageReadException;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Decodes image files to 8 bit RGB with the pixels that Pillow's {@code
 * Image.open(...).convert("RGB")} gives: JPEG (baseline, progressive, greyscale, CMYK, YCCK), PNG,
 * WebP (of an animation the first frame) and whatever else the JDK reads.
 *
 * <p>As Pillow does, it drops transparency and ignores embedded colour profiles. Of 16 bits the
 * upper 8 are kept; this also holds for 16 bit greyscale, which Pillow would clip to white.
 *
 * <p>Lossy WebP alone differs: its loop filter is applied at another moment and its chroma is not
 * interpolated, so that the pixels of a face of 200 x 200 are 0.5 to 0.9 levels from libwebp's in
 * the mean at quality 95, 2 to 5 at quality 75 (measured on 8 faces of UTKFace). Lossless WebP is
 * equal bit for bit.
 *
 * <p>A file that is cut short is refused, never padded. So is one whose damage the format lets one
 * see: a wrong checksum in a PNG, compressed data of a JPEG that follows no code or does not end
 * where the image does ({@link #tolerant()} takes the latter, as Pillow does). A JPEG has no
 * checksum, so a flipped bit that makes another valid code passes; who must know keeps digests of
 * the files. Immutable.
 */
public final class ImageDecoder {

    /** Turns images upright as their Exif orientation says. */
    public static final ImageDecoder UPRIGHT = new ImageDecoder(true, false);

    /** Leaves images as they are stored, as torchvision and timm do. */
    public static final ImageDecoder AS_STORED = new ImageDecoder(false, false);

    /** Twice Pillow's {@code MAX_IMAGE_PIXELS}, the number above which it refuses, too. */
    private static final long MAX_PIXELS = 2L * 89_478_485;

    private final boolean upright;
    private final boolean tolerant;

    private ImageDecoder(boolean upright, boolean tolerant) {
        this.upright = upright;
        this.tolerant = tolerant;
    }

    /**
     * A decoder that also takes a JPEG with corrupt compressed data, if it decodes to a whole
     * image: Pillow does so without a word.
     *
     * @return a decoder of the same orientation
     */
    public ImageDecoder tolerant() {
        return new ImageDecoder(upright, true);
    }

    /**
     * Decodes a file.
     *
     * @param file the file
     * @return its (first) image
     * @throws ImageReadException if there is no such file, or it is no image or not a whole one
     */
    public RgbImage decode(Path file) {
        byte[] content;
        try {
            content = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new ImageReadException(file + ": there is no such file", e);
        } catch (IOException e) {
            throw new ImageReadException(file + ": cannot be read: " + e.getMessage(), e);
        }
        return decode(content, file.toString());
    }

    /**
     * Decodes the content of a file.
     *
     * @param file the content
     * @param name what an exception calls it
     * @return its (first) image
     * @throws ImageReadException if it is no image or not a whole one
     */
    public RgbImage decode(byte[] file, String name) {
        JpegStructure jpeg = JpegStructure.isJpeg(file) ? JpegStructure.of(file) : null;
        WebpStructure webp = WebpStructure.isWebp(file) ? webp(file, name) : null;
        boolean mayBeTurned = webp != null ? webp.exif() : jpeg == null || jpeg.exif();
        RgbImage image =
                webp == null
                        ? decodeAsStored(file, name, jpeg)
                        : webp.onCanvas(decodeAsStored(webp.bitstream(), name, null));
        return upright && mayBeTurned ? Orientation.apply(image, Orientation.of(file)) : image;
    }

    /**
     * Whether the ending of a file's name fits its content.
     *
     * @param name the name
     * @param file the content
     * @return {@code false} for a JPEG file not named {@code .jpg} or {@code .jpeg}, a PNG file not
     *     named {@code .png}, a WebP file not named {@code .webp}, and any other file so named
     */
    public static boolean isNamedAs(String name, byte[] file) {
        String lower = name.toLowerCase(Locale.ROOT);
        boolean namedJpeg = lower.endsWith(".jpg") || lower.endsWith(".jpeg");
        boolean namedPng = lower.endsWith(".png");
        boolean namedWebp = lower.endsWith(".webp");
        return namedJpeg == JpegStructure.isJpeg(file)
                && namedPng == PngStructure.isPng(file)
                && namedWebp == WebpStructure.isWebp(file);
    }

    private static WebpStructure webp(byte[] file, String name) {
        String wrong = WebpStructure.damage(file);
        if (wrong != null) {
            throw new ImageReadException(name + ": the WebP file is damaged: " + wrong, null);
        }
        WebpStructure webp = WebpStructure.of(file);
        checkSize(webp.canvasPixels(), name);
        return webp;
    }

    private static void checkSize(long pixels, String name) {
        if (pixels > MAX_PIXELS) {
            throw new ImageReadException(
                    name + ": has " + pixels + " pixels, expected at most " + MAX_PIXELS, null);
        }
    }

    private RgbImage decodeAsStored(byte[] file, String name, @Nullable JpegStructure jpeg) {
        String wrong = PngStructure.isPng(file) ? PngStructure.damage(file) : null;
        if (wrong != null) {
            throw new ImageReadException(name + ": the PNG file is damaged: " + wrong, null);
        }
        if (jpeg != null && !jpeg.complete()) {
            throw new ImageReadException(
                    name + ": the JPEG file is cut short after " + file.length + " bytes", null);
        }
        boolean webp = WebpStructure.isWebp(file);
        ImageInputStream input =
                webp
                        ? new BitstreamInput(file)
                        : new MemoryCacheImageInputStream(new ByteArrayInputStream(file));
        ImageReader reader = webp ? webpReader() : reader(input);
        if (reader == null) {
            throw new ImageReadException(
                    name
                            + (file.length == 0 ? ": the file is empty" : ": is not an image")
                            + ", expected JPEG, PNG, WebP, GIF, BMP or TIFF",
                    null);
        }
        try {
            String[] damage = new String[1];
            reader.addIIOReadWarningListener(
                    (source, warning) -> {
                        if (jpeg == null || isDamage(warning)) {
                            damage[0] = warning;
                        }
                    });
            reader.setInput(input);
            checkSize((long) reader.getWidth(0) * reader.getHeight(0), name);
            RgbImage image = jpeg != null ? readJpeg(reader, jpeg) : readOther(reader);
            if (damage[0] != null) {
                throw new ImageReadException(
                        name + ": the file is damaged or cut short: " + damage[0], null);
            }
            return image;
        } catch (IOException | RuntimeException e) {
            if (e instanceof ImageReadException refused) {
                throw refused;
            }
            throw new ImageReadException(
                    name + ": the image cannot be decoded: " + e.getMessage(), e);
        } finally {
            reader.dispose();
        }
    }

    /** The JDK pads what is missing and only warns; its other warnings are of metadata. */
    private boolean isDamage(String warning) {
        String text = warning.toLowerCase(Locale.ROOT);
        return text.contains("premature")
                || (!tolerant
                        && (text.contains("corrupt") || text.contains("inconsistent progression")));
    }

    private static ImageReader webpReader() {
        return new WebPImageReaderSpi().createReaderInstance(null);
    }

    /** The JDK's own reader: a plug-in on the class path must not change the pixels. */
    private static @Nullable ImageReader reader(ImageInputStream input) {
        Iterator<ImageReader> readers = ImageIO.getImageReaders(input);
        while (readers.hasNext()) {
            ImageReader reader = readers.next();
            if (reader.getClass().getModule() == ImageIO.class.getModule()) {
                return reader;
            }
            reader.dispose();
        }
        return null;
    }

    private static RgbImage readJpeg(ImageReader reader, JpegStructure jpeg) throws IOException {
        if (jpeg.components() == 4) {
            return fromCmyk(reader.readRaster(0, null), jpeg.adobeTransform() == 2);
        }
        // The components as they are stored: the JDK would convert them through an embedded colour
        // profile, and more slowly.
        Raster raster = reader.readRaster(0, null);
        return jpeg.components() == 3 && !jpeg.storesRgb() ? fromYcc(raster) : fromBands(raster);
    }

    /** libjpeg's {@code ycc_rgb_convert}. */
    private static RgbImage fromYcc(Raster raster) {
        int width = raster.getWidth();
        byte[] pixels = new byte[3 * width * raster.getHeight()];
        byte[] row = new byte[3 * width];
        int at = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getDataElements(0, y, width, 1, row);
            for (int x = 0; x < row.length; x += 3) {
                int luma = row[x] & 0xFF;
                int cb = row[x + 1] & 0xFF;
                int cr = row[x + 2] & 0xFF;
                pixels[at] = (byte) clamp(luma + YccTables.CR_TO_RED[cr]);
                pixels[at + 1] =
                        (byte)
                                clamp(
                                        luma
                                                + ((YccTables.CB_TO_GREEN[cb]
                                                                + YccTables.CR_TO_GREEN[cr])
                                                        >> 16));
                pixels[at + 2] = (byte) clamp(luma + YccTables.CB_TO_BLUE[cb]);
                at += 3;
            }
        }
        return new RgbImage(width, raster.getHeight(), pixels);
    }

    /** JFIF's equations in 16 bit fixed point, as jdcolor.c has them. */
    private static final class YccTables {
        static final int[] CR_TO_RED = new int[256];
        static final int[] CB_TO_BLUE = new int[256];
        static final int[] CR_TO_GREEN = new int[256];
        static final int[] CB_TO_GREEN = new int[256];

        static {
            int half = 1 << 15;
            for (int i = 0; i < 256; i++) {
                int x = i - 128;
                CR_TO_RED[i] = (fixed(1.402) * x + half) >> 16;
                CB_TO_BLUE[i] = (fixed(1.772) * x + half) >> 16;
                CR_TO_GREEN[i] = -fixed(0.71414) * x;
                CB_TO_GREEN[i] = -fixed(0.34414) * x + half;
            }
        }

        private static int fixed(double factor) {
            return (int) (factor * (1 << 16) + 0.5);
        }
    }

    private static RgbImage readOther(ImageReader reader) throws IOException {
        return of(reader.read(0));
    }

    /** The colours as they are stored, without transparency and colour profile. */
    static RgbImage of(BufferedImage image) {
        if (image.getColorModel() instanceof IndexColorModel palette) {
            return fromPalette(image.getRaster(), palette);
        }
        int type = image.getRaster().getDataBuffer().getDataType();
        if ((type != DataBuffer.TYPE_BYTE && type != DataBuffer.TYPE_USHORT)
                || image.isAlphaPremultiplied()) {
            return fromColours(image);
        }
        int bits = image.getColorModel().getComponentSize(0);
        return bits == 8 || bits == 16 ? fromBands(image.getRaster()) : fromColours(image);
    }

    /** One or two bands are grey (and transparency), three or four are RGB (and transparency). */
    private static RgbImage fromBands(Raster raster) {
        int bands = raster.getNumBands();
        boolean grey = bands < 3;
        int shift = raster.getDataBuffer().getDataType() == DataBuffer.TYPE_USHORT ? 8 : 0;
        byte[] pixels = new byte[3 * raster.getWidth() * raster.getHeight()];
        int[] row = new int[bands * raster.getWidth()];
        int at = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, raster.getWidth(), 1, row);
            for (int x = 0; x < row.length; x += bands) {
                pixels[at++] = (byte) (row[x] >> shift);
                pixels[at++] = (byte) (row[grey ? x : x + 1] >> shift);
                pixels[at++] = (byte) (row[grey ? x : x + 2] >> shift);
            }
        }
        return new RgbImage(raster.getWidth(), raster.getHeight(), pixels);
    }

    private static RgbImage fromPalette(Raster raster, IndexColorModel palette) {
        byte[] pixels = new byte[3 * raster.getWidth() * raster.getHeight()];
        int at = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            for (int x = 0; x < raster.getWidth(); x++) {
                at = put(pixels, at, palette.getRGB(raster.getSample(x, y, 0)));
            }
        }
        return new RgbImage(raster.getWidth(), raster.getHeight(), pixels);
    }

    private static RgbImage fromColours(BufferedImage image) {
        byte[] pixels = new byte[3 * image.getWidth() * image.getHeight()];
        int at = 0;
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                at = put(pixels, at, image.getRGB(x, y));
            }
        }
        return new RgbImage(image.getWidth(), image.getHeight(), pixels);
    }

    private static int put(byte[] pixels, int at, int argb) {
        pixels[at] = (byte) (argb >> 16);
        pixels[at + 1] = (byte) (argb >> 8);
        pixels[at + 2] = (byte) argb;
        return at + 3;
    }

    /**
     * Pillow's {@code cmyk2rgb} of {@code Convert.c} after it has inverted the four components, as
     * Adobe stores them; the first three come from YCbCr by JFIF's equations where the file says
     * so.
     */
    private static RgbImage fromCmyk(Raster raster, boolean isYcck) {
        byte[] pixels = new byte[3 * raster.getWidth() * raster.getHeight()];
        int[] row = new int[4 * raster.getWidth()];
        int at = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(0, y, raster.getWidth(), 1, row);
            for (int x = 0; x < row.length; x += 4) {
                if (isYcck) {
                    invertedFromYcc(row, x);
                }
                int white = row[x + 3];
                for (int c = 0; c < 3; c++) {
                    int product = (255 - row[x + c]) * white + 128;
                    int ink = ((product >> 8) + product) >> 8;
                    pixels[at++] = (byte) clamp(white - ink);
                }
            }
        }
        return new RgbImage(raster.getWidth(), raster.getHeight(), pixels);
    }

    /** libjpeg's {@code ycck_cmyk_convert}: the inks are 255 - RGB. */
    private static void invertedFromYcc(int[] row, int x) {
        int luma = row[x];
        int cb = row[x + 1] - 128;
        int cr = row[x + 2] - 128;
        row[x] = 255 - clamp(luma + (int) Math.floor(1.402 * cr + 0.5));
        row[x + 1] =
                255 - clamp(luma + (int) Math.floor(-0.344136286 * cb - 0.714136286 * cr + 0.5));
        row[x + 2] = 255 - clamp(luma + (int) Math.floor(1.772 * cb + 0.5));
    }

    private static int clamp(int value) {
        return Math.max(0, Math.min(255, value));
    }

    /** Says how it decodes. */
    @Override
    public String toString() {
        return "ImageDecoder[upright=" + upright + ", tolerant=" + tolerant + "]";
    }
}
