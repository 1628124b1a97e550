package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.hash.Hashing;
import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ColourOpsTest {

    static List<NamedCsvRecord> cases() throws IOException, URISyntaxException {
        Path file = Path.of(ColourOpsTest.class.getResource("colour.csv").toURI());
        try (CsvReader<NamedCsvRecord> csv = CsvReader.builder().ofNamedCsvRecord(file)) {
            return csv.stream().toList();
        }
    }

    /** As in {@code tools/golden/pillow_colour.py}. */
    private static RgbImage image(String name) {
        byte[] pixels = ResizeTest.noise(7, 61, 47).toByteArray();
        if (name.equals("dull")) {
            for (int i = 0; i < pixels.length; i++) {
                pixels[i] = (byte) (90 + ((pixels[i] & 0xFF) >> 2));
            }
        }
        return RgbImage.of(61, 47, pixels);
    }

    /** torchvision writes ShearX for SHEAR_X. */
    private static RandAugmentOp op(String name) {
        return Arrays.stream(RandAugmentOp.values())
                .filter(op -> op.name().replace("_", "").equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow();
    }

    private static RgbImage apply(String operation, double strength, RgbImage image) {
        if (operation.startsWith("RandAugment ")) {
            String name = operation.substring("RandAugment ".length());
            return op(name).apply(image, (int) Math.abs(strength), strength < 0);
        }
        float factor = (float) strength;
        int steps = (int) strength;
        return switch (operation) {
            case "brightness" -> ColourOps.brightness(image, factor);
            case "contrast" -> ColourOps.contrast(image, factor);
            case "saturation" -> ColourOps.saturation(image, factor);
            case "sharpness" -> ColourOps.sharpness(image, factor);
            case "hue" -> ColourOps.hue(image, strength);
            case "posterize" -> ColourOps.posterize(image, steps);
            case "solarize" -> ColourOps.solarize(image, strength);
            case "autocontrast" -> ColourOps.autoContrast(image);
            case "equalize" -> ColourOps.equalize(image);
            case "flip" -> GeometricOps.flip(image);
            case "right" -> GeometricOps.translate(image, steps, 0);
            case "down" -> GeometricOps.translate(image, 0, steps);
            case "shear x" -> GeometricOps.shearX(image, strength);
            case "shear y" -> GeometricOps.shearY(image, strength);
            case "rotate" -> GeometricOps.rotate(image, strength);
            default -> throw new AssertionError(operation);
        };
    }

    @ParameterizedTest
    @MethodSource("cases")
    void hasTheBitsOfPillow(NamedCsvRecord expected) {
        RgbImage changed =
                apply(
                        expected.getField("operation"),
                        Double.parseDouble(expected.getField("strength")),
                        image(expected.getField("image")));

        assertThat(Hashing.sha256().hashBytes(changed.toByteArray()))
                .hasToString(expected.getField("sha256"));
    }
}
