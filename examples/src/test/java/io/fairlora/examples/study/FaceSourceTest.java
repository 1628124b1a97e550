package io.fairlora.examples.study;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.vision.dataset.FaceDataset;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FaceSourceTest {

    private static final InputSpec INPUT = new InputSpec(8, 8, Interpolation.BILINEAR);

    @TempDir private Path folder;

    /** A folder named as UTKFace's is, of images that hold no face. */
    private void writeFolder(int count) throws IOException {
        SplittableRandom random = new SplittableRandom(1);
        BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < count; i++) {
            String name =
                    String.format(
                            "%d_%d_%d_201701%011d.jpg.chip.jpg",
                            random.nextInt(20, 60), random.nextInt(2), random.nextInt(5), i);
            ImageIO.write(image, "jpg", folder.resolve(name).toFile());
        }
    }

    @Test
    void aRealFolderIsSplitIntoDisjointPartsAsPlanted() throws IOException {
        writeFolder(900);
        FaceSource source =
                FaceSource.utkFace(folder, "age", "gender", 0.9, 300, Kept.pixels(INPUT));
        FaceSource.Parts parts = source.parts(3);
        assertThat(source.describe()).isEqualTo("UTKFace, age>=40 / gender");
        assertThat(parts.auditor().size()).isGreaterThanOrEqualTo(290);
        Set<String> seen = new HashSet<>();
        for (FaceDataset part :
                new FaceDataset[] {
                    parts.train(), parts.validation(), parts.auditor(), parts.test()
                }) {
            assertThat(part.size()).isPositive();
            for (int i = 0; i < part.size(); i++) {
                assertThat(seen.add(part.images().name(i))).isTrue();
            }
        }
        int[] task = parts.train().labels(parts.task());
        int[] sensitive = parts.train().labels(parts.sensitive());
        int aligned = 0;
        for (int i = 0; i < task.length; i++) {
            aligned += task[i] == sensitive[i] ? 1 : 0;
        }
        double share = (double) aligned / task.length;
        assertThat(Math.max(share, 1 - share)).isBetween(0.88, 0.92);
    }

    @Test
    void natureIsLeftAloneUnlessPlanted() throws IOException {
        writeFolder(900);
        FaceSource.Parts parts =
                FaceSource.utkFace(folder, "gender", "race", null, 100, Kept.pixels(INPUT))
                        .parts(1);
        assertThat(parts.train().size()).isGreaterThan(300);
        assertThat(parts.test().classes(parts.sensitive())).hasSize(5);
    }
}
