package io.fairlora.vision.dataset;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/** Files for the tests of this package. */
final class Faces {

    private Faces() {}

    /** Writes a small JPEG whose grey level is the shade. */
    static void write(Path file, int shade) throws IOException {
        BufferedImage image = new BufferedImage(12, 10, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 120; i++) {
            image.setRGB(i % 12, i / 12, shade * 0x010101);
        }
        ImageIO.write(image, "jpg", file.toFile());
    }

    /** The folder of real faces, or the end of the test with a word on why. */
    static Path real(String name) {
        Path folder = Path.of(System.getProperty("fairlora.data", "absent"), name);
        assumeTrue(
                Files.isDirectory(folder),
                () -> "skipped: no real faces, set -Dfairlora.data to a folder with " + name);
        return folder;
    }

    static long distinct(byte[] pixels) {
        boolean[] seen = new boolean[256];
        int count = 0;
        for (byte pixel : pixels) {
            if (!seen[pixel & 0xFF]) {
                seen[pixel & 0xFF] = true;
                count++;
            }
        }
        return count;
    }
}
