package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AdapterCombinationTest {

    private static final int OUT = 6;
    private static final int IN = 5;
    private static final String LAYER = "layer.0.query";

    private static HostTensor tensor(JsonNode values, int rows) {
        float[] data = new float[values.size()];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) values.get(i).asDouble();
        }
        return HostTensor.of(data, rows, data.length / rows);
    }

    private static Factors factors(JsonNode layer, double scale) {
        int rank = layer.get("rank").asInt();
        return new Factors(
                tensor(layer.get("a"), rank),
                tensor(layer.get("b"), layer.get("b").size() / rank),
                scale);
    }

    private static LoraAdapter adapter(JsonNode json) {
        Map<String, Factors> layers = new LinkedHashMap<>();
        json.get("layers")
                .properties()
                .forEach(
                        e ->
                                layers.put(
                                        e.getKey(),
                                        factors(
                                                e.getValue(),
                                                e.getValue().get("scale").asDouble())));
        return LoraAdapter.of(
                LoraConfig.builder()
                        .rank(json.get("rank").asInt())
                        .alpha(json.get("alpha").asDouble())
                        .targetModules(layers.keySet().toArray(new String[0]))
                        .build(),
                layers);
    }

    private static AdapterCombination combination(JsonNode golden, CombinationType type) {
        AdapterCombination.Builder builder =
                AdapterCombination.builder().asPeft(true).type(type).seed(1);
        if (golden.hasNonNull("density")) {
            builder.density(golden.get("density").asDouble());
        }
        if (golden.hasNonNull("rank")) {
            builder.rank(golden.get("rank").asInt());
        }
        String majority = golden.get("majority").asText().toUpperCase(Locale.ROOT);
        return builder.majoritySign(MajoritySign.valueOf(majority)).build();
    }

    private static boolean[] mask(JsonNode masks, String key) {
        String bits = masks.get(key).asText();
        boolean[] kept = new boolean[bits.length()];
        for (int i = 0; i < kept.length; i++) {
            kept[i] = bits.charAt(i) == '1';
        }
        return kept;
    }

    private static double[] product(Factors f) {
        double[] delta = new double[f.outputSize() * f.inputSize()];
        for (int o = 0; o < f.outputSize(); o++) {
            for (int i = 0; i < f.inputSize(); i++) {
                for (int k = 0; k < f.rank(); k++) {
                    delta[o * f.inputSize() + i] +=
                            f.scale()
                                    * f.b().get(o * f.rank() + k)
                                    * f.a().get(k * f.inputSize() + i);
                }
            }
        }
        return delta;
    }

    @Test
    void everyTypeComputesWhatPeftDoes() throws IOException {
        JsonNode golden;
        try (InputStream in = getClass().getResourceAsStream("/golden/peft_combination.json")) {
            golden = new ObjectMapper().readTree(in);
        }
        List<LoraAdapter> all = new ArrayList<>();
        golden.get("adapters").forEach(json -> all.add(adapter(json)));
        Set<CombinationType> seen = EnumSet.noneOf(CombinationType.class);
        for (JsonNode entry : golden.get("cases")) {
            CombinationType type =
                    CombinationType.valueOf(entry.get("type").asText().toUpperCase(Locale.ROOT));
            seen.add(type);
            List<LoraAdapter> adapters = new ArrayList<>();
            entry.get("adapters").forEach(index -> adapters.add(all.get(index.asInt())));
            double[] weights = new double[adapters.size()];
            for (int i = 0; i < weights.length; i++) {
                weights[i] = entry.get("weights").get(i).asDouble();
            }
            LoraAdapter found =
                    combination(entry, type)
                            .combine(
                                    adapters,
                                    (path, position, matrix, size) ->
                                            mask(
                                                    entry.get("masks"),
                                                    path + "/" + position + "/" + matrix),
                                    weights);
            assertThat(found.layers()).hasSize(entry.get("layers").size());
            entry.get("layers")
                    .properties()
                    .forEach(
                            e -> {
                                Factors expected = factors(e.getValue(), 1);
                                Factors layer = found.layer(e.getKey());
                                String name = type + " " + e.getKey() + " " + weights.length;
                                assertThat(product(layer))
                                        .as(name)
                                        .containsExactly(product(expected), within(1e-5));
                                if (!type.decomposes() && layer.rank() == expected.rank()) {
                                    assertThat(layer.a().toArray())
                                            .as(name)
                                            .containsExactly(expected.a().toArray(), within(1e-5f));
                                    assertThat(layer.b().toArray())
                                            .as(name)
                                            .containsExactly(expected.b().toArray(), within(1e-5f));
                                }
                            });
        }
        assertThat(seen).isEqualTo(EnumSet.allOf(CombinationType.class));
    }

    private static LoraAdapter random(int rank, double scale, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        return LoraAdapter.of(
                LoraConfig.builder()
                        .rank(rank)
                        .alpha(Math.abs(scale) * rank)
                        .targetModules("query")
                        .build(),
                Map.of(
                        LAYER,
                        new Factors(
                                RandomAdapters.tensor(random, rank, IN),
                                RandomAdapters.tensor(random, OUT, rank),
                                scale)));
    }

    private static double[] sum(List<LoraAdapter> adapters, double... weights) {
        double[] sum = new double[OUT * IN];
        for (int i = 0; i < weights.length; i++) {
            double[] delta = product(adapters.get(i).layer(LAYER));
            for (int j = 0; j < sum.length; j++) {
                sum[j] += weights[i] * delta[j];
            }
        }
        return sum;
    }

    private static double[] combined(
            AdapterCombination.Builder builder, List<LoraAdapter> adapters, double... weights) {
        return product(builder.build().combine(adapters, weights).layer(LAYER));
    }

    private static AdapterCombination.Builder of(CombinationType type) {
        AdapterCombination.Builder builder = AdapterCombination.builder().type(type).seed(7);
        return type.prunes() ? builder.density(1) : builder;
    }

    @Property(tries = 100)
    void concatenationIsTheWeightedSum(
            @ForAll long seed,
            @ForAll @IntRange(min = 1, max = 4) int rank,
            @ForAll @DoubleRange(min = -2, max = 2) double first,
            @ForAll @DoubleRange(min = -2, max = 2) double second) {
        List<LoraAdapter> adapters = List.of(random(rank, 2, seed), random(2, 0.5, seed + 1));
        double[] expected = sum(adapters, first, second);
        assertThat(combined(AdapterCombination.builder(), adapters, first, second))
                .containsExactly(expected, within(1e-5));
        // Decomposed to a rank that holds everything it is the same.
        assertThat(combined(of(CombinationType.SVD).rank(6), adapters, first, second))
                .containsExactly(expected, within(1e-5));
        assertThat(combined(of(CombinationType.DARE_LINEAR_SVD).rank(6), adapters, first, second))
                .containsExactly(expected, within(1e-5));
        assertThat(
                        combined(
                                of(CombinationType.MAGNITUDE_PRUNE_SVD).rank(6),
                                adapters,
                                first,
                                second))
                .containsExactly(expected, within(1e-5));
    }

    @ParameterizedTest
    @EnumSource(CombinationType.class)
    void theOrderOfAdaptersDoesNotMatter(CombinationType type) {
        for (int seed = 0; seed < 20; seed++) {
            LoraAdapter x = random(2, 2, seed);
            LoraAdapter y = random(2, 0.5, seed + 100);
            LoraAdapter z = random(2, -1, seed + 200);
            AdapterCombination.Builder builder = of(type);
            if (type.prunes() && !type.isRandom()) {
                builder.density(0.5);
            }
            assertThat(combined(builder, List.of(z, x, y), 0.3, 0.9, -0.4))
                    .containsExactly(
                            combined(builder, List.of(x, y, z), 0.9, -0.4, 0.3), within(1e-5));
        }
    }

    @Property(tries = 50)
    void nothingIsPrunedAtDensityOne(@ForAll long seed) {
        List<LoraAdapter> adapters = List.of(random(2, 2, seed), random(2, 0.5, seed + 1));
        double[] linear = combined(of(CombinationType.LINEAR), adapters, 0.7, -0.2);
        assertThat(combined(of(CombinationType.DARE_LINEAR), adapters, 0.7, -0.2))
                .isEqualTo(linear);
        assertThat(combined(of(CombinationType.MAGNITUDE_PRUNE), adapters, 0.7, -0.2))
                .isEqualTo(linear);
        assertThat(combined(of(CombinationType.DARE_TIES), adapters, 0.7, -0.2))
                .isEqualTo(combined(of(CombinationType.TIES), adapters, 0.7, -0.2));
    }

    @ParameterizedTest
    @EnumSource(CombinationType.class)
    void oneAdapterKeepsItsChangeAndItsWeightsSign(CombinationType type) {
        LoraAdapter adapter = random(3, 2, 4);
        double[] delta = product(adapter.layer(LAYER));
        assertThat(combined(of(type), List.of(adapter), 1)).containsExactly(delta, within(1e-5));
        assertThat(combined(of(type), List.of(adapter), -0.5))
                .containsExactly(sum(List.of(adapter), -0.5), within(1e-5));
    }

    @Test
    void theDefaultIsTheIdentityForOneAdapterBitForBit() {
        LoraAdapter adapter = random(3, 2, 4);
        assertThat(AdapterCombination.builder().build().combine(List.of(adapter), 1))
                .isEqualTo(adapter);
    }

    @Test
    void aRankStabilisedAdapterKeepsItsScale() {
        LoraAdapter plain = random(3, 2, 4);
        LoraAdapter stabilised =
                new LoraAdapter(
                        plain.config().toBuilder().rsLora(true).build(),
                        plain.layers(),
                        Map.of(),
                        Map.of());
        List<LoraAdapter> adapters = List.of(stabilised, random(3, 1, 5));
        assertThat(combined(of(CombinationType.SVD).rank(6), adapters, 1, 2))
                .containsExactly(sum(adapters, 1, 2), within(1e-5));
        assertThatThrownBy(() -> combined(of(CombinationType.SVD).asPeft(true), adapters, 1, 2))
                .hasMessageContaining("first adapter is rank-stabilised");
    }

    @Test
    void whatIsDroppedComesFromTheSeedAndKeepsTheMean() {
        List<LoraAdapter> adapters = List.of(random(2, 1, 1), random(2, 1, 2));
        AdapterCombination.Builder builder =
                of(CombinationType.DARE_LINEAR_SVD).rank(5).density(0.5);
        double[] once = combined(builder.seed(3), adapters, 1, 1);
        assertThat(combined(builder.seed(3), adapters, 1, 1)).isEqualTo(once);
        assertThat(combined(builder.seed(4), adapters, 1, 1)).isNotEqualTo(once);
        double[] mean = new double[OUT * IN];
        int draws = 4000;
        for (int seed = 0; seed < draws; seed++) {
            double[] drawn = combined(builder.seed(seed), adapters, 1, 1);
            for (int i = 0; i < mean.length; i++) {
                mean[i] += drawn[i] / draws;
            }
        }
        double[] expected = sum(adapters, 1, 1);
        double scale = 0;
        double error = 0;
        for (int i = 0; i < mean.length; i++) {
            scale += expected[i] * expected[i];
            error += (mean[i] - expected[i]) * (mean[i] - expected[i]);
        }
        assertThat(Math.sqrt(error / scale)).isLessThan(0.06);
    }

    @Test
    void savedModulesStayUnlessTheyDiffer() {
        HostTensor head = HostTensor.of(new float[] {1, 2}, 2);
        LoraAdapter first = random(2, 1, 1).withSavedModules(Map.of("classifier.bias", head));
        LoraAdapter second = random(2, 1, 2);
        AdapterCombination linear = of(CombinationType.LINEAR).build();
        assertThat(linear.combine(List.of(first, second), 1, 1).savedModules())
                .containsExactly(Map.entry("classifier.bias", head));
        LoraAdapter other =
                second.withSavedModules(
                        Map.of("classifier.bias", HostTensor.of(new float[] {1, 3}, 2)));
        assertThatThrownBy(() -> linear.combine(List.of(first, other), 1, 1))
                .hasMessageContaining("two adapters save classifier.bias");
    }

    @Test
    void badInputGetsASentence() {
        LoraAdapter two = random(2, 1, 1);
        AdapterCombination linear = of(CombinationType.LINEAR).build();
        assertThatThrownBy(() -> linear.combine(List.of()))
                .hasMessage("combining adapters needs at least one");
        assertThatThrownBy(() -> linear.combine(List.of(two), 1, 2))
                .hasMessage("1 adapters need as many weights, found 2");
        assertThatThrownBy(() -> linear.combine(List.of(two), Double.NaN))
                .hasMessage("weight 1 of 1 must be finite, found NaN");
        assertThatThrownBy(() -> linear.combine(List.of(two, random(3, 1, 2)), 1, 1))
                .hasMessageContaining("has rank 2 in one adapter and 3 in another")
                .hasMessageContaining("LINEAR needs equal ranks");
        LoraAdapter wide =
                two.withLayers(
                        Map.of(
                                LAYER,
                                new Factors(
                                        HostTensor.of(new float[14], 2, 7),
                                        HostTensor.of(new float[12], OUT, 2),
                                        1)));
        for (CombinationType type : CombinationType.values()) {
            assertThatThrownBy(() -> of(type).build().combine(List.of(two, wide), 1, 1))
                    .hasMessage(
                            "layer " + LAYER + " is (6, 5) in one adapter and (6, 7) in another");
        }
        float[] broken = new float[10];
        broken[3] = Float.NaN;
        LoraAdapter notFinite =
                two.withLayers(
                        Map.of(
                                LAYER,
                                new Factors(
                                        HostTensor.of(broken, 2, IN), two.layer(LAYER).b(), 1)));
        assertThatThrownBy(() -> linear.combine(List.of(two, notFinite), 1, 1))
                .hasMessage("adapter 2 has elements that are not finite");
        assertThatThrownBy(() -> linear.combine(List.of(two), 1e100))
                .hasMessage("the combination has elements too great for single precision");
        AdapterCombination.Builder builder = AdapterCombination.builder();
        assertThatThrownBy(() -> builder.density(0))
                .hasMessage("density must be above 0 and at most 1, found 0.0");
        assertThatThrownBy(() -> builder.density(Double.NaN)).hasMessageContaining("found NaN");
        assertThatThrownBy(() -> builder.rank(0)).hasMessage("rank must be at least 1, found 0");
        assertThatThrownBy(() -> AdapterCombination.builder().type(CombinationType.TIES).build())
                .hasMessage("TIES needs a density, the share of elements that it keeps");
        assertThatThrownBy(() -> of(CombinationType.CAT).density(0.5).build())
                .hasMessage("CAT does not prune, so it takes no density");
        assertThatThrownBy(
                        () ->
                                AdapterCombination.builder()
                                        .type(CombinationType.DARE_TIES)
                                        .density(1)
                                        .build())
                .hasMessage("DARE_TIES drops elements at random and needs a seed");
        assertThatThrownBy(() -> of(CombinationType.LINEAR).rank(3).build())
                .hasMessage("LINEAR takes no rank; the types that end in SVD do");
    }
}
