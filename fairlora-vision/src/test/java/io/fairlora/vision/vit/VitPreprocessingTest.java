package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.vision.vit.LoadOptions.ImageSize;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VitPreprocessingTest {

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text.replace('\'', '"'));
    }

    private static VitPreprocessing parse(String text) throws IOException {
        return VitPreprocessing.parse(json(text));
    }

    private static InputSpec input(VitPreprocessing read, int side) {
        return new InputSpec(side, side, read.interpolation(), read.crop());
    }

    @Test
    void anEmptyFileIsVitsDefault() throws IOException {
        assertThat(parse("{}")).isEqualTo(VitPreprocessing.DEFAULT);
    }

    @Test
    void takesTheDefaultsOfTheProcessor() throws IOException {
        assertThat(input(parse("{'image_processor_type': 'BitImageProcessor'}"), 224))
                .isEqualTo(
                        new InputSpec(
                                224,
                                224,
                                Interpolation.BICUBIC,
                                CentreCrop.ofShortestEdge(224, Rounding.DOWN)));
        assertThat(parse("{'image_processor_type': 'CLIPImageProcessor'}").normalization().mean())
                .containsExactly(0.48145466, 0.4578275, 0.40821073);
        assertThat(input(parse("{'feature_extractor_type': 'DeiTFeatureExtractor'}"), 224))
                .isEqualTo(
                        new InputSpec(
                                224,
                                224,
                                Interpolation.BICUBIC,
                                CentreCrop.ofSize(256, 256, Rounding.DOWN)));
        assertThat(input(parse("{'image_processor_type': 'SiglipImageProcessor'}"), 9))
                .isEqualTo(new InputSpec(9, 9, Interpolation.BICUBIC));
    }

    @Test
    void readsTheNumbersOfOldFiles() throws IOException {
        VitPreprocessing clip =
                parse(
                        "{'feature_extractor_type': 'CLIPFeatureExtractor', 'size': 64,"
                                + " 'crop_size': 60, 'resample': 3}");

        assertThat(clip.crop()).isEqualTo(CentreCrop.ofShortestEdge(64, Rounding.DOWN));
    }

    @Test
    void cutsTheSamePartForAnotherSize() throws IOException {
        VitPreprocessing dino =
                parse(
                        "{'image_processor_type': 'BitImageProcessor', 'size': {'shortest_edge':"
                                + " 256}, 'crop_size': {'height': 224, 'width': 224}}");

        assertThat(dino.scaled(new ImageSize(224, 224), new ImageSize(518, 518)).crop())
                .isEqualTo(CentreCrop.ofShortestEdge(592, Rounding.DOWN));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "{}; -1; 1",
                "{'do_rescale': false}; -1; 509",
                "{'rescale_factor': 0.00784313725490196}; -1; 3",
                "{'do_normalize': false}; 0; 1",
                "{'do_normalize': false, 'do_rescale': false}; 0; 255"
            })
    void rescalesAsAsked(String text, double atBlack, double atWhite) throws IOException {
        Normalization n = parse(text).normalization();

        double black = -n.mean().get(0) / n.std().get(0);
        double white = (1 - n.mean().get(0)) / n.std().get(0);
        assertThat(black).isCloseTo(atBlack, within(1e-6));
        assertThat(white).isCloseTo(atWhite, within(1e-4));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'resample': 3, 'image_mean': [0.1, 0.2, 0.3], 'image_std': [1, 2, 3]}",
                "{'image_processor_type': 'BitImageProcessor', 'size': {'shortest_edge': 40},"
                        + " 'crop_size': {'height': 32, 'width': 32}}",
                "{'image_processor_type': 'DeiTImageProcessor', 'size': {'height': 40, 'width':"
                        + " 41}, 'crop_size': {'height': 32, 'width': 32}, 'resample': 2}",
                "{'image_processor_type': 'CLIPImageProcessor', 'do_resize': false, 'crop_size':"
                        + " {'height': 32, 'width': 32}}"
            })
    void writesWhatItReads(String text) throws IOException {
        VitPreprocessing read = parse(text);
        VitConfig config = VitConfig.of(8, 1, 1, 32, 16);

        assertThat(VitPreprocessing.parse(read.toJson(config))).isEqualTo(read);
    }

    @Test
    void writesTimmsCut() throws IOException {
        VitPreprocessing timm =
                VitPreprocessing.parseTimm(
                        json(
                                "{'input_size': [3, 32, 32], 'crop_pct': 0.9, 'interpolation':"
                                        + " 'bicubic', 'mean': [0.5, 0.5, 0.5]}"));
        VitConfig config = VitConfig.of(8, 1, 1, 32, 16);

        assertThat(timm.crop()).isEqualTo(CentreCrop.ofShortestEdge(35, Rounding.HALF_EVEN));
        assertThat(VitPreprocessing.parse(timm.toJson(config))).isEqualTo(timm);
    }

    @Test
    void refusesWhatWouldChangeThePixels() {
        assertThatThrownBy(() -> parse("{'resample': 1}"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("resample must be 2 (bilinear) or 3 (bicubic), found 1");
        assertThatThrownBy(
                        () ->
                                parse(
                                        "{'image_processor_type': 'ConvNextImageProcessor',"
                                                + " 'crop_pct': 0.875}"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("crop_pct is not supported, expected size and crop_size");
        assertThatThrownBy(
                        () ->
                                parse(
                                        "{'do_center_crop': true, 'size': {'longest_edge': 40,"
                                                + " 'shortest_edge': 30}}"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "a size with longest_edge is not supported:"
                                + " {\"longest_edge\":40,\"shortest_edge\":30}");
        assertThatThrownBy(() -> VitPreprocessing.parseTimm(json("{'interpolation': 'random'}")))
                .hasMessage("interpolation must be bicubic or bilinear, found random");
        assertThatThrownBy(() -> VitPreprocessing.parseTimm(json("{'crop_mode': 'border'}")))
                .hasMessage("crop_mode must be center or squash, found border");
        assertThatThrownBy(() -> VitPreprocessing.parseTimm(json("{'input_size': [3, 32, 48]}")))
                .hasMessageStartingWith("crop_mode center is supported for square images only");
        assertThatThrownBy(() -> VitPreprocessing.parseTimm(json("{'input_size': [1, 32, 32]}")))
                .hasMessage("input_size must be [3, height, width], found [1,32,32]");
    }
}
