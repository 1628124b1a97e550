package io.fairlora;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.AuditorDescription;
import io.fairlora.party.Candidate;
import io.fairlora.party.CounterUpdateRequest;
import io.fairlora.party.EraserRequest;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.LinearEraser;
import io.fairlora.party.SensitiveAdapterRequest;
import io.fairlora.party.Transcript;
import io.fairlora.party.Transcript.Message;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.training.Images;
import io.fairlora.training.TrainingSettings;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Looks for labels and images in every byte that crosses between the parties. */
class BoundaryTest {

    /** Long enough that no other bytes look like it by accident. */
    private static final int LABELS = 24;

    private static final int PIXELS = 16;

    private Runs runs;

    @BeforeEach
    void setUp() {
        runs = new Runs(2, 2);
    }

    @AfterEach
    void tearDown() {
        runs.close();
    }

    /** Every window of some labels or pixels, in one way of writing numbers down. */
    private record Needle(String what, int length, Set<Long> starts, Set<ByteBuffer> windows) {

        Needle(String what, int length, Set<ByteBuffer> windows) {
            this(
                    what,
                    length,
                    windows.stream().map(window -> window.getLong(0)).collect(Collectors.toSet()),
                    windows);
        }

        boolean isIn(ByteBuffer content) {
            for (int i = 0; i + length <= content.limit(); i++) {
                if (starts.contains(content.getLong(i))
                        && windows.contains(content.slice(i, length))) {
                    return true;
                }
            }
            return false;
        }
    }

    private interface Writing {
        void write(ByteBuffer out, int number);
    }

    private static final Map<String, Writing> WRITINGS = writings();

    private static Map<String, Writing> writings() {
        Map<String, Writing> writings = new LinkedHashMap<>();
        writings.put("bytes", (out, number) -> out.put((byte) number));
        writings.put("digits", (out, number) -> out.put((byte) ('0' + number)));
        writings.put("digits and commas", (out, number) -> text(out, number + ","));
        writings.put("a list", (out, number) -> text(out, number + ", "));
        writings.put("lines", (out, number) -> text(out, number + "\n"));
        writings.put("shorts", (out, number) -> out.putShort((short) number));
        writings.put("ints", ByteBuffer::putInt);
        writings.put("longs", (out, number) -> out.putLong(number));
        writings.put("floats", (out, number) -> out.putFloat(number));
        writings.put("signs", (out, number) -> out.putFloat(2 * number - 1));
        writings.put("doubles", (out, number) -> out.putDouble(number));
        writings.put("fractions", (out, number) -> out.putFloat(number / 255f));
        return writings;
    }

    private static void text(ByteBuffer out, String text) {
        out.put(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static List<Needle> needles(String what, int[] numbers, int window) {
        List<Needle> needles = new ArrayList<>();
        WRITINGS.forEach(
                (name, writing) -> {
                    for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
                        Map<Integer, Set<ByteBuffer>> byLength = new LinkedHashMap<>();
                        for (int i = 0; i + window <= numbers.length; i++) {
                            ByteBuffer out = ByteBuffer.allocate(16 * window).order(order);
                            for (int j = i; j < i + window; j++) {
                                writing.write(out, numbers[j]);
                            }
                            byte[] bytes = Arrays.copyOf(out.array(), out.position());
                            byLength.computeIfAbsent(bytes.length, k -> new HashSet<>())
                                    .add(ByteBuffer.wrap(bytes));
                        }
                        byLength.forEach(
                                (length, windows) ->
                                        needles.add(
                                                new Needle(what + " as " + name, length, windows)));
                    }
                });
        return needles;
    }

    private static int[] pixels(Images images, InputSpec spec, int count) {
        int[] numbers = new int[count * spec.bytes()];
        byte[] bytes = new byte[spec.bytes()];
        for (int i = 0; i < count; i++) {
            images.read(i, spec, bytes, 0);
            for (int j = 0; j < bytes.length; j++) {
                numbers[i * bytes.length + j] = bytes[j] & 0xff;
            }
        }
        return numbers;
    }

    private List<Needle> secrets() {
        List<Needle> needles = new ArrayList<>();
        needles.addAll(needles("the auditor's values", runs.known.values(), LABELS));
        needles.addAll(needles("the auditor's labels", runs.known.labels(), LABELS));
        needles.addAll(needles("the audit's values", runs.audited.values(), LABELS));
        needles.addAll(needles("the audit's labels", runs.audited.labels(), LABELS));
        needles.addAll(needles("the developer's labels", runs.train.labels(), LABELS));
        InputSpec spec = runs.backbone.input();
        needles.addAll(needles("the auditor's images", pixels(runs.known, spec, 20), PIXELS));
        needles.addAll(needles("the audit's images", pixels(runs.audited, spec, 20), PIXELS));
        needles.addAll(needles("the developer's images", pixels(runs.train, spec, 20), PIXELS));
        return needles;
    }

    private Set<String> found(byte[] content) {
        return secrets().stream()
                .filter(needle -> needle.isIn(ByteBuffer.wrap(content)))
                .map(Needle::what)
                .collect(Collectors.toSet());
    }

    /** Runs all strategies and audits and returns what crossed. */
    private byte[] exchanged(Transcript transcript, ByteArrayOutputStream crossed) {
        for (DebiasStrategy strategy : Runs.strategies()) {
            Candidate candidate = runs.result(runs.builder(strategy, transcript));
            transcript.audit(candidate);
        }
        return crossed.toByteArray();
    }

    @Test
    void noLabelAndNoImageCrosses() {
        ByteArrayOutputStream crossed = new ByteArrayOutputStream();
        Transcript transcript =
                Transcript.of(runs.auditor, (message, content) -> crossed.writeBytes(content));
        byte[] content = exchanged(transcript, crossed);
        assertThat(content.length).isGreaterThan(10_000);
        assertThat(transcript.bytes()).isEqualTo(content.length);
        assertThat(transcript.messages().stream().map(Message::kind).distinct())
                .containsExactlyInAnyOrder(
                        "AuditorDescription",
                        "SensitiveAdapterRequest",
                        "LoraAdapter",
                        "CounterUpdateRequest",
                        "EraserRequest",
                        "LinearEraser",
                        "Candidate",
                        "FairnessReport");
        assertThat(transcript.messages())
                .allMatch(message -> message.sha256().matches("[0-9a-f]{64}"));
        assertThat(found(content)).isEmpty();
    }

    /** An auditor that lets its data out, in one way or another. */
    private final class Leaking implements FairnessAuditor {

        private final String way;

        Leaking(String way) {
            this.way = way;
        }

        @Override
        public AuditorDescription describe() {
            return runs.auditor.describe();
        }

        @Override
        public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
            LoraAdapter adapter = runs.auditor.sensitiveAdapter(request);
            int[] values = runs.known.values();
            return switch (way) {
                case "text" ->
                        adapter.withProvenance(
                                Map.of("note", Arrays.toString(Arrays.copyOf(values, 30))));
                case "factors" -> replaced(adapter, i -> values[i]);
                case "signs" -> replaced(adapter, i -> 2 * values[i] - 1);
                case "pixels" -> {
                    int[] pixels = pixels(runs.known, runs.backbone.input(), 3);
                    yield replaced(adapter, i -> pixels[i + 5] / 255f);
                }
                default -> adapter;
            };
        }

        private LoraAdapter replaced(LoraAdapter adapter, FloatAt numbers) {
            Map<String, LoraAdapter.Factors> layers = new LinkedHashMap<>(adapter.layers());
            String first = layers.keySet().iterator().next();
            LoraAdapter.Factors factors = layers.get(first);
            float[] a = factors.a().toArray();
            for (int i = 0; i < 40; i++) {
                a[20 + i] = numbers.at(i);
            }
            layers.put(
                    first,
                    new LoraAdapter.Factors(
                            HostTensor.of(a, factors.a().shape().getShape()),
                            factors.b(),
                            factors.scale()));
            return adapter.withLayers(layers);
        }

        @Override
        public LoraAdapter counterUpdate(CounterUpdateRequest request) {
            return runs.auditor.counterUpdate(request);
        }

        @Override
        public LinearEraser eraser(EraserRequest request) {
            return runs.auditor.eraser(request);
        }

        @Override
        public FairnessReport audit(Candidate candidate) {
            return runs.auditor.audit(candidate);
        }

        @Override
        public void close() {}
    }

    private interface FloatAt {
        float at(int index);
    }

    /** The search can find: the same run with a leak is caught. */
    @Test
    void aPlantedLeakIsFound() {
        Map<String, String> leaks =
                Map.of(
                        "text", "the auditor's values as a list",
                        "factors", "the auditor's values as floats",
                        "signs", "the auditor's values as signs",
                        "pixels", "the auditor's images as fractions");
        leaks.forEach(
                (way, what) -> {
                    ByteArrayOutputStream crossed = new ByteArrayOutputStream();
                    Transcript transcript =
                            Transcript.of(
                                    new Leaking(way),
                                    (message, content) -> crossed.writeBytes(content));
                    transcript.sensitiveAdapter(
                            new SensitiveAdapterRequest(
                                    Runs.CONFIG, TrainingSettings.DEFAULT.withEpochs(1)));
                    assertThat(found(crossed.toByteArray())).as(way).containsExactly(what);
                });
    }

    @Test
    void theLabelsLookedForAreNotConstant() {
        for (int[] labels :
                List.of(runs.known.values(), runs.audited.values(), runs.train.labels())) {
            for (int i = 0; i + LABELS <= labels.length; i++) {
                int ones = IntStream.range(i, i + LABELS).map(j -> labels[j]).sum();
                assertThat(ones).isBetween(2, LABELS - 2);
            }
        }
    }
}
