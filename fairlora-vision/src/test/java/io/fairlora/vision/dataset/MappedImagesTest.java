package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.ImageDecoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedImagesTest {

    private static final InputSpec SPEC = new InputSpec(5, 7, Interpolation.BICUBIC);
    private static final List<String> NAMES = List.of("a.jpg", "b.jpg", "c.jpg", "d.jpg");

    @TempDir Path folder;
    private Path file;
    private final List<Integer> read = new ArrayList<>();

    @BeforeEach
    void writeImages() throws IOException {
        file = folder.resolve("cache/faces.pixels");
        for (int i = 0; i < NAMES.size(); i++) {
            Faces.write(folder.resolve(NAMES.get(i)), 20 + 50 * i);
        }
    }

    private FileImages images() {
        return FileImages.of(folder, NAMES);
    }

    private MappedImages map(FileImages images, InputSpec spec) {
        read.clear();
        return MappedImages.of(images, spec, file, 2, read::add);
    }

    private static void assertSame(Images actual, Images expected, InputSpec spec) {
        assertThat(actual.size()).isEqualTo(expected.size());
        for (int i = 0; i < actual.size(); i++) {
            byte[] a = new byte[spec.bytes() + 2];
            byte[] b = new byte[spec.bytes() + 2];
            actual.read(i, spec, a, 1);
            expected.read(i, spec, b, 1);
            assertThat(a).isEqualTo(b);
            assertThat(actual.name(i)).isEqualTo(expected.name(i));
        }
    }

    private void assertNothingElseIsThere() throws IOException {
        try (Stream<Path> files = Files.list(file.getParent())) {
            assertThat(files).containsExactly(file);
        }
    }

    @Test
    void theSecondRunDecodesNothing() throws IOException {
        assertSame(map(images(), SPEC), images(), SPEC);
        assertThat(read).containsExactly(1, 2, 3, 4);
        assertNothingElseIsThere();
        MappedImages first = map(images(), SPEC);
        assertThat(read).isEmpty();
        // No file is opened any more, and another size is read from them.
        InputSpec other = new InputSpec(3, 3, Interpolation.BILINEAR);
        assertSame(first, images(), other);
        for (String name : NAMES) {
            Files.delete(folder.resolve(name));
        }
        byte[] pixels = new byte[SPEC.bytes()];
        first.read(3, SPEC, pixels, 0);
        assertThat(pixels[0] & 0xFF).isBetween(168, 172);
        assertThatThrownBy(() -> first.read(3, other, pixels, 0))
                .isInstanceOf(ImageReadException.class);
    }

    @Test
    void whatItWasMadeFromDecidesWhetherItIsMadeAnew() throws IOException {
        map(images(), SPEC);
        map(images(), SPEC);
        assertThat(read).isEmpty();

        Files.setLastModifiedTime(folder.resolve("b.jpg"), FileTime.fromMillis(1_000_000));
        map(images(), SPEC);
        assertThat(read).as("time of change").hasSize(4);

        Faces.write(folder.resolve("b.jpg"), 222);
        Files.write(folder.resolve("b.jpg"), new byte[1], StandardOpenOption.APPEND);
        Files.setLastModifiedTime(folder.resolve("b.jpg"), FileTime.fromMillis(1_000_000));
        assertSame(map(images(), SPEC), images(), SPEC);
        assertThat(read).as("size in bytes").hasSize(4);

        assertSame(
                map(images().select(new int[] {1, 0, 2, 3}), SPEC),
                images().select(new int[] {1, 0, 2, 3}),
                SPEC);
        assertThat(read).as("order").hasSize(4);

        InputSpec cropped =
                new InputSpec(
                        5,
                        7,
                        Interpolation.BICUBIC,
                        CentreCrop.ofShortestEdge(8, CentreCrop.Rounding.DOWN));
        assertSame(map(images(), cropped), images(), cropped);
        assertThat(read).as("specification").hasSize(4);

        FileImages cut = images().withCentreCrop(0.5, 0.5).withDecoder(ImageDecoder.AS_STORED);
        assertSame(map(cut, cropped), cut, cropped);
        assertThat(read).as("decoding").hasSize(4);
        map(cut, cropped);
        assertThat(read).isEmpty();
        assertNothingElseIsThere();
    }

    @Test
    void aFileCutShortIsMadeAnew() throws IOException {
        map(images(), SPEC);
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(whole, whole.length - 1));

        assertSame(map(images(), SPEC), images(), SPEC);

        assertThat(read).hasSize(4);
        assertThat(Files.readAllBytes(file)).isEqualTo(whole);
    }

    @Test
    void aBadImageLeavesTheFileAsItWas() throws IOException {
        map(images(), SPEC);
        byte[] before = Files.readAllBytes(file);
        Files.writeString(folder.resolve("c.jpg"), "no image");

        assertThatThrownBy(() -> map(images(), SPEC))
                .isInstanceOf(ImageReadException.class)
                .hasMessageContaining("c.jpg: is not an image");

        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        assertNothingElseIsThere();
    }

    @Test
    void leavesAFileOfSomethingElseAlone() throws IOException {
        Files.createDirectory(file.getParent());
        Files.writeString(file, "my notes");

        assertThatThrownBy(() -> map(images(), SPEC))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(file + " holds something else than pixels, choose another file");

        assertThat(Files.readString(file)).isEqualTo("my notes");
    }

    @Test
    void readsAcrossSeveralMaps() {
        MappedImages mapped =
                MappedImages.of(images(), SPEC, file, 1, read::add, 3L * SPEC.bytes() / 2);

        assertSame(mapped, images(), SPEC);
        assertSame(
                MappedImages.of(images(), SPEC, file, 1, read::add, 3L * SPEC.bytes()),
                images(),
                SPEC);
    }

    @Test
    void namesAFileThatIsNotThere() throws IOException {
        Files.delete(folder.resolve("d.jpg"));

        assertThatThrownBy(() -> map(images(), SPEC))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(folder.resolve("d.jpg") + ": there is no such file");
    }

    @Test
    void refusesImagesThatAreNotInFiles() {
        Images cached = CachedImages.read(images(), SPEC, 1, 10_000, n -> {});

        assertThatThrownBy(() -> MappedImages.of(cached, SPEC, file, 1, read::add))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "only of images in files it is known when they change, found"
                                + " CachedImages");
    }
}
