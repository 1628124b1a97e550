package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.hash.Hashing;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FramingTest {

    /** What {@code tools/golden/image_processors.py} asks of the processors of that name. */
    private static final Map<String, InputSpec> SPECS =
            Map.ofEntries(
                    Map.entry("vit_bilinear", new InputSpec(56, 48, Interpolation.BILINEAR)),
                    Map.entry("vit_bicubic", new InputSpec(64, 64, Interpolation.BICUBIC)),
                    hf("bit", 64, 64, Interpolation.BICUBIC, 73),
                    hf("bit_odd", 57, 48, Interpolation.BILINEAR, 64),
                    hf("bit_padded", 63, 64, Interpolation.BICUBIC, 50),
                    hf("clip", 64, 64, Interpolation.BICUBIC, 64),
                    Map.entry("deit", squashed(73, Rounding.DOWN)),
                    Map.entry(
                            "crop_only",
                            new InputSpec(
                                    64,
                                    65,
                                    Interpolation.BICUBIC,
                                    CentreCrop.ofOriginal(Rounding.DOWN))),
                    timm("timm_0.9_bicubic", 64, Interpolation.BICUBIC, 0.9),
                    timm("timm_0.875_bilinear", 64, Interpolation.BILINEAR, 0.875),
                    timm("timm_0.95_odd", 57, Interpolation.BICUBIC, 0.95),
                    timm("timm_1.0", 64, Interpolation.BICUBIC, 1.0),
                    Map.entry("timm_squash", squashed(71, Rounding.HALF_EVEN)));

    private static Map.Entry<String, InputSpec> hf(
            String name, int height, int width, Interpolation interpolation, int edge) {
        CentreCrop crop = CentreCrop.ofShortestEdge(edge, Rounding.DOWN);
        return Map.entry(name, new InputSpec(height, width, interpolation, crop));
    }

    private static Map.Entry<String, InputSpec> timm(
            String name, int size, Interpolation interpolation, double fraction) {
        CentreCrop crop =
                CentreCrop.ofShortestEdge((int) Math.floor(size / fraction), Rounding.HALF_EVEN);
        return Map.entry(name, new InputSpec(size, size, interpolation, crop));
    }

    private static InputSpec squashed(int size, Rounding rounding) {
        return new InputSpec(
                64, 64, Interpolation.BICUBIC, CentreCrop.ofSize(size, size, rounding));
    }

    static List<NamedCsvRecord> cases() throws IOException, URISyntaxException {
        Path file = Path.of(FramingTest.class.getResource("processors.csv").toURI());
        try (CsvReader<NamedCsvRecord> csv = CsvReader.builder().ofNamedCsvRecord(file)) {
            return csv.stream().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hasTheBitsOfTheProcessor(NamedCsvRecord expected) {
        RgbImage image =
                ResizeTest.noise(
                        Integer.parseInt(expected.getField("seed")),
                        Integer.parseInt(expected.getField("width")),
                        Integer.parseInt(expected.getField("height")));

        RgbImage framed = Framing.apply(image, SPECS.get(expected.getField("processor")));

        assertThat(Hashing.sha256().hashBytes(framed.toByteArray()))
                .hasToString(expected.getField("sha256"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"clip", "timm_0.9_bicubic"})
    void hasThePixelsOfTheProcessor(String name) throws URISyntaxException {
        Path file = Path.of(FramingTest.class.getResource(name + ".png").toURI());
        RgbImage expected = ImageDecoder.AS_STORED.decode(file);

        RgbImage framed = Framing.apply(ResizeTest.noise(0, 640, 481), SPECS.get(name));

        assertThat(framed.toByteArray()).isEqualTo(expected.toByteArray());
    }

    @Test
    void refusesAShortestEdgeOfTwoLengths() {
        assertThatThrownBy(
                        () -> new CentreCrop(CentreCrop.Resize.SHORTEST_EDGE, 5, 6, Rounding.DOWN))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("a shortest edge has one length, found 5 and 6");
        assertThatThrownBy(() -> CentreCrop.ofSize(0, 6, Rounding.DOWN))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("an image must be resized to at least 1 x 1, found 0 x 6");
    }
}
