package io.fairlora.metrics.interval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairlora.metrics.Golden;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Agreement with statsmodels and scipy. */
class IntervalGoldenTest {
    private static final Offset<Double> EXACT = within(1e-12);
    private final List<JsonNode> lines = Golden.lines("intervals.jsonl.gz");

    private List<JsonNode> with(String key) {
        List<JsonNode> found = lines.stream().filter(line -> line.has(key)).toList();
        assertThat(found).hasSizeGreaterThan(15);
        return found;
    }

    private static long[] longs(JsonNode node) {
        return new long[] {node.get(0).asLong(), node.get(1).asLong()};
    }

    @Test
    void proportions() {
        for (JsonNode line : with("wilson")) {
            double k = line.get("k").asDouble();
            double n = line.get("n").asDouble();
            double level = line.get("confidence").asDouble();
            Interval wilson = ProportionIntervals.wilson(k, n, level);
            assertThat(wilson.low()).isCloseTo(line.get("wilson").get(0).asDouble(), EXACT);
            assertThat(wilson.high()).isCloseTo(line.get("wilson").get(1).asDouble(), EXACT);
            Interval exact = ProportionIntervals.clopperPearson(k, n, level);
            JsonNode theirs = line.get("clopper_pearson");
            assertThat(exact.low()).isCloseTo(theirs.get(0).asDouble(), within(1e-10));
            assertThat(exact.high()).isCloseTo(theirs.get(1).asDouble(), within(1e-10));
        }
    }

    @Test
    void holm() {
        for (JsonNode line : with("holm")) {
            assertThat(Holm.adjust(Golden.numbers(line.get("p"))))
                    .containsExactly(Golden.numbers(line.get("holm")), EXACT);
        }
    }

    @Test
    void mcNemar() {
        for (JsonNode line : with("mcnemar")) {
            assertThat(McNemar.test(line.get("b").asLong(), line.get("c").asLong()))
                    .isCloseTo(line.get("mcnemar").asDouble(), EXACT);
        }
        assertThat(McNemar.test(0, 0)).isOne();
    }

    @Test
    void exactPermutationTest() {
        for (JsonNode line : with("permutation")) {
            GapTest test =
                    PermutationTest.test(
                            longs(line.get("successes")), longs(line.get("trials")), 1, 1);
            assertThat(test.exact()).isTrue();
            assertThat(test.pValue()).isCloseTo(line.get("permutation").asDouble(), EXACT);
        }
    }

    /** The example in the documentation of R's power.prop.test: n = 76.7 per group. */
    @Test
    void sampleSize() {
        assertThat(SampleSize.perGroup(0.5, 0.25, 0.9, 0.05)).isEqualTo(77);
        assertThat(SampleSize.perGroup(0.75, -0.25, 0.9, 0.05)).isEqualTo(77);
    }
}
