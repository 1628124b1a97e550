package io.fairlora.vision.transform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class AugmentationTest {

    private static final InputSpec SPEC = new InputSpec(24, 20, Interpolation.BILINEAR);
    private static final Augmentation EVERYTHING =
            Augmentation.builder()
                    .randomResizedCrop(0.3, 1)
                    .horizontalFlip(0.5)
                    .randAugment(2, 9)
                    .colourJitter(0.4, 0.4, 0.4, 0.1)
                    .build();

    @Property(tries = 200)
    void givesTheSizeAskedForOfAnyImageAndTheSameBitsForTheSameSeed(
            @ForAll @IntRange(min = 1, max = 90) int width,
            @ForAll @IntRange(min = 1, max = 90) int height,
            @ForAll long seed) {
        RgbImage image = ResizeTest.noise(3, width, height);

        RgbImage once = EVERYTHING.apply(image, SPEC, new SplittableRandom(seed));
        RgbImage again = EVERYTHING.apply(image, SPEC, new SplittableRandom(seed));

        assertThat(once.width()).isEqualTo(20);
        assertThat(once.height()).isEqualTo(24);
        assertThat(again.toByteArray()).isEqualTo(once.toByteArray());
    }

    @Test
    void nothingAskedForIsNothingChanged() {
        RgbImage image = ResizeTest.noise(3, 50, 40);
        InputSpec cropped =
                new InputSpec(
                        24,
                        20,
                        Interpolation.BICUBIC,
                        CentreCrop.ofShortestEdge(28, CentreCrop.Rounding.DOWN));

        RgbImage same =
                Augmentation.builder().build().apply(image, cropped, new SplittableRandom(1));

        assertThat(same.toByteArray()).isEqualTo(Framing.apply(image, cropped).toByteArray());
    }

    @Test
    void aCropOfAllOfASquareImageIsOfTheWholeOrALittleLess() {
        // Only a shape other than the square makes such a crop impossible, and then all is taken.
        RgbImage image = ResizeTest.noise(3, 40, 40);
        Augmentation all = Augmentation.builder().randomResizedCrop(1, 1).build();
        InputSpec spec = new InputSpec(40, 40, Interpolation.BILINEAR);

        for (int seed = 0; seed < 50; seed++) {
            assertThat(all.apply(image, spec, new SplittableRandom(seed)).toByteArray())
                    .isEqualTo(image.toByteArray());
        }
    }

    @Test
    void flipsAsOftenAsAsked() {
        RgbImage image = ResizeTest.noise(3, 20, 24);
        Augmentation flip = Augmentation.builder().horizontalFlip(0.25).build();
        int flipped = 0;
        for (int seed = 0; seed < 2000; seed++) {
            byte[] seen = flip.apply(image, SPEC, new SplittableRandom(seed)).toByteArray();
            boolean mirrored = seen[0] == image.toByteArray()[3 * 19];
            assertThat(seen).isEqualTo((mirrored ? GeometricOps.flip(image) : image).toByteArray());
            flipped += mirrored ? 1 : 0;
        }

        // Five standard deviations.
        assertThat(flipped).isBetween(500 - 97, 500 + 97);
    }

    @Test
    void drawsCropsOfAllSizesAndPlaces() {
        RgbImage image = ResizeTest.noise(3, 60, 60);
        Set<Integer> seen = new HashSet<>();
        for (int seed = 0; seed < 100; seed++) {
            byte[] pixels =
                    Augmentation.STANDARD
                            .apply(image, SPEC, new SplittableRandom(seed))
                            .toByteArray();
            seen.add(Arrays.hashCode(pixels));
        }

        assertThat(seen).hasSizeGreaterThan(98);
    }

    @Test
    void randAugmentDrawsEveryOperationInBothDirections() {
        RgbImage image = ResizeTest.noise(3, 20, 24);
        Augmentation one = Augmentation.builder().randAugment(1, 30).build();
        Set<Integer> expected = new HashSet<>();
        for (RandAugmentOp op : RandAugmentOp.values()) {
            expected.add(Arrays.hashCode(op.apply(image, 30, false).toByteArray()));
            expected.add(Arrays.hashCode(op.apply(image, 30, true).toByteArray()));
        }
        Set<Integer> seen = new HashSet<>();
        for (int seed = 0; seed < 500; seed++) {
            RgbImage drawn = one.apply(image, SPEC, new SplittableRandom(seed));
            seen.add(Arrays.hashCode(drawn.toByteArray()));
        }

        // Nine operations have two directions; to stretch noise or change nothing is the same.
        assertThat(expected).hasSizeBetween(22, 23);
        assertThat(seen).isEqualTo(expected);
    }

    @Test
    void refusesWhatIsOutOfRange() {
        assertThatThrownBy(() -> Augmentation.builder().randomResizedCrop(0, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "the area of a crop must be 0 < smallest <= largest <= 1, found 0.0 and"
                                + " 1.0");
        assertThatThrownBy(() -> Augmentation.builder().horizontalFlip(1.5))
                .hasMessage("the probability of a flip must be in [0, 1], found 1.5");
        assertThatThrownBy(() -> Augmentation.builder().colourJitter(0, 0, 0, 0.6))
                .hasMessage(
                        "jitter must be at least 0 and that of the hue at most 0.5, found 0.0,"
                                + " 0.0, 0.0, 0.6");
        assertThatThrownBy(() -> Augmentation.builder().randAugment(2, 31))
                .hasMessage("the magnitude must be in [0, 30], found 31");
    }
}
