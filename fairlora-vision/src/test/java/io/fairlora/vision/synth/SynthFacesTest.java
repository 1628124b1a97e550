package io.fairlora.vision.synth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.Images;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class SynthFacesTest {

    private static final InputSpec SMALL = new InputSpec(64, 64, Interpolation.BILINEAR);
    private static final InputSpec LARGE = new InputSpec(128, 128, Interpolation.BILINEAR);

    private static byte[] read(Images images, int index, InputSpec spec) {
        byte[] bytes = new byte[spec.bytes()];
        images.read(index, spec, bytes, 0);
        return bytes;
    }

    private static byte[] draw(FaceRecipe recipe, InputSpec spec) {
        byte[] bytes = new byte[spec.bytes()];
        SynthFaces.draw(recipe, spec, bytes, 0);
        return bytes;
    }

    private static SynthFaces faces(int size, long seed) {
        return SynthFaces.builder().setSize(size).optSeed(seed).build();
    }

    /** In levels, over all bytes. */
    private static double meanDifference(byte[] a, byte[] b) {
        return IntStream.range(0, a.length)
                .map(i -> Math.abs((a[i] & 0xFF) - (b[i] & 0xFF)))
                .average()
                .orElseThrow();
    }

    /** Five standard deviations of a frequency. */
    private static double bound(double probability, int trials) {
        return 5 * Math.sqrt(probability * (1 - probability) / trials) + 1e-9;
    }

    @Test
    void sameSeedGivesSameFaces() {
        SynthFaces faces = faces(20, 7);
        SynthFaces again = faces(20, 7);
        for (int i = 0; i < 20; i++) {
            assertThat(again.recipe(i)).isEqualTo(faces.recipe(i));
            assertThat(read(again.images(), i, SMALL)).isEqualTo(read(faces.images(), i, SMALL));
        }
    }

    @Test
    void everyFaceIsAnother() {
        List<String> pictures =
                IntStream.range(0, 100)
                        .mapToObj(
                                i ->
                                        Arrays.toString(
                                                read(faces(50, i / 50).images(), i % 50, SMALL)))
                        .toList();
        assertThat(pictures).doesNotHaveDuplicates();
    }

    @Test
    void largerSetBeginsWithSmallerOne() {
        SynthFaces few = faces(10, 3);
        SynthFaces many = faces(1000, 3);
        for (int i = 0; i < 10; i++) {
            assertThat(many.recipe(i)).isEqualTo(few.recipe(i));
        }
    }

    @Test
    void threadsDoNotDisturbEachOther() {
        Images images = faces(64, 5).images();
        List<byte[]> alone = IntStream.range(0, 64).mapToObj(i -> read(images, i, SMALL)).toList();
        List<byte[]> together =
                IntStream.range(0, 64).parallel().mapToObj(i -> read(images, i, SMALL)).toList();
        for (int i = 0; i < 64; i++) {
            assertThat(together.get(i)).isEqualTo(alone.get(i));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "SMILE, SKIN_TONE, 0.9",
        "SMILE, SKIN_TONE, 0.5",
        "GLASSES, HAIR_LENGTH, 0.1",
        "SKIN_TONE, SMILE, 1",
        "HAT, AGE_LINES, 0",
        "HAIR_COLOUR, HAIR_LENGTH, 0.7",
        "SMILE, HAIR_COLOUR, 0.8",
        "POSE, HAIR_COLOUR, 0.6"
    })
    void taskFollowsSensitiveAttributeAsStronglyAsAsked(
            FaceAttribute task, FaceAttribute sensitive, double correlation) {
        int size = 20_000;
        SynthFaces faces =
                SynthFaces.builder()
                        .setSize(size)
                        .optSeed(1)
                        .optTask(task)
                        .optSensitive(sensitive)
                        .optCorrelation(correlation)
                        .build();
        int taskClasses = faces.classes(task).size();
        int sensitiveClasses = faces.classes(sensitive).size();
        int[] labels = faces.labels(task);
        int[] groups = faces.labels(sensitive);
        int[][] counts = new int[sensitiveClasses][taskClasses];
        for (int i = 0; i < size; i++) {
            counts[groups[i]][labels[i]]++;
        }
        for (int s = 0; s < sensitiveClasses; s++) {
            int group = Arrays.stream(counts[s]).sum();
            double share = 1.0 / sensitiveClasses;
            assertThat((double) group / size).isCloseTo(share, within(bound(share, size)));
            for (int y = 0; y < taskClasses; y++) {
                double expected =
                        y == s % taskClasses ? correlation : (1 - correlation) / (taskClasses - 1);
                assertThat((double) counts[s][y] / group)
                        .as("P(%s = %s | %s = %s)", task, y, sensitive, s)
                        .isCloseTo(expected, within(bound(expected, group)));
            }
        }
    }

    @Property(tries = 40)
    void favouredClassIsAsFrequentAsAskedForAnyPair(
            @ForAll FaceAttribute task,
            @ForAll FaceAttribute sensitive,
            @ForAll @DoubleRange(min = 0, max = 1) double correlation,
            @ForAll long seed) {
        Assume.that(task != sensitive);
        int size = 2_000;
        SynthFaces faces =
                SynthFaces.builder()
                        .setSize(size)
                        .optSeed(seed)
                        .optTask(task)
                        .optSensitive(sensitive)
                        .optCorrelation(correlation)
                        .build();
        int classes = faces.classes(task).size();
        long favoured =
                IntStream.range(0, size)
                        .filter(
                                i ->
                                        faces.attribute(task, i)
                                                == faces.attribute(sensitive, i) % classes)
                        .count();
        assertThat((double) favoured / size)
                .isCloseTo(correlation, within(bound(correlation, size) + 1.0 / size));
    }

    @ParameterizedTest
    @EnumSource(FaceAttribute.class)
    void otherAttributesAreIndependentOfTaskAndSensitiveAttribute(FaceAttribute other) {
        int size = 40_000;
        SynthFaces.Builder builder = SynthFaces.builder().setSize(size).optCorrelation(0.9);
        if (other == FaceAttribute.SMILE || other == FaceAttribute.SKIN_TONE) {
            builder.optTask(FaceAttribute.GLASSES).optSensitive(FaceAttribute.HAT);
        }
        SynthFaces faces = builder.build();
        int[] labels = faces.labels(other);
        int[] task = faces.labels(faces.task());
        int[] sensitive = faces.labels(faces.sensitive());
        for (int cell = 0; cell < 4; cell++) {
            int y = cell / 2;
            int s = cell % 2;
            int[] within =
                    IntStream.range(0, size)
                            .filter(i -> task[i] == y && sensitive[i] == s)
                            .map(i -> labels[i])
                            .toArray();
            for (int c = 0; c < other.classes().size(); c++) {
                int wanted = c;
                double share =
                        (double) Arrays.stream(within).filter(v -> v == wanted).count()
                                / within.length;
                assertThat(share)
                        .as("P(%s = %s | y = %s, s = %s)", other, c, y, s)
                        .isCloseTo(
                                other.frequency(c),
                                within(bound(other.frequency(c), within.length)));
            }
        }
    }

    @Test
    void withoutCorrelationTheTaskIsIndependent() {
        SynthFaces faces =
                SynthFaces.builder().setSize(1).optTask(FaceAttribute.HAIR_COLOUR).build();
        assertThat(faces.correlation()).isEqualTo(0.2);
        assertThat(faces(1, 0).correlation()).isEqualTo(0.5);
    }

    @ParameterizedTest
    @EnumSource(FaceAttribute.class)
    void everyAttributeShows(FaceAttribute attribute) {
        SynthFaces faces = faces(12, 9);
        for (int i = 0; i < faces.size(); i++) {
            // Without glasses and hat, which hide others in part.
            FaceRecipe face =
                    faces.recipe(i).with(FaceAttribute.HAT, 0).with(FaceAttribute.GLASSES, 0);
            byte[] first = draw(face.with(attribute, 0), SMALL);
            for (int c = 1; c < attribute.classes().size(); c++) {
                byte[] other = draw(face.with(attribute, c), SMALL);
                int visible = 0;
                for (int b = 0; b < first.length; b++) {
                    visible += Math.abs((first[b] & 0xFF) - (other[b] & 0xFF)) >= 6 ? 1 : 0;
                }
                assertThat(visible)
                        .as("bytes changed by %s of face %s", attribute.classes().get(c), i)
                        .isGreaterThan(30);
            }
        }
    }

    @Test
    void skinToneOutshinesSmile() {
        SynthFaces faces = faces(20, 4);
        for (int i = 0; i < faces.size(); i++) {
            FaceRecipe face = faces.recipe(i);
            assertThat(change(face, FaceAttribute.SKIN_TONE))
                    .isGreaterThan(3 * change(face, FaceAttribute.SMILE));
        }
    }

    private static double change(FaceRecipe face, FaceAttribute attribute) {
        return meanDifference(
                draw(face.with(attribute, 0), SMALL), draw(face.with(attribute, 1), SMALL));
    }

    @Test
    void sizeDoesNotChangeTheFace() {
        Images images = faces(20, 6).images();
        for (int i = 0; i < 20; i++) {
            byte[] large = read(images, i, LARGE);
            byte[] averaged = new byte[SMALL.bytes()];
            for (int at = 0; at < averaged.length; at++) {
                int corner = at / 64 * 2 * 128 + at % 64 * 2;
                int sum = 0;
                for (int step : new int[] {0, 1, 128, 129}) {
                    sum += large[corner + step] & 0xFF;
                }
                averaged[at] = (byte) Math.round(sum / 4f);
            }
            byte[] small = read(images, i, SMALL);
            assertThat(meanDifference(averaged, small))
                    .isLessThan(6)
                    .isLessThan(meanDifference(read(images, (i + 1) % 20, SMALL), small) / 3);
        }
    }

    @Test
    void writesAtTheOffsetAndNowhereElse() {
        Images images = faces(1, 0).images();
        InputSpec wide = new InputSpec(20, 31, Interpolation.BILINEAR);
        byte[] target = new byte[wide.bytes() + 9];
        Arrays.fill(target, (byte) 77);
        images.read(0, wide, target, 4);
        assertThat(Arrays.copyOfRange(target, 4, 4 + wide.bytes()))
                .isEqualTo(read(images, 0, wide));
        assertThat(Arrays.copyOf(target, 4)).containsOnly(77);
        assertThat(Arrays.copyOfRange(target, 4 + wide.bytes(), target.length)).containsOnly(77);
    }

    @Test
    void drawsASinglePixel() {
        InputSpec pixel = new InputSpec(1, 1, Interpolation.BILINEAR);
        assertThat(read(faces(1, 0).images(), 0, pixel)).hasSize(3);
    }

    @Test
    void imagesGiveNoWayToTheLabels() {
        Images images = faces(3, 8).images();
        assertThat(images).isNotInstanceOf(SynthFaces.class);
        assertThat(images.size()).isEqualTo(3);
        assertThat(images.name(2)).isEqualTo("synthetic face 2 of seed 8");
        assertThat(images.getClass().getDeclaredMethods())
                .extracting(method -> method.getName())
                .containsOnly("size", "name", "read");
    }

    @Test
    void refusesNonsenseWithASentence() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SynthFaces.builder().build())
                .withMessage("the number of faces is missing, call setSize");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SynthFaces.builder().setSize(0))
                .withMessage("size must be at least 1, found 0");
        for (double wrong : new double[] {-0.1, 1.01, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SynthFaces.builder().optCorrelation(wrong))
                    .withMessage("correlation must be a probability from 0 to 1, found " + wrong);
        }
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                SynthFaces.builder()
                                        .setSize(1)
                                        .optTask(FaceAttribute.SKIN_TONE)
                                        .build())
                .withMessage("task and sensitive attribute must differ, found SKIN_TONE for both");
    }

    @Test
    void refusesFacesAndArraysThatAreNotThere() {
        SynthFaces faces = faces(3, 0);
        assertThatThrownBy(() -> faces.recipe(3)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> faces.attribute(FaceAttribute.HAT, -1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> faces.images().name(3))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> faces.images().read(0, SMALL, new byte[SMALL.bytes()], 1))
                .withMessage("an image of 12288 bytes does not fit at 1 into an array of 12288");
    }
}
