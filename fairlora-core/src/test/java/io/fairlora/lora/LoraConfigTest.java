package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoraConfigTest {

    private static final String QUERY = "vit.encoder.layer.3.attention.attention.query";

    @Test
    void scalesAsPeft() {
        LoraConfig config = LoraConfig.builder().rank(4).alpha(6).build();
        assertThat(config.scaling()).isEqualTo(1.5);
        assertThat(config.toBuilder().rsLora(true).build().scaling()).isEqualTo(3);
    }

    /** PEFT's rule: the whole path, or its end after a dot. */
    @ParameterizedTest
    @CsvSource({
        "query, true",
        "attention.query, true",
        QUERY + ", true",
        "uery, false",
        "value, false",
        "layer.3, false",
        "tention.query, false"
    })
    void namesMatchWholeParts(String name, boolean matches) {
        LoraConfig config = LoraConfig.builder().targetModules(name).build();
        assertThat(config.matches(QUERY)).isEqualTo(matches);
    }

    @Test
    void outputDenseMatchesBothAttentionAndMlp() {
        LoraConfig config = LoraConfig.builder().targetModules("output.dense").build();
        assertThat(config.matches("vit.encoder.layer.0.attention.output.dense")).isTrue();
        assertThat(config.matches("vit.encoder.layer.0.output.dense")).isTrue();
        assertThat(config.matches("vit.encoder.layer.0.intermediate.dense")).isFalse();
    }

    @Test
    void aRegexMatchesTheWholePath() {
        LoraConfig config = LoraConfig.builder().targetRegex(".*\\.[35]\\..*(query|key)").build();
        assertThat(config.matches(QUERY)).isTrue();
        assertThat(config.matches(QUERY.replace("3", "4"))).isFalse();
        assertThat(config.matches(QUERY + ".x")).isFalse();
    }

    @Test
    void layersRestrictNames() {
        LoraConfig config = LoraConfig.builder().layersToTransform(3, 11).build();
        assertThat(config.matches(QUERY)).isTrue();
        assertThat(config.matches(QUERY.replace("3", "11"))).isTrue();
        assertThat(config.matches(QUERY.replace("3", "1"))).isFalse();
        assertThat(config.matches(QUERY.replace("3", "99999999999"))).isFalse();
        assertThat(config.matches("query")).isFalse();
        // As in PEFT, a number right at the root is no layer's index.
        assertThat(config.matches("layer.3.query")).isFalse();
    }

    @Test
    void aPatternSaysWhichNumberIsTheLayers() {
        String path = "vit.stage.3.layer.11.query";
        LoraConfig first = LoraConfig.builder().layersToTransform(3).build();
        assertThat(first.matches(path)).isTrue();
        LoraConfig named = first.toBuilder().layersPattern("layer").build();
        assertThat(named.matches(path)).isFalse();
        assertThat(named.toBuilder().layersToTransform(11).build().matches(path)).isTrue();
        // The first pattern that is there decides.
        LoraConfig two = first.toBuilder().layersPattern("block", "stage", "layer").build();
        assertThat(two.matches(path)).isTrue();
        assertThat(two.matches("vit.other.3.query")).isFalse();
    }

    @Test
    void whatIsExcludedIsNoTarget() {
        LoraConfig config =
                LoraConfig.builder().excludeModules("3.attention.attention.query").build();
        assertThat(config.matches(QUERY)).isFalse();
        assertThat(config.matches(QUERY.replace("3", "13"))).isTrue();
        assertThat(config.matches(QUERY.replace("3", "4"))).isTrue();
        LoraConfig regex = LoraConfig.builder().allLinear().excludeRegex(".*\\.[0-4]\\..*").build();
        assertThat(regex.matches(QUERY)).isFalse();
        assertThat(regex.matches(QUERY.replace("3", "5"))).isTrue();
        assertThat(regex.matches("anything")).isTrue();
    }

    /**
     * PEFT's rule: a pattern matches from the start or after a dot, to the end; the first counts.
     */
    @Test
    void patternsGiveLayersTheirRankAndAlpha() {
        LoraConfig config =
                LoraConfig.builder()
                        .rank(4)
                        .alpha(8)
                        .rankPattern(ImmutableMap.of("3.attention.attention.query", 2, "query", 6))
                        .alphaPattern(ImmutableMap.of("^vit.*value", 3.0, "[kq].*y", 9.0))
                        .build();
        assertThat(config.rankOf(QUERY)).isEqualTo(2);
        assertThat(config.rankOf(QUERY.replace("3", "4"))).isEqualTo(6);
        assertThat(config.rankOf("vit.requery")).isEqualTo(4);
        assertThat(config.rankOf("vit.query.x")).isEqualTo(4);
        assertThat(config.alphaOf(QUERY)).isEqualTo(9);
        assertThat(config.alphaOf("vit.a.value")).isEqualTo(3);
        assertThat(config.alphaOf("x.vit.a.value")).isEqualTo(8);
        assertThat(config.scalingOf(QUERY)).isEqualTo(4.5);
        assertThat(config.toBuilder().rsLora(true).build().scalingOf("vit.query"))
                .isEqualTo(9 / Math.sqrt(6));
        assertThat(config.unusedPattern(List.of("vit.query", "vit.value")))
                .contains("3.attention.attention.query");
        assertThat(config.unusedPattern(List.of(QUERY, "query", "vit.value"))).isEmpty();
    }

    @Test
    void refusesWhatPeftRefuses() {
        LoraConfig.Builder orthogonal =
                LoraConfig.builder().rank(3).initialization(Initialization.ORTHOGONAL);
        assertThatThrownBy(orthogonal::build).hasMessageEndingWith("needs an even rank, found 3");
        assertThat(orthogonal.rank(4).build().rank()).isEqualTo(4);
        assertThatThrownBy(() -> orthogonal.rankPattern(Map.of("query", 5)).build())
                .hasMessageContaining("even rank, found 4 and {query=5}");
        assertThatThrownBy(() -> LoraConfig.builder().loraBias(true).dora(true).build())
                .hasMessageContaining("exclude each other");
        assertThatThrownBy(
                        () ->
                                LoraConfig.builder()
                                        .loraBias(true)
                                        .initialization(Initialization.PISSA)
                                        .build())
                .hasMessageContaining("found PISSA");
        assertThatThrownBy(() -> LoraConfig.builder().layersPattern("layer").build())
                .hasMessageContaining("which is not set");
        assertThatThrownBy(() -> LoraConfig.builder().allLinear().layersToTransform(1).build())
                .hasMessageContaining("restricts names");
        assertThatThrownBy(() -> LoraConfig.builder().rankPattern(Map.of("(", 1)))
                .hasMessageContaining("rank pattern '(' is malformed");
    }

    @Test
    void savedModulesGetNoAdapterAndMatchWholeParts() {
        LoraConfig config =
                LoraConfig.builder().targetRegex(".*").modulesToSave("classifier").build();
        assertThat(config.matches("classifier")).isFalse();
        assertThat(config.matches("model.classifier.dense")).isFalse();
        assertThat(config.matches("pre_classifier")).isTrue();
    }

    @Test
    void refusesWrongValuesAtOnce() {
        LoraConfig.Builder builder = LoraConfig.builder();
        assertThatThrownBy(() -> builder.rank(0)).hasMessage("rank must be at least 1, found 0");
        assertThatThrownBy(() -> builder.alpha(-1)).hasMessageContaining("positive");
        assertThatThrownBy(() -> builder.alpha(Double.NaN)).hasMessageContaining("positive");
        assertThatThrownBy(() -> builder.dropout(1)).hasMessageContaining("below 1");
        assertThatThrownBy(() -> builder.dropout(Double.NaN)).hasMessageContaining("below 1");
        assertThatThrownBy(builder::targetModules).hasMessageContaining("at least one");
        assertThatThrownBy(() -> builder.targetModules("")).hasMessageContaining("not a name");
        assertThatThrownBy(() -> builder.targetModules("a..b")).hasMessageContaining("not a name");
        assertThatThrownBy(() -> builder.targetRegex("(")).hasMessageContaining("malformed");
        assertThatThrownBy(() -> builder.layersToTransform(-1)).hasMessageContaining("at least 0");
        assertThatThrownBy(() -> builder.targetRegex(".*").layersToTransform(1).build())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("target regex");
    }

    @Test
    void isAValue() {
        LoraConfig config =
                LoraConfig.builder().targetRegex("a|b").dropout(0.1).modulesToSave("c").build();
        assertThat(config.toBuilder().build()).isEqualTo(config).hasSameHashCodeAs(config);
        assertThat(config.toBuilder().rank(9).build()).isNotEqualTo(config);
        assertThat(config.toBuilder().dora(true).build()).isNotEqualTo(config);
        LoraConfig patterns =
                config.toBuilder().rankPattern(ImmutableMap.of("a", 1, "b", 2)).build();
        // The order of patterns decides, so it is part of the value.
        assertThat(patterns.toBuilder().rankPattern(ImmutableMap.of("b", 2, "a", 1)).build())
                .isNotEqualTo(patterns);
        assertThat(patterns.toBuilder().build()).isEqualTo(patterns);
        assertThat(patterns)
                .hasToString(
                        "LoraConfig{rank=8, alpha=16.0, rsLora=false, dropout=0.1, targets=a|b,"
                                + " rankPattern={a=1, b=2}, modulesToSave=[c]}");
        assertThat(config.toBuilder().targetModules("a").build()).isNotEqualTo(config);
    }
}
