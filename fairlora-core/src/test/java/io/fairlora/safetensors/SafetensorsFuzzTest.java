package io.fairlora.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.Tag;
import net.jqwik.api.lifecycle.AfterProperty;
import net.jqwik.api.lifecycle.BeforeProperty;

/** A damaged file is read or refused: no other exception, no endless loop, no great allocation. */
class SafetensorsFuzzTest {

    /** Pieces that make damage in the header likelier to be JSON still. */
    private static final String[] PIECES = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "-",
        "0",
        "9",
        "e9",
        "null",
        "F16",
        "I64",
        "dtype",
        "shape",
        "data_offsets",
        "99999999999",
        "[[[[[[",
        "\\u0000",
        " "
    };

    private Path path;
    private byte[] good;

    @BeforeProperty
    void writeGoodFile() throws IOException {
        path = Files.createTempFile("fairlora", ".safetensors");
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        tensors.put("a.weight", HostTensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
        tensors.put("b", HostTensor.of(new float[] {7}));
        tensors.put("c", HostTensor.of(new float[0], 0, 4));
        SafetensorsWriter.write(path, tensors, Map.of("format", "pt"), Dtype.F32);
        good = Files.readAllBytes(path);
    }

    @AfterProperty
    void delete() throws IOException {
        Files.delete(path);
    }

    @Property(tries = 2_000, shrinking = ShrinkingMode.OFF)
    void damageIsReadOrRefused(@ForAll long seed) throws IOException {
        readsOrRefuses(mutant(new Random(seed)));
    }

    @Property(tries = 100_000, shrinking = ShrinkingMode.OFF)
    @Tag("slow")
    void muchDamageIsReadOrRefused(@ForAll long seed) throws IOException {
        readsOrRefuses(mutant(new Random(seed)));
    }

    /** A damaged index never leads out of its folder and never ends in another exception. */
    @Property(tries = 500, shrinking = ShrinkingMode.OFF)
    void aDamagedIndexIsReadOrRefused(@ForAll long seed) throws IOException {
        String shard = path.getFileName().toString();
        Path index = path.resolveSibling(shard + ".index.json");
        String json =
                "{\"metadata\":{\"total_size\":28},\"weight_map\":{"
                        + String.join(
                                ",",
                                "\"a.weight\":\"" + shard + "\"",
                                "\"b\":\"" + shard + "\"",
                                "\"c\":\"" + shard + "\"")
                        + "}}";
        Files.write(path, good);
        byte[] bytes = mutant(json.getBytes(StandardCharsets.UTF_8), new Random(seed));
        Files.write(index, bytes);
        try (SafetensorsFile file = SafetensorsFile.open(index)) {
            assertThat(file.names()).containsExactlyInAnyOrder("a.weight", "b", "c");
        } catch (SafetensorsException e) {
            assertThat(e).hasMessageStartingWith(index + ": ");
        } finally {
            Files.delete(index);
        }
    }

    private byte[] mutant(Random random) {
        return mutant(good, random);
    }

    private static byte[] mutant(byte[] original, Random random) {
        byte[] bytes = original.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(5)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt();
                case 2 -> bytes = splice(bytes, at, random.nextInt(4), new byte[0]);
                case 3 -> {
                    String piece = PIECES[random.nextInt(PIECES.length)];
                    byte[] inserted = piece.getBytes(StandardCharsets.UTF_8);
                    bytes = splice(bytes, at, random.nextInt(3), inserted);
                    if (random.nextBoolean()) {
                        bytes[0] += (byte) inserted.length;
                    }
                }
                default -> bytes = Arrays.copyOf(bytes, 1 + at);
            }
            if (bytes.length == 0) {
                return bytes;
            }
        }
        return bytes;
    }

    private static byte[] splice(byte[] bytes, int at, int removed, byte[] inserted) {
        int end = Math.min(bytes.length, at + removed);
        byte[] result = new byte[bytes.length - (end - at) + inserted.length];
        System.arraycopy(bytes, 0, result, 0, at);
        System.arraycopy(inserted, 0, result, at, inserted.length);
        System.arraycopy(bytes, end, result, at + inserted.length, bytes.length - end);
        return result;
    }

    private void readsOrRefuses(byte[] bytes) throws IOException {
        Files.write(path, bytes);
        long start = System.nanoTime();
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            long elements = 0;
            for (String name : file.names()) {
                elements += file.read(name).size();
            }
            assertThat(elements).isLessThanOrEqualTo(bytes.length);
        } catch (SafetensorsException e) {
            assertThat(e).hasMessageStartingWith(path + ": ");
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    }
}
