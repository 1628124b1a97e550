package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.TaskImages;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFolderTest {

    @TempDir Path root;
    private Path labels;

    @BeforeEach
    void write() throws IOException {
        Files.createDirectory(root.resolve("a"));
        Faces.write(root.resolve("a/1.jpg"), 10);
        Faces.write(root.resolve("a/2.jpg"), 200);
        Faces.write(root.resolve("3.jpg"), 90);
        labels = root.resolve("labels.csv");
        Files.writeString(
                labels,
                "\uFEFF"
                        + """
                        file,outcome,level,person
                        a/1.jpg,grant,10,7
                        a/2.jpg,deny,9,7
                        3.jpg,,2,8
                        4.jpg,deny,2,9
                        """);
    }

    @Test
    void readsEveryColumn() {
        ImageFolder faces = ImageFolder.builder().setRoot(root).setLabels(labels).build();

        assertThat(faces.attributes()).containsExactly("outcome", "level", "person");
        assertThat(faces.classes("outcome")).containsExactly("deny", "grant");
        assertThat(faces.labels("outcome")).containsExactly(1, 0, -1);
        assertThat(faces.classes("level")).containsExactly("2", "9", "10");
        assertThat(faces.labels("level")).containsExactly(2, 1, 0);
        assertThat(faces.report().absent()).containsExactly("4.jpg");
        assertThat(faces.report().used()).isEqualTo(3);
    }

    @Test
    void takesOrderNumbersAndColumnsFromTheCaller() {
        ImageFolder faces =
                ImageFolder.builder()
                        .setRoot(root)
                        .setLabels(labels)
                        .optFileColumn("file")
                        .optLabelColumns("outcome", "person")
                        .optNumberColumns("person")
                        .optClasses("outcome", List.of("grant", "deny"))
                        .build();

        assertThat(faces.attributes()).containsExactly("outcome", "person");
        assertThat(faces.labels("outcome")).containsExactly(0, 1, -1);
        assertThat(faces.labels("person")).containsExactly(7, 7, 8);
        assertThat(faces.classes("person")).isEmpty();
    }

    @Test
    void closesItsArchive() throws IOException {
        Path zip = root.resolve("faces.zip");
        Zips.write(zip, root, "a/1.jpg", "a/2.jpg", "3.jpg");
        InputSpec spec = new InputSpec(8, 8, Interpolation.BILINEAR);
        byte[] pixels = new byte[spec.bytes()];
        FaceDataset cached;
        FaceDataset selected;
        try (ImageFolder faces = ImageFolder.builder().setRoot(zip).setLabels(labels).build()) {
            assertThat(Zips.isOpen(zip)).isTrue();
            cached =
                    faces.withImages(
                            CachedImages.read(faces.images(), spec, 1, Long.MAX_VALUE, n -> {}));
            selected = faces.checked(DatasetCheck.LENIENT).select(new int[] {1});
            selected.images().read(0, spec, pixels, 0);
        }

        assertThat(Zips.isOpen(zip)).isFalse();
        assertThatThrownBy(() -> selected.images().read(0, spec, pixels, 0))
                .isInstanceOf(ImageReadException.class)
                .hasMessage(
                        zip
                                + "!/"
                                + selected.images().name(0)
                                + ": cannot be read: its data set"
                                + " was closed");
        cached.images().read(0, spec, pixels, 0);
        cached.close();
        selected.close();

        ImageFolder plain = ImageFolder.builder().setRoot(root).setLabels(labels).build();
        plain.close();
        plain.images().read(0, spec, pixels, 0);

        try (FileSystem own = FileSystems.newFileSystem(zip)) {
            ImageFolder.builder().setRoot(own.getPath("/")).setLabels(labels).build().close();
            assertThat(own.isOpen()).isTrue();
        }
    }

    @Test
    void leavesNoArchiveOpenThatIsOfNoUse() throws IOException {
        Path zip = root.resolve("faces.zip");
        Zips.write(zip, root, "3.jpg");
        Path other = Files.writeString(root.resolve("other.csv"), "file,smiling\nx.jpg,yes\n");

        assertThatThrownBy(() -> ImageFolder.builder().setRoot(zip).setLabels(other).build())
                .isInstanceOf(DatasetException.class);
        assertThat(Zips.isOpen(zip)).isFalse();
    }

    @Test
    void refusesATaskWithUnknownLabelsAndLeavesThemOutWhenAsked() {
        ImageFolder faces = ImageFolder.builder().setRoot(root).setLabels(labels).build();

        assertThatThrownBy(() -> faces.task("outcome"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "1 of 3 faces have no outcome (the first is 3.jpg): leave them out with"
                                + " labelled(\"outcome\")");
        TaskImages task = faces.labelled("outcome", "level").task("outcome");
        assertThat(task.size()).isEqualTo(2);
        assertThat(task.label(0)).isEqualTo(1);
        byte[] pixels = new byte[3];
        task.images().read(1, new InputSpec(1, 1, Interpolation.BILINEAR), pixels, 0);
        assertThat(pixels[0] & 0xFF).isBetween(198, 202);
    }

    @Test
    void refusesWhatItDoesNotUnderstand() {
        assertThatThrownBy(
                        () ->
                                ImageFolder.builder()
                                        .setRoot(root)
                                        .setLabels(labels)
                                        .optClasses("outcome", List.of("no", "grant"))
                                        .build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(labels + ", line 3: outcome is \"deny\", expected one of [no, grant]");
        assertThatThrownBy(
                        () ->
                                ImageFolder.builder()
                                        .setRoot(root)
                                        .setLabels(labels)
                                        .optLabelColumns("gender")
                                        .build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(
                        labels
                                + ": there is no column gender, found [file, outcome, level,"
                                + " person]");
    }

    @Test
    void refusesARowWithTooFewCells() throws IOException {
        Files.writeString(labels, "file,outcome\na/1.jpg\n");

        assertThatThrownBy(() -> ImageFolder.builder().setRoot(root).setLabels(labels).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(labels + ", line 2: has 1 cells, expected 2");
    }

    @Test
    void findsUnreadableImages() throws IOException {
        Files.writeString(root.resolve("a/2.jpg"), "no image");

        ImageFolder faces = ImageFolder.builder().setRoot(root).setLabels(labels).build();

        FaceDataset checked = faces.checked(DatasetCheck.LENIENT);

        assertThat(checked.size()).isEqualTo(faces.size() - 1);
        assertThat(checked.report().content().unreadable())
                .containsExactly(
                        root.resolve("a/2.jpg")
                                + ": is not an image, expected JPEG, PNG, WebP, GIF, BMP or TIFF");
    }

    @Test
    void readsJsonLines() throws IOException {
        Path json = root.resolve("labels.jsonl");
        Files.writeString(
                json,
                """
                {"file_name": "a/1.jpg", "outcome": "grant", "level": 2}

                {"level": 10, "file_name": "a/2.jpg", "outcome": null, "smiling": true}
                {"file_name": "absent.jpg", "outcome": "deny"}
                """);

        ImageFolder faces = ImageFolder.builder().setRoot(root).setLabels(json).build();

        assertThat(faces.attributes()).containsExactly("outcome", "level", "smiling");
        assertThat(faces.classes("outcome")).containsExactly("grant");
        assertThat(faces.labels("outcome")).containsExactly(0, -1);
        assertThat(faces.classes("level")).containsExactly("2", "10");
        assertThat(faces.labels("level")).containsExactly(0, 1);
        assertThat(faces.labels("smiling")).containsExactly(-1, 0);
        assertThat(faces.report().absent()).containsExactly("absent.jpg");
    }

    @Test
    void refusesLinesThatAreNotJsonObjects() throws IOException {
        Path json = root.resolve("labels.jsonl");
        Files.writeString(json, "{\"file\": \"a/1.jpg\"}\n[1]\n");
        assertThatThrownBy(() -> ImageFolder.builder().setRoot(root).setLabels(json).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(json + ", line 2: is not a JSON object");

        Files.writeString(json, "{\"file\": \"a/1.jpg\", \"box\": [1, 2]}\n");
        assertThatThrownBy(() -> ImageFolder.builder().setRoot(root).setLabels(json).build())
                .isInstanceOf(DatasetException.class)
                .hasMessage(json + ", line 1: box is [1,2], expected a text or a number");

        Files.writeString(json, "{\"file\": \"a/1.jpg\"\n");
        assertThatThrownBy(() -> ImageFolder.builder().setRoot(root).setLabels(json).build())
                .isInstanceOf(DatasetException.class)
                .hasMessageStartingWith(json + ", line 1: is not a JSON object: ");
    }

    @Test
    void readsAZipWithoutUnpackingIt() throws IOException {
        Path zip = root.resolve("faces.zip");
        Zips.write(zip, root, "a/1.jpg", "a/2.jpg", "3.jpg");
        ImageFolder folder = ImageFolder.builder().setRoot(root).setLabels(labels).build();

        ImageFolder faces = ImageFolder.builder().setRoot(zip).setLabels(labels).build();

        assertThat(faces.size()).isEqualTo(folder.size());
        assertThat(faces.report().absent()).isEqualTo(folder.report().absent());
        InputSpec spec = new InputSpec(8, 9, Interpolation.BICUBIC);
        for (int i = 0; i < faces.size(); i++) {
            byte[] zipped = new byte[spec.bytes()];
            byte[] plain = new byte[spec.bytes()];
            faces.images().read(i, spec, zipped, 0);
            folder.images().read(i, spec, plain, 0);
            assertThat(zipped).isEqualTo(plain);
        }
    }

    @Test
    void namesAFileThatIsDamagedInTheZip() throws IOException {
        Path zip = root.resolve("faces.zip");
        Zips.write(zip, root, "a/1.jpg", "a/2.jpg", "3.jpg");
        byte[] bytes = Files.readAllBytes(zip);
        bytes[Zips.find(bytes, "a/1.jpg") + 400] ^= 1;
        Files.write(zip, bytes);
        ImageFolder faces = ImageFolder.builder().setRoot(zip).setLabels(labels).build();

        assertThat(faces.checked(DatasetCheck.LENIENT).report().content().unreadable())
                .containsExactly(
                        zip
                                + "!/a/1.jpg: is damaged: the archive has another checksum for"
                                + " it");
    }

    @Test
    void refusesAFileThatIsNoZip() throws IOException {
        Path zip = Files.writeString(root.resolve("faces.zip"), "no zip");

        assertThatThrownBy(() -> ImageFolder.builder().setRoot(zip).setLabels(labels).build())
                .isInstanceOf(DatasetException.class)
                .hasMessageStartingWith(zip + ": is not a zip archive: ");
    }
}
