package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CelebATest {

    @TempDir Path root;

    @BeforeEach
    void writeImages() throws IOException {
        Path images = Files.createDirectory(root.resolve("img_align_celeba"));
        for (String name : List.of("000001.jpg", "000002.jpg", "000004.jpg", "999999.jpg")) {
            Files.createFile(images.resolve(name));
        }
    }

    private void write(String file, String newline, String... lines) throws IOException {
        Files.createDirectories(root.resolve(file).getParent());
        Files.writeString(root.resolve(file), String.join(newline, lines) + newline);
    }

    private void writeOfficial(String newline) throws IOException {
        write(
                "list_attr_celeba.txt",
                newline,
                "4",
                "Smiling Male 5_o_Clock_Shadow ",
                "000001.jpg -1  1  1",
                "000002.jpg  1 -1 -1",
                "000003.jpg -1 -1  1",
                "000004.jpg  1  1 -1");
        write(
                "list_eval_partition.txt",
                newline,
                "000001.jpg 0",
                "000002.jpg 1",
                "000003.jpg 2",
                "000004.jpg 2");
        write(
                "identity_CelebA.txt",
                newline,
                "000001.jpg 2880",
                "000002.jpg 17",
                "000003.jpg 5",
                "000004.jpg 2880");
    }

    private static void assertIsRead(CelebA faces) {
        assertThat(faces.size()).isEqualTo(3);
        assertThat(faces.attributes())
                .containsExactly("Smiling", "Male", "5_o_Clock_Shadow", "identity");
        assertThat(faces.labels("Smiling")).containsExactly(0, 1, 1);
        assertThat(faces.labels("Male")).containsExactly(1, 0, 1);
        assertThat(faces.labels("5_o_Clock_Shadow")).containsExactly(1, 0, 0);
        assertThat(faces.labels("identity")).containsExactly(2880, 17, 2880);
        assertThat(faces.classes("Smiling")).containsExactly("not Smiling", "Smiling");
        assertThat(faces.partition(Partition.TRAIN).images().name(0)).isEqualTo("000001.jpg");
        assertThat(faces.partition(Partition.VALIDATION).images().name(0)).isEqualTo("000002.jpg");
        assertThat(faces.partition(Partition.TEST).size()).isEqualTo(1);
        assertThat(faces.partition(Partition.ALL).size()).isEqualTo(3);
        assertThat(faces.report().absent()).containsExactly("000003.jpg");
        assertThat(faces.report().unlisted()).containsExactly("999999.jpg");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "\r\n"})
    void readsTheOfficialLists(String newline) throws IOException {
        writeOfficial(newline);

        assertIsRead(CelebA.builder().setRoot(root).build());
    }

    @Test
    void readsTheCsvForms() throws IOException {
        write(
                "list_attr_celeba.csv",
                "\r\n",
                "image_id,Smiling,Male,5_o_Clock_Shadow",
                "000001.jpg,-1,1,1",
                "000002.jpg,1,-1,-1",
                "000003.jpg,-1,-1,1",
                "000004.jpg,1,1,-1");
        write(
                "list_eval_partition.csv",
                "\n",
                "image_id,partition",
                "000001.jpg,0",
                "000002.jpg,1",
                "000004.jpg,2");
        write("identity_CelebA.csv", "\n", "000001.jpg,2880", "000002.jpg,17", "000004.jpg,2880");

        assertIsRead(CelebA.builder().setRoot(root).build());
    }

    @Test
    void readsTheOfficialFolders() throws IOException {
        writeOfficial("\n");
        Files.createDirectories(root.resolve("Img"));
        Files.createDirectories(root.resolve("Anno"));
        Files.createDirectories(root.resolve("Eval"));
        for (String move :
                List.of(
                        "img_align_celeba:Img",
                        "list_attr_celeba.txt:Anno",
                        "identity_CelebA.txt:Anno",
                        "list_eval_partition.txt:Eval")) {
            String[] names = move.split(":", 2);
            Files.move(root.resolve(names[0]), root.resolve(names[1]).resolve(names[0]));
        }

        assertIsRead(CelebA.builder().setRoot(root).build());
    }

    @ParameterizedTest
    @ValueSource(strings = {"img_align_celeba/", "img_align_celeba/img_align_celeba/", ""})
    void readsImagesStraightFromTheZip(String folder) throws IOException {
        writeOfficial("\n");
        Path images = root.resolve("img_align_celeba");
        Faces.write(images.resolve("000001.jpg"), 70);
        CelebA unpacked = CelebA.builder().setRoot(root).build();
        byte[] expected = pixels(unpacked);
        Path staging = Files.createDirectories(root.resolve("staging").resolve(folder));
        for (String name : List.of("000001.jpg", "000002.jpg", "000004.jpg", "999999.jpg")) {
            Files.move(images.resolve(name), staging.resolve(name));
        }
        Files.delete(images);
        Path zip = root.resolve("img_align_celeba.zip");
        Zips.write(
                zip,
                root.resolve("staging"),
                folder + "000001.jpg",
                folder + "000002.jpg",
                folder + "000004.jpg",
                folder + "999999.jpg");

        CelebA faces = CelebA.builder().setRoot(root).build();

        assertIsRead(faces);
        assertThat(pixels(faces)).isEqualTo(expected);
        assertThat(faces.checked(DatasetCheck.LENIENT).report().content().unreadable())
                .containsExactly(
                        zip
                                + "!/"
                                + folder
                                + "000002.jpg: the file is empty, expected JPEG, PNG, WebP, GIF, BMP or"
                                + " TIFF",
                        zip
                                + "!/"
                                + folder
                                + "000004.jpg: the file is empty, expected JPEG, PNG, WebP, GIF, BMP or"
                                + " TIFF");
    }

    @Test
    void closesItsArchive() throws IOException {
        writeOfficial("\n");
        Path zip = root.resolve("img_align_celeba.zip");
        Path folder = root.resolve("img_align_celeba");
        Faces.write(folder.resolve("000001.jpg"), 40);
        Zips.write(zip, root, "img_align_celeba/000001.jpg");
        for (String name : Listing.files(folder)) {
            Files.delete(folder.resolve(name));
        }
        Files.delete(folder);

        try (CelebA faces = CelebA.builder().setRoot(root).build()) {
            assertThat(pixels(faces)).isNotEmpty();
            assertThat(Zips.isOpen(zip)).isTrue();
        }

        assertThat(Zips.isOpen(zip)).isFalse();
        Files.writeString(root.resolve("list_attr_celeba.txt"), "1\nSmiling\n7.jpg maybe\n");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .isInstanceOf(DatasetException.class);
        assertThat(Zips.isOpen(zip)).isFalse();
    }

    private static byte[] pixels(CelebA faces) {
        InputSpec spec = new InputSpec(8, 8, Interpolation.BILINEAR);
        byte[] pixels = new byte[spec.bytes()];
        faces.images().read(0, spec, pixels, 0);
        return pixels;
    }

    @Test
    void needsTheOtherListsOnlyWhenAsked() throws IOException {
        writeOfficial("\n");
        Files.delete(root.resolve("identity_CelebA.txt"));
        Files.delete(root.resolve("list_eval_partition.txt"));
        CelebA faces = CelebA.builder().setRoot(root).build();

        assertThat(faces.attributes()).doesNotContain("identity");
        assertThatThrownBy(() -> faces.partition(Partition.TEST))
                .isInstanceOf(DatasetException.class)
                .hasMessage(root.resolve("list_eval_partition.txt") + ": there is no such file");
        assertThatThrownBy(() -> faces.splitByIdentity(1, 0.5, 0.5))
                .isInstanceOf(DatasetException.class)
                .hasMessage(root.resolve("identity_CelebA.txt") + ": there is no such file");
    }

    @Test
    void refusesADamagedList() throws IOException {
        Path list = root.resolve("list_attr_celeba.txt");
        write("list_attr_celeba.txt", "\n", "2", "Smiling Male", "000001.jpg -1 1", "000002.jpg 1");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(list + ", line 4: 000002.jpg has 1 values, expected 2");

        write("list_attr_celeba.txt", "\n", "1", "Smiling Male", "000001.jpg -1 1 1");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .hasMessage(list + ", line 3: 000001.jpg has more than the expected 2 values");

        write("list_attr_celeba.txt", "\n", "1", "Smiling Male", "000001.jpg -1 yes");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .hasMessage(list + ", line 3: 000001.jpg has \"yes\", expected an integer");

        write("list_attr_celeba.txt", "\n", "1", "Smiling Male", "000001.jpg -1 7");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .hasMessage(list + ": Male of 000001.jpg is 7, expected -1 or 1");

        write("list_attr_celeba.txt", "\n", "9", "Smiling Male", "000001.jpg -1 1");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .hasMessage(list + ": has 1 rows, but its first line says 9");
    }

    @Test
    void refusesAFolderWithoutImagesOrList(@TempDir Path empty) throws IOException {
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(root.resolve("list_attr_celeba.txt") + ": there is no such file");
        assertThatThrownBy(() -> CelebA.builder().setRoot(empty).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(
                        empty.resolve("img_align_celeba")
                                + ": there is no such folder, nor an archive"
                                + " img_align_celeba.zip");
        write("list_attr_celeba.txt", "\n", "1", "Smiling Male", "000007.jpg -1 1");
        assertThatThrownBy(() -> CelebA.builder().setRoot(root).build())
                .hasMessage(
                        root.resolve("img_align_celeba")
                                + ": holds none of the 1 images that the list names");
    }

    @Test
    void readsRealFacesAndSplitsThemByIdentity() {
        CelebA faces = CelebA.builder().setRoot(Faces.real("celeba")).build();

        assertThat(faces.attributes()).hasSize(41);
        List<FaceDataset> parts = faces.splitByIdentity(3, 0.6, 0.2, 0.2);
        Set<Integer> before = new HashSet<>();
        int total = 0;
        for (FaceDataset part : parts) {
            Set<Integer> persons = new HashSet<>();
            Arrays.stream(part.labels("identity")).forEach(persons::add);
            for (int person : persons) {
                assertThat(before.add(person)).isTrue();
            }
            total += part.size();
        }
        assertThat(total).isEqualTo(faces.size());
        assertThat(parts.get(0).size()).isBetween((int) (0.58 * total), (int) (0.62 * total));
        assertThat(faces.splitByIdentity(3, 0.6, 0.2, 0.2).get(1).labels("identity"))
                .isEqualTo(parts.get(1).labels("identity"));
        assertThat(faces.splitByIdentity(4, 0.6, 0.2, 0.2).get(1).labels("identity"))
                .isNotEqualTo(parts.get(1).labels("identity"));
    }
}
