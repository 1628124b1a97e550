package io.fairlora.vision.synth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FaceRecipeTest {

    private static final SynthFaces FACES = SynthFaces.builder().setSize(2_000).build();

    @Test
    void changesOneAttributeAlone() {
        FaceRecipe face = FACES.recipe(0);
        FaceRecipe changed = face.with(FaceAttribute.HAIR_COLOUR, 3);
        assertThat(changed.get(FaceAttribute.HAIR_COLOUR)).isEqualTo(3);
        assertThat(changed.variation()).isEqualTo(face.variation());
        for (FaceAttribute attribute : FaceAttribute.values()) {
            if (attribute != FaceAttribute.HAIR_COLOUR) {
                assertThat(changed.get(attribute)).isEqualTo(face.get(attribute));
            }
        }
    }

    @Test
    void skinToneIsContinuousAndApartBetweenClasses() {
        for (int tone = 0; tone < 2; tone++) {
            int wanted = tone;
            double[] tones =
                    IntStream.range(0, FACES.size())
                            .mapToObj(i -> FACES.recipe(i).with(FaceAttribute.SKIN_TONE, wanted))
                            .mapToDouble(FaceRecipe::skinTone)
                            .sorted()
                            .toArray();
            double low = 0.55 * tone;
            assertThat(tones[0]).isBetween(low, low + 0.01);
            assertThat(tones[tones.length - 1]).isBetween(low + 0.44, low + 0.45);
            for (int i = 1; i < tones.length; i++) {
                assertThat(tones[i] - tones[i - 1]).isLessThan(0.01);
            }
        }
    }

    @Test
    void smileOverlapsButOrders() {
        double[] neutral = smiles(0);
        double[] smiling = smiles(1);
        double meet = 0.28;
        assertThat(IntStream.range(0, neutral.length).filter(i -> neutral[i] > meet).count())
                .isBetween(FACES.size() / 50L, FACES.size() / 8L);
        assertThat(IntStream.range(0, smiling.length).filter(i -> smiling[i] < meet).count())
                .isBetween(FACES.size() / 50L, FACES.size() / 8L);
        for (int i = 0; i < neutral.length; i++) {
            assertThat(smiling[i]).isGreaterThan(neutral[i]);
        }
    }

    private static double[] smiles(int smile) {
        return IntStream.range(0, FACES.size())
                .mapToObj(i -> FACES.recipe(i).with(FaceAttribute.SMILE, smile))
                .mapToDouble(FaceRecipe::smile)
                .toArray();
    }

    @Test
    void refusesWhatIsNotAFace() {
        FaceRecipe face = FACES.recipe(0);
        assertThatThrownBy(() -> face.with(FaceAttribute.SMILE, 2))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageContaining("class of SMILE (2)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new FaceRecipe(ImmutableMap.of(FaceAttribute.SMILE, 1), 0))
                .withMessage("the class of SKIN_TONE is missing in {SMILE=1}");
    }

    @Test
    void frequenciesOfAllClassesSumToOne() {
        for (FaceAttribute attribute : FaceAttribute.values()) {
            assertThat(
                            IntStream.range(0, attribute.classes().size())
                                    .mapToDouble(attribute::frequency)
                                    .sum())
                    .isCloseTo(1, org.assertj.core.api.Assertions.within(1e-12));
        }
    }
}
