package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FairFaceTest {

    @TempDir Path root;

    @BeforeEach
    void writeLists() throws IOException {
        Files.createDirectory(root.resolve("train"));
        Files.createDirectory(root.resolve("val"));
        for (String name :
                new String[] {"train/1.jpg", "train/3.jpg", "train/9.jpg", "val/1.jpg"}) {
            Faces.write(root.resolve(name), 3);
        }
        Files.writeString(
                root.resolve("fairface_label_train.csv"),
                String.join(
                        "\r\n",
                        "file,age,gender,race,service_test",
                        "train/1.jpg,03-Sep,Male,East Asian,TRUE",
                        "train/2.jpg,30-39,Female,Indian,FALSE",
                        "train/3.jpg,Oct-19,Female,White,FALSE",
                        "train/3.jpg,Oct-19,Female,White,FALSE"));
        Files.writeString(
                root.resolve("fairface_label_val.csv"),
                "file,age,gender,race\nval/1.jpg,more than 70,Male,Black\n");
    }

    @Test
    void readsBothParts() {
        FairFace faces = FairFace.builder().setRoot(root).build();

        assertThat(faces.size()).isEqualTo(3);
        assertThat(faces.attributes()).containsExactly("age", "gender", "race");
        assertThat(faces.images().name(2)).isEqualTo("val/1.jpg");
        assertThat(faces.labels("age")).containsExactly(1, 2, 8);
        assertThat(faces.classes("age")).startsWith("0-2", "3-9", "10-19").hasSize(9);
        assertThat(faces.labels("gender")).containsExactly(0, 1, 0);
        assertThat(faces.labels("race")).containsExactly(3, 0, 1);
        assertThat(faces.task("gender").classes()).containsExactly("Male", "Female");
    }

    @Test
    void reportsWhatIsMissing() {
        DatasetReport report = FairFace.builder().setRoot(root).build().report();

        assertThat(report.used()).isEqualTo(3);
        assertThat(report.absent()).containsExactly("train/2.jpg");
        assertThat(report.unlisted()).containsExactly("train/9.jpg");
        assertThat(report.duplicates()).containsExactly("train/3.jpg");
        assertThat(report)
                .hasToString(
                        "3 faces; 1 listed but not on disk (train/2.jpg); 1 on disk but not listed"
                                + " (train/9.jpg); 1 listed more than once (train/3.jpg)");
    }

    @Test
    void readsOnePart() {
        FairFace faces =
                FairFace.builder().setRoot(root).optPartition(Partition.VALIDATION).build();

        assertThat(faces.size()).isEqualTo(1);
        assertThat(faces.report().absent()).isEmpty();
        assertThat(faces.checked(DatasetCheck.LENIENT).report().content().unreadable()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "03-Sep, 3-9",
        "3-Sep, 3-9",
        "9-Mar, 3-9",
        "09-Mar, 3-9",
        "Mar-09, 3-9",
        "Oct-19, 10-19",
        "19-Oct, 10-19",
        "0-2, 0-2",
        "40-49, 40-49",
        "more than 70, more than 70"
    })
    void undoesWhatASpreadsheetDid(String damaged, String group) {
        assertThat(FairFace.ageGroup(damaged)).isEqualTo(group);
    }

    @Test
    void refusesAnUnknownGroup() throws IOException {
        Path list = root.resolve("fairface_label_val.csv");
        Files.writeString(list, "file,age,gender,race\nval/1.jpg,Jan-44,Male,Black\n");

        assertThatThrownBy(() -> FairFace.builder().setRoot(root).build())
                .isInstanceOf(DatasetException.class)
                .hasMessageStartingWith(
                        list + ", line 2: age is \"Jan-44\", expected one of [0-2, 3-9,");
    }

    @Test
    void refusesAnEmptyFolder(@TempDir Path empty) {
        assertThatThrownBy(() -> FairFace.builder().setRoot(empty).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(empty.resolve("fairface_label_train.csv") + ": there is no such file");
    }

    @Test
    void readsRealFaces() {
        Path real = Faces.real("fairface");
        FairFace faces = FairFace.builder().setRoot(real).optPartition(Partition.TRAIN).build();

        assertThat(faces.size() + faces.report().absent().size()).isGreaterThan(1000);
        InputSpec spec = new InputSpec(64, 64, Interpolation.BILINEAR);
        int[] first = new int[64];
        Arrays.setAll(first, i -> i);
        CachedImages cached =
                CachedImages.read(
                        faces.select(first).images(), spec, 2, Long.MAX_VALUE, done -> {});
        byte[] pixels = new byte[spec.bytes()];
        cached.read(63, spec, pixels, 0);
        assertThat(Faces.distinct(pixels)).isGreaterThan(20);
    }
}
