package io.fairlora.vision.transform;

/**
 * What the markers of a JPEG file say (ITU-T T.81, annex B).
 *
 * @param components the number of colour components, or 0 without a frame
 * @param storesRgb whether three components are red, green and blue rather than YCbCr
 * @param adobeTransform the colour transform of Adobe's APP14 segment, or -1 without one
 * @param exif whether there is an APP1 segment, the one that may hold Exif data
 * @param complete whether the file has at least one scan and its end-of-image marker
 */
record JpegStructure(
        int components, boolean storesRgb, int adobeTransform, boolean exif, boolean complete) {

    private static final int END_OF_IMAGE = 0xD9;
    private static final int START_OF_SCAN = 0xDA;
    private static final int APP0 = 0xE0;
    private static final int APP1 = 0xE1;
    private static final int APP14 = 0xEE;

    static boolean isJpeg(byte[] file) {
        return file.length >= 3
                && (file[0] & 0xFF) == 0xFF
                && (file[1] & 0xFF) == 0xD8
                && (file[2] & 0xFF) == 0xFF;
    }

    static JpegStructure of(byte[] file) {
        int frame = -1;
        int adobeTransform = -1;
        boolean jfif = false;
        boolean exif = false;
        boolean scanned = false;
        boolean complete = false;
        int at = nextMarker(file, 2);
        while (at >= 0 && !complete) {
            int marker = file[at++] & 0xFF;
            if (marker == END_OF_IMAGE) {
                complete = scanned;
                break;
            }
            if (at + 2 > file.length) {
                break;
            }
            int length = (file[at] & 0xFF) << 8 | (file[at + 1] & 0xFF);
            if (marker == APP14 && length >= 14 && at + 14 <= file.length && isAdobe(file, at)) {
                adobeTransform = file[at + 13] & 0xFF;
            }
            if (isStartOfFrame(marker) && at + 7 < file.length) {
                frame = at;
            }
            jfif |= marker == APP0 && length >= 14 && at + 6 < file.length && isJfif(file, at);
            exif |= marker == APP1;
            scanned |= marker == START_OF_SCAN;
            at = nextMarker(file, at + length);
        }
        int components = frame < 0 ? 0 : file[frame + 7] & 0xFF;
        boolean storesRgb = !jfif && storesRgb(file, frame, adobeTransform);
        return new JpegStructure(components, storesRgb, adobeTransform, exif, complete);
    }

    /** What libjpeg assumes of three components without a JFIF segment (jdapimin.c). */
    private static boolean storesRgb(byte[] file, int frame, int adobeTransform) {
        if (adobeTransform >= 0) {
            return adobeTransform == 0;
        }
        return frame >= 0
                && frame + 14 < file.length
                && file[frame + 8] == 'R'
                && file[frame + 11] == 'G'
                && file[frame + 14] == 'B';
    }

    /** The position of the next marker's second byte; skips entropy-coded data, or -1. */
    private static int nextMarker(byte[] file, int from) {
        for (int i = from; i + 1 < file.length; i++) {
            int code = file[i + 1] & 0xFF;
            boolean stuffed = code == 0 || code == 0xFF || code == 0x01;
            boolean restart = code >= 0xD0 && code <= 0xD7;
            if ((file[i] & 0xFF) == 0xFF && !stuffed && !restart) {
                return i + 1;
            }
        }
        return -1;
    }

    /** C0 to CF but for the tables of Huffman (C4) and arithmetic coding (CC) and JPG (C8). */
    private static boolean isStartOfFrame(int marker) {
        return marker >= 0xC0
                && marker <= 0xCF
                && marker != 0xC4
                && marker != 0xC8
                && marker != 0xCC;
    }

    private static boolean isJfif(byte[] file, int at) {
        return file[at + 2] == 'J'
                && file[at + 3] == 'F'
                && file[at + 4] == 'I'
                && file[at + 5] == 'F'
                && file[at + 6] == 0;
    }

    private static boolean isAdobe(byte[] file, int at) {
        return file[at + 2] == 'A'
                && file[at + 3] == 'd'
                && file[at + 4] == 'o'
                && file[at + 5] == 'b'
                && file[at + 6] == 'e';
    }
}
