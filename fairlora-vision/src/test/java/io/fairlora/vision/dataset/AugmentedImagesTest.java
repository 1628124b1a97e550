package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.Images;
import io.fairlora.vision.synth.SynthFaces;
import io.fairlora.vision.transform.Augmentation;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AugmentedImagesTest {

    private static final InputSpec SPEC = new InputSpec(32, 32, Interpolation.BILINEAR);
    private static final Augmentation AUGMENTATION =
            Augmentation.builder()
                    .randomResizedCrop(0.5, 1)
                    .horizontalFlip(0.5)
                    .colourJitter(0.2, 0.2, 0.2, 0.1)
                    .build();

    private final Images plain = SynthFaces.builder().setSize(6).build().images();
    private final AugmentedImages augmented = AugmentedImages.of(plain, AUGMENTATION);

    private static byte[] pixels(Images images, int index) {
        byte[] pixels = new byte[SPEC.bytes()];
        images.read(index, SPEC, pixels, 0);
        return pixels;
    }

    @Test
    void measuringSeesTheImagesAsTheyAre() {
        assertThat(augmented.size()).isEqualTo(6);
        assertThat(augmented.name(2)).isEqualTo(plain.name(2));
        assertThat(pixels(augmented, 2)).isEqualTo(pixels(plain, 2));
    }

    @Test
    void everyEpochSeedAndExampleHasItsOwnDraw() {
        Set<Integer> seen = new HashSet<>();
        for (long seed = 0; seed < 4; seed++) {
            for (int epoch = 0; epoch < 4; epoch++) {
                for (int i = 0; i < 6; i++) {
                    seen.add(Arrays.hashCode(pixels(augmented.forEpoch(seed, epoch), i)));
                }
            }
        }

        assertThat(seen).hasSize(4 * 4 * 6);
    }

    @Test
    void theDrawIsTheExamplesWhateverTheOrderAndTheThread() {
        Images epoch = augmented.forEpoch(5, 2);
        byte[][] inOrder = new byte[6][];
        for (int i = 0; i < 6; i++) {
            inOrder[i] = pixels(epoch, i);
        }
        byte[][] parallel = new byte[6][];
        ParallelReads.run(
                6, 3, i -> parallel[5 - i] = pixels(augmented.forEpoch(5, 2), 5 - i), n -> {});
        assertThat(parallel).isDeepEqualTo(inOrder);

        Images selected = augmented.select(new int[] {4, 1}).select(new int[] {1});
        assertThat(pixels(selected.forEpoch(5, 2), 0)).isEqualTo(inOrder[1]);
        assertThat(pixels(selected, 0)).isEqualTo(pixels(plain, 1));
    }

    @Test
    void saysHowThePixelsComeAboutThroughWhateverLiesOver() {
        FileImages files = FileImages.of(Path.of("faces"), List.of("a.jpg", "b.jpg"));
        String stored = "ImageDecoder[upright=true, tolerant=false]";
        assertThat(files.describe()).isEqualTo(stored);
        assertThat(files.withCentreCrop(0.5, 1).describe())
                .isEqualTo(stored + ", the middle 0.5 x 1.0");
        Images changed =
                CachedImages.read(augmented, SPEC, 1, Long.MAX_VALUE, read -> {})
                        .select(new int[] {2, 3});
        assertThat(changed.describe())
                .isEqualTo(
                        "as they are, Augmentation[area=0.5..1.0, flip=0.5, randAugment=0 x 0,"
                                + " jitter=[0.2, 0.2, 0.2, 0.1]]");
        assertThat(augmented.describe()).isNotEqualTo(plain.describe());
    }

    @Test
    void aSelectionOfPlainImagesStaysItself() {
        Images selected = plain.select(new int[] {1});

        assertThat(selected.forEpoch(1, 1)).isSameAs(selected);
    }
}
