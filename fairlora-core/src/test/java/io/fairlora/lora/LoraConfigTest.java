package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
        assertThat(config.toBuilder().targetModules("a").build()).isNotEqualTo(config);
    }
}
