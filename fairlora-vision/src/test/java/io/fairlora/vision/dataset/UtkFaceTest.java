package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.vision.dataset.UtkFace.Malformed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UtkFaceTest {

    private static final String EXPECTED =
            "AGE_GENDER_RACE_TIMESTAMP.jpg.chip.jpg with gender 0 or 1 and race 0 to 4";

    @TempDir Path root;

    private void touch(String... names) throws IOException {
        for (String name : names) {
            Files.createFile(root.resolve(name));
        }
    }

    @Test
    void readsLabelsFromNames() throws IOException {
        touch(
                "100_1_0_20170112213500903.jpg.chip.jpg",
                "1_0_3_20161219140623097.jpg.chip.jpg",
                "39_0_4_20170103233459275.jpg.chip.jpg",
                "40_1_2_20170103233459275.jpg.chip.jpg",
                "notes.txt");

        UtkFace faces =
                UtkFace.builder().setRoot(root).optAgeThreshold(40).optAgeBins(20, 40, 60).build();

        assertThat(faces.attributes())
                .containsExactly("gender", "race", "age", "age>=40", "age_group");
        assertThat(faces.images().name(0)).isEqualTo("100_1_0_20170112213500903.jpg.chip.jpg");
        assertThat(faces.labels("age")).containsExactly(100, 1, 39, 40);
        assertThat(faces.labels("gender")).containsExactly(1, 0, 0, 1);
        assertThat(faces.labels("race")).containsExactly(0, 3, 4, 2);
        assertThat(faces.labels("age>=40")).containsExactly(1, 0, 0, 1);
        assertThat(faces.labels("age_group")).containsExactly(3, 0, 1, 2);
        assertThat(faces.classes("age_group")).containsExactly("0-19", "20-39", "40-59", "60+");
        assertThat(faces.classes("age")).isEmpty();
        assertThat(faces.classes("gender")).containsExactly("Male", "Female");
        assertThat(faces.report().malformed()).isEmpty();
    }

    @Test
    void reportsMalformedNames() throws IOException {
        touch(
                "24_0_1_20170116220224657.jpg.chip.jpg",
                "61_1_20170109142408075.jpg.chip.jpg",
                "25_2_1_20170109142408075.jpg.chip.jpg",
                "25_1_5_20170109142408075.jpg.chip.jpg");

        UtkFace faces = UtkFace.builder().setRoot(root).build();

        assertThat(faces.size()).isEqualTo(1);
        assertThat(faces.report().malformed())
                .containsExactly(
                        "25_1_5_20170109142408075.jpg.chip.jpg",
                        "25_2_1_20170109142408075.jpg.chip.jpg",
                        "61_1_20170109142408075.jpg.chip.jpg");
        assertThatThrownBy(
                        () ->
                                UtkFace.builder()
                                        .setRoot(root)
                                        .optMalformed(Malformed.REFUSE)
                                        .build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(
                        root
                                + ": 3 malformed names, the first is"
                                + " 25_1_5_20170109142408075.jpg.chip.jpg, expected "
                                + EXPECTED);
    }

    @Test
    void refusesAFolderWithoutFaces() {
        assertThatThrownBy(() -> UtkFace.builder().setRoot(root).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(root + ": holds no image named " + EXPECTED);
        Path absent = root.resolve("absent");
        assertThatThrownBy(() -> UtkFace.builder().setRoot(absent).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(absent + ": there is no such folder");
    }

    @Test
    void refusesBinsThatDescend() {
        assertThatThrownBy(() -> UtkFace.builder().optAgeBins(20, 10))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("age bins must be ascending and at least 1, found [20, 10]");
    }

    @Test
    void refusesAPlainNumberAsATask() throws IOException {
        touch("40_1_2_20170103233459275.jpg.chip.jpg");
        UtkFace faces = UtkFace.builder().setRoot(root).build();

        assertThatThrownBy(() -> faces.task("age"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "age is a plain number and has no classes: build the data set with a"
                                + " threshold or bins for it");
        assertThatThrownBy(() -> faces.task("Smiling"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("there is no attribute Smiling, expected one of [gender, race, age]");
    }

    @Test
    void readsRealFaces() {
        UtkFace faces =
                UtkFace.builder().setRoot(Faces.real("utkface")).optAgeThreshold(40).build();

        assertThat(faces.size()).isGreaterThan(1000);
        assertThat(Arrays.stream(faces.labels("age"))).allMatch(age -> age >= 0 && age <= 120);
        for (String attribute : new String[] {"gender", "race", "age>=40"}) {
            assertThat(Arrays.stream(faces.labels(attribute)).distinct().count())
                    .isEqualTo(faces.classes(attribute).size());
        }
        assertThatThrownBy(() -> faces.select(new int[] {0, 500, 900}).checked(DatasetCheck.STRICT))
                .isInstanceOf(DatasetException.class)
                .hasMessageStartingWith("the data set is not sound: 3 faces; 3 malformed (");
    }
}
