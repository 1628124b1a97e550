package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.io.Resources;
import io.fairlora.training.ImageReadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {

    private static byte[] resource(String name) throws IOException {
        return Resources.toByteArray(Resources.getResource(ImageDecoderTest.class, name));
    }

    private static RgbImage expected(String name) throws IOException {
        ByteBuffer golden = ByteBuffer.wrap(resource(name + ".rgb"));
        int width = golden.getShort();
        int height = golden.getShort();
        byte[] pixels = new byte[golden.remaining()];
        golden.get(pixels);
        return RgbImage.of(width, height, pixels);
    }

    private static int largestDifference(RgbImage image, RgbImage expected) {
        assertThat(image.width()).isEqualTo(expected.width());
        assertThat(image.height()).isEqualTo(expected.height());
        byte[] a = image.toByteArray();
        byte[] b = expected.toByteArray();
        int largest = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs((a[i] & 0xFF) - (b[i] & 0xFF)));
        }
        return largest;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "baseline.jpg",
                "subsampling444.jpg",
                "progressive.jpg",
                "restart.jpg",
                "adobe_rgb.jpg",
                "grey.jpg",
                "cmyk.jpg",
                "ycck.jpg",
                "icc.jpg",
                "grey_icc.jpg",
                "no_jfif.jpg",
                "ids_rgb.jpg",
                "ids_other.jpg",
                "orientation1.jpg",
                "orientation2.jpg",
                "orientation3.jpg",
                "orientation4.jpg",
                "orientation5.jpg",
                "orientation6.jpg",
                "orientation7.jpg",
                "orientation8.jpg"
            })
    void readsJpegAsPillowDoes(String name) throws IOException {
        RgbImage image = ImageDecoder.UPRIGHT.decode(resource(name), name);

        assertThat(largestDifference(image, expected(name))).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "rgb.png",
                "grey.png",
                "rgba.png",
                "grey_alpha.png",
                "palette.png",
                "bilevel.png",
                "rgb16.png",
                "rgba16.png"
            })
    void readsPngAsPillowDoes(String name) throws IOException {
        RgbImage image = ImageDecoder.UPRIGHT.decode(resource(name), name);

        assertThat(largestDifference(image, expected(name))).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "lossless.webp",
                "lossless_speckled.webp",
                "lossless_alpha.webp",
                "lossless_palette.webp",
                "lossless_icc.webp",
                "lossless_exif.webp",
                "animated.webp",
                "animated_offset.webp"
            })
    void readsWebpAsPillowDoes(String name) throws IOException {
        RgbImage image = ImageDecoder.UPRIGHT.decode(resource(name), name);

        assertThat(largestDifference(image, expected(name))).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lossy.webp", "lossy_low.webp", "lossy_alpha.webp", "lossy_exif.webp"})
    void readsLossyWebpNearlyAsPillowDoes(String name) throws IOException {
        RgbImage image = ImageDecoder.UPRIGHT.decode(resource(name), name);
        byte[] a = image.toByteArray();
        byte[] b = expected(name).toByteArray();
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.abs((a[i] & 0xFF) - (b[i] & 0xFF));
        }

        assertThat(a).hasSameSizeAs(b);
        assertThat(sum / a.length).isLessThan(6);
    }

    @Test
    void leavesTheOrientationAloneWhenAsked() throws IOException {
        RgbImage stored =
                ImageDecoder.AS_STORED.decode(resource("orientation6.jpg"), "orientation6.jpg");

        assertThat(largestDifference(stored, expected("orientation1.jpg"))).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "baseline.jpg",
                "progressive.jpg",
                "cmyk.jpg",
                "grey.jpg",
                "rgb.png",
                "lossless.webp",
                "lossy.webp",
                "animated.webp"
            })
    void refusesEveryTruncation(String name) throws IOException {
        byte[] whole = resource(name);

        for (int length = 1; length < whole.length; length++) {
            byte[] part = Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(part, name))
                    .as("%s bytes", length)
                    .isInstanceOf(ImageReadException.class)
                    .hasMessageStartingWith(name + ": ");
        }
    }

    @Test
    void refusesAJpegWhoseMiddleIsMissing() throws IOException {
        byte[] whole = resource("baseline.jpg");
        byte[] holed = Arrays.copyOf(whole, whole.length - 40);
        holed[holed.length - 2] = (byte) 0xFF;
        holed[holed.length - 1] = (byte) 0xD9;

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(holed, "face.jpg"))
                .isInstanceOf(ImageReadException.class)
                .hasMessageStartingWith("face.jpg: the file is damaged or cut short: ");
    }

    @Test
    void namesATruncatedJpeg(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("cut.jpg");
        Files.write(file, Arrays.copyOf(resource("baseline.jpg"), 700));

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(file))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(file + ": the JPEG file is cut short after 700 bytes");
    }

    @Test
    void namesATruncatedWebp() throws IOException {
        byte[] cut = Arrays.copyOf(resource("lossless.webp"), 60);

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(cut, "cut.webp"))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(
                        "cut.webp: the WebP file is damaged: it is cut short after 60 bytes of"
                                + " 126");
    }

    /** The container says that all is there; the bitstream alone tells that it is not. */
    @ParameterizedTest
    @ValueSource(strings = {"lossless_speckled.webp", "lossless_palette.webp"})
    void refusesAWebpWhoseBitstreamEndsEarly(String name) throws IOException {
        byte[] whole = resource(name);

        for (int length = 22; length < whole.length - 2; length += 2) {
            byte[] part = Arrays.copyOf(whole, length);
            ByteBuffer.wrap(part)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(4, length - 8)
                    .putInt(16, length - 20);
            assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(part, name))
                    .as("%s bytes", length)
                    .isInstanceOf(ImageReadException.class)
                    .hasMessageStartingWith(name + ": ");
        }
    }

    @Test
    void namesAFileThatIsNoImage(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("notes.jpg");
        Files.writeString(file, "no image at all", StandardCharsets.UTF_8);

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(file))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(file + ": is not an image, expected JPEG, PNG, WebP, GIF, BMP or TIFF");
    }

    @Test
    void namesAnEmptyAndAnAbsentFile(@TempDir Path folder) throws IOException {
        Path empty = Files.createFile(folder.resolve("empty.jpg"));

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(empty))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(
                        empty + ": the file is empty, expected JPEG, PNG, WebP, GIF, BMP or TIFF");
        Path absent = folder.resolve("absent.jpg");
        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(absent))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(absent + ": there is no such file");
    }
}
