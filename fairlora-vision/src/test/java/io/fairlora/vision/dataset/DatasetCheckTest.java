package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.hash.Hashing;
import com.google.common.io.Resources;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.ImageDecoder;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetCheckTest {

    private static final int BAD = 200;
    private static final int SOUND = 50;

    /** What is done to a file. */
    private enum Damage {
        CUT,
        FLIPPED_BIT,
        RENAMED_PNG,
        ZEROS,
        EMPTY;

        byte[] of(byte[] whole, SplittableRandom random) throws IOException {
            byte[] bad = whole.clone();
            int at = random.nextInt(whole.length);
            switch (this) {
                case CUT -> bad = Arrays.copyOf(whole, 1 + at * (whole.length - 1) / whole.length);
                case FLIPPED_BIT -> bad[at] ^= (byte) (1 << random.nextInt(8));
                case RENAMED_PNG -> bad = asPng(whole);
                case ZEROS -> Arrays.fill(bad, at, Math.min(at + 64, bad.length), (byte) 0);
                case EMPTY -> bad = new byte[0];
            }
            return bad;
        }
    }

    private static byte[] asPng(byte[] jpeg) throws IOException {
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(ImageIO.read(new ByteArrayInputStream(jpeg)), "png", png);
        return png.toByteArray();
    }

    /** Pictures of blocks, each unlike the others. */
    private static Map<String, byte[]> drawn() throws IOException {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int i = 0; i < BAD + SOUND; i++) {
            SplittableRandom random = new SplittableRandom(i);
            BufferedImage image = new BufferedImage(61, 47, BufferedImage.TYPE_INT_RGB);
            for (int y = 0; y < 47; y += 4) {
                for (int x = 0; x < 61; x += 5) {
                    int colour = random.nextInt(1 << 24);
                    for (int p = 0; p < 20; p++) {
                        image.setRGB(Math.min(60, x + p % 5), Math.min(46, y + p / 5), colour);
                    }
                }
            }
            ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
            ImageIO.write(image, "jpg", jpeg);
            files.put(String.format("%03d.jpg", i), jpeg.toByteArray());
        }
        return files;
    }

    private static Map<String, byte[]> real() throws IOException {
        Path folder = Faces.real("utkface");
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : Listing.files(folder).subList(0, BAD + SOUND)) {
            files.put(name, Files.readAllBytes(folder.resolve(name)));
        }
        return files;
    }

    private static void writeDigests(Map<String, byte[]> files, Path list) throws IOException {
        List<String> lines = new ArrayList<>();
        files.forEach((name, file) -> lines.add(Hashing.sha256().hashBytes(file) + "  " + name));
        Files.write(list, lines, StandardCharsets.UTF_8);
    }

    private static FaceDataset dataset(Path folder, Iterable<String> names) {
        List<String> list = new ArrayList<>();
        names.forEach(list::add);
        return FaceDataset.of(FileImages.of(folder, list));
    }

    private static void readAll(Images images) {
        InputSpec spec = new InputSpec(16, 16, Interpolation.BILINEAR);
        IntStream.range(0, images.size())
                .forEach(i -> images.read(i, spec, new byte[spec.bytes()], 0));
    }

    @Test
    void namesEveryDamagedDrawing(@TempDir Path folder) throws IOException {
        namesEveryDamagedFile(drawn(), folder);
    }

    @Test
    void namesEveryDamagedRealFace(@TempDir Path folder) throws IOException {
        namesEveryDamagedFile(real(), folder);
    }

    private static void namesEveryDamagedFile(Map<String, byte[]> files, Path folder)
            throws IOException {
        Path digests = folder.resolve("SHA256SUMS");
        writeDigests(files, digests);
        SplittableRandom random = new SplittableRandom(20);
        Map<String, Damage> damage = new LinkedHashMap<>();
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            byte[] content = file.getValue();
            if (damage.size() < BAD) {
                Damage kind = Damage.values()[damage.size() % Damage.values().length];
                damage.put(file.getKey(), kind);
                content = kind.of(content, random);
            }
            Files.write(folder.resolve(file.getKey()), content);
        }
        FaceDataset faces = dataset(folder, files.keySet());

        FaceDataset lenient = faces.checked(DatasetCheck.LENIENT.withThreads(2));

        DatasetReport.Content seen = lenient.report().content();
        assertThat(seen.checked()).isEqualTo(files.size());
        readAll(lenient.images());
        damage.forEach(
                (name, kind) -> {
                    boolean named =
                            seen.unreadable().stream()
                                    .anyMatch(sentence -> sentence.contains("/" + name + ": "));
                    switch (kind) {
                        case CUT, EMPTY -> assertThat(named).as("%s %s", name, kind).isTrue();
                        case RENAMED_PNG -> assertThat(seen.misnamed()).contains(name);
                        // Of these a decoder sees only what breaks the code or the structure.
                        case FLIPPED_BIT, ZEROS -> {}
                    }
                });
        List<String> used =
                IntStream.range(0, lenient.size()).mapToObj(lenient.images()::name).toList();
        assertThat(used).containsAll(List.copyOf(files.keySet()).subList(BAD, BAD + SOUND));
        assertThat(lenient.size() + seen.unreadable().size()).isEqualTo(files.size());

        // With digests every file that is not what it was is left out.
        FaceDataset known = faces.checked(DatasetCheck.LENIENT.withDigests(digests));
        assertThat(known.size()).isEqualTo(SOUND);
        DatasetReport.Content compared = known.report().content();
        assertThat(compared.unreadable()).isEqualTo(seen.unreadable());
        assertThat(compared.altered().size() + compared.unreadable().size()).isEqualTo(BAD);

        DatasetCheck strict = DatasetCheck.STRICT.withDigests(digests);
        assertThatThrownBy(() -> faces.checked(strict))
                .isInstanceOf(DatasetException.class)
                .hasMessageStartingWith("the data set is not sound: " + SOUND + " faces; ");
        // Strict mode lets none of them pass alone, either.
        for (String name : damage.keySet()) {
            assertThatThrownBy(() -> dataset(folder, List.of(name)).checked(strict))
                    .as(name)
                    .isInstanceOf(DatasetException.class)
                    .hasMessageContaining(name);
        }
    }

    @Test
    void allRealFacesAreSound() {
        UtkFace faces = UtkFace.builder().setRoot(Faces.real("utkface")).build();
        int[] read = new int[1];

        FaceDataset checked =
                faces.checked(DatasetCheck.LENIENT.withThreads(2).withListener(n -> read[0] = n));

        DatasetReport.Content content = checked.report().content();
        assertThat(content.unreadable()).isEmpty();
        assertThat(content.misnamed()).isEmpty();
        assertThat(read[0]).isEqualTo(faces.size());
        assertThat(checked.size()).isEqualTo(faces.size());
        assertThat(checked.labels("age")).isEqualTo(faces.labels("age"));
        assertThat(checked.report().malformed()).isEqualTo(faces.report().malformed());
    }

    @Test
    void namesCopies(@TempDir Path folder) throws IOException {
        Faces.write(folder.resolve("1.jpg"), 10);
        Faces.write(folder.resolve("2.jpg"), 200);
        Files.copy(folder.resolve("1.jpg"), folder.resolve("3.jpg"));
        FaceDataset faces = dataset(folder, List.of("1.jpg", "2.jpg", "3.jpg"));

        FaceDataset checked = faces.checked(DatasetCheck.LENIENT);

        assertThat(checked.size()).isEqualTo(3);
        assertThat(checked.report().content().copies()).containsExactly("3.jpg (as 1.jpg)");
        assertThat(checked.report().problems()).isEqualTo(1);
        assertThat(checked.report())
                .hasToString("3 faces; 1 with the bytes of another (3.jpg (as 1.jpg))");
        assertThatThrownBy(() -> faces.checked(DatasetCheck.STRICT))
                .isInstanceOf(DatasetException.class)
                .hasMessage(
                        "the data set is not sound: 3 faces; 1 with the bytes of another"
                                + " (3.jpg (as 1.jpg))");
        assertThat(
                        faces.select(new int[] {0, 1, 0})
                                .checked(DatasetCheck.STRICT)
                                .report()
                                .content()
                                .copies())
                .isEmpty();
    }

    @Test
    void namesWhatIsWrongWithWebp(@TempDir Path folder) throws IOException {
        byte[] whole =
                Resources.toByteArray(Resources.getResource(ImageDecoder.class, "lossless.webp"));
        Files.write(folder.resolve("a.webp"), whole);
        Files.write(folder.resolve("b.webp"), Arrays.copyOf(whole, 100));
        Files.write(folder.resolve("c.jpg"), whole);
        Files.write(folder.resolve("unlisted.webp"), whole);
        Path labels = folder.resolve("labels.csv");
        Files.writeString(labels, "file,mood\na.webp,glum\nb.webp,glum\nc.jpg,merry\n");
        FaceDataset faces = ImageFolder.builder().setRoot(folder).setLabels(labels).build();

        DatasetReport report = faces.checked(DatasetCheck.LENIENT).report();

        assertThat(report.unlisted()).containsExactly("unlisted.webp");
        assertThat(report.content().unreadable())
                .containsExactly(
                        folder.resolve("b.webp")
                                + ": the WebP file is damaged: it is cut short after 100 bytes of"
                                + " 126");
        assertThat(report.content().misnamed()).containsExactly("c.jpg");
        assertThatThrownBy(() -> faces.checked(DatasetCheck.STRICT))
                .isInstanceOf(DatasetException.class)
                .hasMessageContaining("b.webp: the WebP file is damaged: it is cut short");
    }

    @Test
    void refusesAListThatIsNotOfDigests(@TempDir Path folder) throws IOException {
        Path list = folder.resolve("SHA256SUMS");
        Files.writeString(list, "abc  1.jpg\n");

        assertThatThrownBy(() -> DatasetCheck.LENIENT.withDigests(list))
                .isInstanceOf(DatasetException.class)
                .hasMessage(
                        list
                                + ", line 1: is \"abc  1.jpg\", expected 64 hexadecimal digits, two"
                                + " blanks and a name");
    }

    @Test
    void corruptDataThatDecodesIsRefusedUnlessTolerated() throws IOException {
        byte[] jpeg = drawn().get("000.jpg");
        // Zeros before the end marker belong to no block.
        byte[] longer = Arrays.copyOf(jpeg, jpeg.length + 9);
        longer[longer.length - 2] = (byte) 0xFF;
        longer[longer.length - 1] = (byte) 0xD9;
        longer[jpeg.length - 2] = 0;
        longer[jpeg.length - 1] = 0;

        assertThatThrownBy(() -> ImageDecoder.UPRIGHT.decode(longer, "x.jpg"))
                .hasMessageStartingWith("x.jpg: the file is damaged or cut short: Corrupt JPEG");
        assertThat(ImageDecoder.UPRIGHT.tolerant().decode(longer, "x.jpg").toByteArray())
                .isEqualTo(ImageDecoder.UPRIGHT.decode(jpeg, "x.jpg").toByteArray());
    }
}
