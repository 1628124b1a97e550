package io.fairlora.vision.transform;

import com.drew.imaging.ImageMetadataReader;
import com.drew.imaging.ImageProcessingException;
import com.drew.metadata.exif.ExifIFD0Directory;
import java.io.ByteArrayInputStream;
import java.io.IOException;

/** The Exif tag that says how a camera was held (Exif 2.3, tag 0x0112). */
final class Orientation {

    private Orientation() {}

    /**
     * Reads the tag.
     *
     * @return 1 to 8; 1, upright, where the file has no usable tag, as such a file shows upright
     *     everywhere
     */
    static int of(byte[] file) {
        try {
            ExifIFD0Directory exif =
                    ImageMetadataReader.readMetadata(new ByteArrayInputStream(file))
                            .getFirstDirectoryOfType(ExifIFD0Directory.class);
            Integer tag = exif == null ? null : exif.getInteger(ExifIFD0Directory.TAG_ORIENTATION);
            return tag == null || tag < 1 || tag > 8 ? 1 : tag;
        } catch (ImageProcessingException | IOException e) {
            return 1;
        }
    }

    /** Turns the image upright. */
    static RgbImage apply(RgbImage image, int orientation) {
        if (orientation == 1) {
            return image;
        }
        boolean swapped = orientation >= 5;
        int width = swapped ? image.height() : image.width();
        int height = swapped ? image.width() : image.height();
        int right = image.width() - 1;
        int bottom = image.height() - 1;
        byte[] from = image.pixels();
        byte[] to = new byte[from.length];
        int at = 0;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int fromX =
                        switch (orientation) {
                            case 2, 3 -> right - x;
                            case 4 -> x;
                            case 5, 6 -> y;
                            default -> right - y;
                        };
                int fromY =
                        switch (orientation) {
                            case 2 -> y;
                            case 3, 4 -> bottom - y;
                            case 5, 8 -> x;
                            default -> bottom - x;
                        };
                System.arraycopy(from, 3 * (fromY * image.width() + fromX), to, at, 3);
                at += 3;
            }
        }
        return new RgbImage(width, height, to);
    }
}
