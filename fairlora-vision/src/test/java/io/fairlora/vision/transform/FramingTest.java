package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.hash.Hashing;
import com.google.common.io.Resources;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.InputSpec;
import io.fairlora.vision.vit.VitPreprocessing;
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

    /** Rows and columns of what the processors of {@code image_processors.py} give. */
    private static final Map<String, int[]> SIZES =
            Map.of(
                    "vit_bilinear", new int[] {56, 48},
                    "bit_odd", new int[] {57, 48},
                    "bit_padded", new int[] {63, 64},
                    "crop_only", new int[] {64, 65},
                    "timm_0.95_odd", new int[] {57, 57});

    /** Built from the processor's own file. */
    private static InputSpec spec(String processor) throws IOException {
        JsonNode configs =
                new ObjectMapper()
                        .readTree(
                                Resources.toByteArray(
                                        Resources.getResource(
                                                FramingTest.class, "processors.json")));
        JsonNode config = configs.get(processor);
        int[] size = SIZES.getOrDefault(processor, new int[] {64, 64});
        VitPreprocessing read =
                processor.startsWith("timm")
                        ? VitPreprocessing.parseTimm(config)
                        : VitPreprocessing.parse(config);
        return new InputSpec(size[0], size[1], read.interpolation(), read.crop());
    }

    static List<NamedCsvRecord> cases() throws IOException, URISyntaxException {
        Path file = Path.of(FramingTest.class.getResource("processors.csv").toURI());
        try (CsvReader<NamedCsvRecord> csv = CsvReader.builder().ofNamedCsvRecord(file)) {
            return csv.stream().toList();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hasTheBitsOfTheProcessor(NamedCsvRecord expected) throws IOException {
        RgbImage image =
                ResizeTest.noise(
                        Integer.parseInt(expected.getField("seed")),
                        Integer.parseInt(expected.getField("width")),
                        Integer.parseInt(expected.getField("height")));

        RgbImage framed = Framing.apply(image, spec(expected.getField("processor")));

        assertThat(Hashing.sha256().hashBytes(framed.toByteArray()))
                .hasToString(expected.getField("sha256"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"clip", "timm_0.9_bicubic"})
    void hasThePixelsOfTheProcessor(String name) throws IOException, URISyntaxException {
        Path file = Path.of(FramingTest.class.getResource(name + ".png").toURI());
        RgbImage expected = ImageDecoder.AS_STORED.decode(file);

        RgbImage framed = Framing.apply(ResizeTest.noise(0, 640, 481), spec(name));

        assertThat(framed.toByteArray()).isEqualTo(expected.toByteArray());
    }

    @ParameterizedTest
    @ValueSource(strings = {"vit_bilinear", "vit_bicubic", "bit_padded"})
    void planesAreThoseOfTheImage(String name) throws IOException {
        InputSpec spec = spec(name);
        for (int size : new int[] {1, 2, 48, 56, 64, 200}) {
            RgbImage image = ResizeTest.noise(size, size, 64);
            byte[] expected = new byte[spec.bytes() + 2];
            byte[] planes = new byte[spec.bytes() + 2];

            Framing.apply(image, spec).copyPlanes(expected, 1);
            Framing.applyToPlanes(image, spec, planes, 1);

            assertThat(planes).as("%s", size).isEqualTo(expected);
        }
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
