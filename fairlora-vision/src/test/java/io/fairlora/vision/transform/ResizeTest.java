package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.hash.Hashing;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import io.fairlora.lora.Interpolation;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResizeTest {

    /** Numerical Recipes' generator, as in {@code tools/golden/pillow_resize.py}. */
    static RgbImage noise(int seed, int width, int height) {
        byte[] pixels = new byte[3 * width * height];
        int state = seed;
        for (int i = 0; i < pixels.length; i++) {
            state = state * 1664525 + 1013904223;
            pixels[i] = (byte) (state >>> 24);
        }
        return RgbImage.of(width, height, pixels);
    }

    private static RgbImage resized(NamedCsvRecord expected) {
        return Resize.resize(
                noise(
                        Integer.parseInt(expected.getField("seed")),
                        Integer.parseInt(expected.getField("width")),
                        Integer.parseInt(expected.getField("height"))),
                Integer.parseInt(expected.getField("to_height")),
                Integer.parseInt(expected.getField("to_width")),
                Interpolation.valueOf(expected.getField("interpolation")));
    }

    static List<NamedCsvRecord> cases() throws IOException, URISyntaxException {
        Path file = Path.of(ResizeTest.class.getResource("resize.csv").toURI());
        try (CsvReader<NamedCsvRecord> csv = CsvReader.builder().ofNamedCsvRecord(file)) {
            return csv.stream().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hasTheBitsOfPillow(NamedCsvRecord expected) {
        RgbImage resized = resized(expected);

        assertThat(Hashing.sha256().hashBytes(resized.toByteArray()))
                .hasToString(expected.getField("sha256"));
    }

    @ParameterizedTest
    @ValueSource(ints = {58, 59, 60, 61})
    void hasThePixelsOfPillow(int seed) throws IOException, URISyntaxException {
        Path file = Path.of(ResizeTest.class.getResource("resize" + seed + ".png").toURI());
        RgbImage expected = ImageDecoder.AS_STORED.decode(file);

        RgbImage resized = resized(cases().get(seed));

        assertThat(resized.toByteArray()).isEqualTo(expected.toByteArray());
    }

    @Test
    void covers50ImagesOfOddSizes() throws IOException, URISyntaxException {
        assertThat(cases())
                .filteredOn(
                        row ->
                                Stream.of("width", "height", "to_width", "to_height")
                                        .allMatch(c -> Integer.parseInt(row.getField(c)) % 2 == 1))
                .hasSizeGreaterThanOrEqualTo(50)
                .extracting(row -> row.getField("interpolation"))
                .contains("BILINEAR", "BICUBIC");
    }

    @Test
    void theSameSizeIsTheSameImage() {
        RgbImage image = noise(1, 5, 4);

        assertThat(Resize.resize(image, 4, 5, Interpolation.BICUBIC)).isSameAs(image);
    }

    @Test
    void refusesAnEmptySize() {
        assertThatThrownBy(() -> Resize.resize(noise(1, 5, 4), 0, 5, Interpolation.BILINEAR))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("height must be at least 1, found 0");
    }

    @Test
    void cropsTheCentre() {
        RgbImage image = noise(3, 10, 8);

        RgbImage cropped = image.centreCrop(0.5, 0.6);

        assertThat(cropped.width()).isEqualTo(6);
        assertThat(cropped.height()).isEqualTo(4);
        assertThat(cropped.sample(0, 0, 1)).isEqualTo(image.sample(2, 2, 1));
        assertThat(cropped.sample(5, 3, 2)).isEqualTo(image.sample(7, 5, 2));
    }

    @Test
    void copiesPlaneByPlane() {
        RgbImage image = RgbImage.of(2, 1, new byte[] {1, 2, 3, 4, 5, 6});
        byte[] target = new byte[7];

        image.copyPlanes(target, 1);

        assertThat(target).containsExactly(0, 1, 4, 2, 5, 3, 6);
    }
}
