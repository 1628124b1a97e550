package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.Augmentation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CachedImagesTest {

    private static final InputSpec SPEC = new InputSpec(5, 7, Interpolation.BICUBIC);

    private static FileImages files(Path folder) throws IOException {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            Faces.write(folder.resolve(i + ".jpg"), 10 * i);
            names.add(i + ".jpg");
        }
        return FileImages.of(folder, names);
    }

    @Test
    void givesThePixelsOfTheFilesAfterTheyAreGone(@TempDir Path folder) throws IOException {
        FileImages images = files(folder);
        byte[] expected = new byte[SPEC.bytes()];
        images.read(13, SPEC, expected, 0);
        List<Integer> progress = new ArrayList<>();

        CachedImages cached = CachedImages.read(images, SPEC, 3, 20L * SPEC.bytes(), progress::add);
        for (int i = 0; i < 20; i++) {
            Files.delete(folder.resolve(i + ".jpg"));
        }

        byte[] actual = new byte[SPEC.bytes() + 2];
        cached.read(13, SPEC, actual, 2);
        assertThat(actual).endsWith(expected);
        assertThat(progress).isEqualTo(IntStream.rangeClosed(1, 20).boxed().toList());
        assertThat(cached.name(13)).isEqualTo("13.jpg");
        InputSpec other = new InputSpec(4, 4, Interpolation.BICUBIC);
        assertThatThrownBy(() -> cached.read(13, other, new byte[48], 0))
                .isInstanceOf(ImageReadException.class);
    }

    /** What is kept is the images as they are; training must not see it in place of the draw. */
    @Test
    void augmentedImagesAreDrawnAnewInEveryEpoch(@TempDir Path folder) throws IOException {
        AugmentedImages augmented =
                AugmentedImages.of(
                        files(folder), Augmentation.builder().colourJitter(0.5, 0, 0, 0).build());
        CachedImages cached = CachedImages.read(augmented, SPEC, 1, 1 << 20, count -> {});

        assertThat(pixels(cached.forEpoch(1, 2)))
                .isEqualTo(pixels(augmented.forEpoch(1, 2)))
                .isNotEqualTo(pixels(cached));
        CachedImages plain = CachedImages.read(files(folder), SPEC, 1, 1 << 20, count -> {});
        assertThat(plain.forEpoch(1, 2)).isSameAs(plain);
    }

    private static byte[] pixels(Images images) {
        byte[] pixels = new byte[images.size() * SPEC.bytes()];
        for (int i = 0; i < images.size(); i++) {
            images.read(i, SPEC, pixels, i * SPEC.bytes());
        }
        return pixels;
    }

    @Test
    void refusesToTakeMoreMemoryThanAllowed(@TempDir Path folder) throws IOException {
        FileImages images = files(folder);

        assertThatThrownBy(() -> CachedImages.read(images, SPEC, 1, 2000, done -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("20 images of 5 x 7 pixels take 2100 bytes, allowed are 2000");
    }

    @Test
    void namesTheImageThatCannotBeRead(@TempDir Path folder) throws IOException {
        FileImages images = files(folder);
        Files.delete(folder.resolve("11.jpg"));

        assertThatThrownBy(() -> CachedImages.read(images, SPEC, 2, 1L << 30, done -> {}))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(folder.resolve("11.jpg") + ": there is no such file");
    }

    @Test
    void cropsBeforeItResizes(@TempDir Path folder) throws IOException {
        FileImages images = files(folder).withCentreCrop(0.5, 0.5);
        byte[] pixels = new byte[SPEC.bytes()];

        images.read(2, SPEC, pixels, 0);

        assertThat(pixels).containsOnly(20);
        assertThatThrownBy(() -> images.withCentreCrop(0, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "fractions must be above 0 and at most 1, found 0.0 of the height and 1.0"
                                + " of the width");
    }
}
