package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import ai.djl.ndarray.types.DataType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PeftFormatTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String QUERY = "encoder.layer.0.attention.query";
    private static final ModelCard CARD = ModelCard.of("tiny");

    @TempDir Path folder;
    private Path directory;
    private TinyBackbone backbone;
    private LoraAdapter adapter;

    @BeforeEach
    void setUp() {
        directory = folder.resolve("adapter");
        backbone = TinyBackbone.random(DataType.FLOAT32, 1);
        LoraConfig config =
                LoraConfig.builder()
                        .rank(3)
                        .alpha(6)
                        .dropout(0.1)
                        .targetModules("query", "value")
                        .modulesToSave("classifier")
                        .build();
        adapter =
                RandomAdapters.of(backbone, config, 5)
                        .withSavedModules(
                                Map.of(
                                        "classifier.weight",
                                        HostTensor.of(new float[24], 2, 12),
                                        "classifier.bias",
                                        HostTensor.of(new float[] {1, -1}, 2)))
                        .withProvenance(Map.of("strategy", "ERM", "seed", "7"));
    }

    @AfterEach
    void tearDown() {
        backbone.close();
    }

    /** A directory written by PEFT itself. */
    private static Path golden() throws URISyntaxException {
        return Path.of(PeftFormatTest.class.getResource("/golden/peft").toURI());
    }

    @Test
    void readsWhatPeftWrote() throws Exception {
        LoraAdapter read = PeftFormat.read(golden());
        assertThat(read.layers().keySet())
                .containsExactlyInAnyOrder(
                        "vit.encoder.layer.0.attention.attention.query",
                        "vit.encoder.layer.0.attention.attention.value",
                        "vit.encoder.layer.1.attention.attention.query",
                        "vit.encoder.layer.1.attention.attention.value");
        assertThat(read.layers().values())
                .allMatch(f -> f.rank() == 4 && f.scale() == 1.5 && f.inputSize() == 32);
        assertThat(read.savedModules().keySet())
                .containsExactlyInAnyOrder("classifier.weight", "classifier.bias");
        assertThat(read.config().targetModules()).containsExactly("query", "value");
        assertThat(read.config().modulesToSave()).containsExactly("classifier");
    }

    @Test
    void writesBackWhatPeftWrote() throws Exception {
        LoraAdapter read = PeftFormat.read(golden());
        PeftFormat.write(directory, read, ModelCard.of("model"));
        assertThat(PeftFormat.read(directory)).isEqualTo(read);
        try (SafetensorsFile mine = open(directory);
                SafetensorsFile theirs = open(golden())) {
            assertThat(mine.names()).containsExactlyInAnyOrderElementsOf(theirs.names());
            assertThat(mine.metadata()).containsEntry("format", "pt");
            for (String name : theirs.names()) {
                assertThat(mine.read(name)).as(name).isEqualTo(theirs.read(name));
            }
        }
        JsonNode mine = JSON.readTree(directory.resolve("adapter_config.json").toFile());
        JsonNode theirs = JSON.readTree(golden().resolve("adapter_config.json").toFile());
        for (Map.Entry<String, JsonNode> field : mine.properties()) {
            assertThat(field.getValue()).as(field.getKey()).isEqualTo(theirs.get(field.getKey()));
        }
        assertThat(mine.path("auto_mapping").path("base_model_class").asText())
                .isEqualTo("ViTForImageClassification");
    }

    private static SafetensorsFile open(Path directory) throws IOException {
        return SafetensorsFile.open(directory.resolve("adapter_model.safetensors"));
    }

    @Test
    void anAdapterIsReadBackAsItWas() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        LoraAdapter read = PeftFormat.read(directory, backbone);
        assertThat(read.layers()).isEqualTo(adapter.layers());
        assertThat(read.savedModules()).isEqualTo(adapter.savedModules());
        assertThat(read.provenance()).isEqualTo(adapter.provenance());
        assertThat(read.digest()).isEqualTo(adapter.digest());
        assertThat(read.config().dropout()).isEqualTo(0.1);
    }

    @Test
    void theConfigurationLooksAsPythonWritesIt() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        assertThat(Files.readString(directory.resolve("adapter_config.json")))
                .isEqualTo(
                        """
                        {
                          "alpha_pattern": {},
                          "base_model_name_or_path": "tiny",
                          "bias": "none",
                          "fan_in_fan_out": false,
                          "inference_mode": true,
                          "init_lora_weights": true,
                          "layers_pattern": null,
                          "layers_to_transform": null,
                          "lora_alpha": 6,
                          "lora_dropout": 0.1,
                          "modules_to_save": [
                            "classifier"
                          ],
                          "peft_type": "LORA",
                          "r": 3,
                          "rank_pattern": {},
                          "revision": null,
                          "target_modules": [
                            "query",
                            "value"
                          ],
                          "task_type": null,
                          "use_rslora": false
                        }""");
    }

    @Test
    void everySettingSurvives() throws IOException {
        List<LoraConfig> configs =
                List.of(
                        LoraConfig.builder().rank(2).alpha(0.7).rsLora(true).build(),
                        LoraConfig.builder().rank(2).targetRegex(".*\\.(query|dense)").build(),
                        LoraConfig.builder().rank(2).layersToTransform(1).build());
        for (LoraConfig config : configs) {
            LoraAdapter one = RandomAdapters.of(backbone, config, 5);
            PeftFormat.write(directory, one, CARD);
            LoraAdapter read = PeftFormat.read(directory, backbone);
            assertThat(read.layers()).isEqualTo(one.layers());
            assertThat(read.config().toBuilder().otherFields(Map.of()).build()).isEqualTo(config);
        }
    }

    @Test
    void modulesThatAreSavedAreListed() throws IOException {
        LoraConfig config = adapter.config().toBuilder().modulesToSave().build();
        LoraAdapter unlisted =
                new LoraAdapter(config, adapter.layers(), adapter.savedModules(), Map.of());
        PeftFormat.write(directory, unlisted, CARD);
        LoraAdapter read = PeftFormat.read(directory);
        assertThat(read.config().modulesToSave()).containsExactly("classifier");
        assertThat(read.savedModules()).isEqualTo(adapter.savedModules());
    }

    @Test
    void aPatternThatBacktracksForeverIsRefused() throws IOException {
        // The back reference keeps the JDK from remembering where it has been.
        String slow = "(x?)([a-z0-9.]+)+\\1[!]";
        PeftFormat.write(directory, adapter, CARD);
        editConfig(c -> c.put("target_modules", slow));
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining("takes too long");
        PeftFormat.write(directory, adapter, CARD);
        editConfig(c -> c.putObject("rank_pattern").put(slow, 3));
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining("takes too long");
    }

    @Test
    void anotherScaleGoesIntoB() throws IOException {
        PeftFormat.write(directory, AdapterMath.negate(adapter), CARD);
        LoraAdapter read = PeftFormat.read(directory);
        Factors factors = read.layer(QUERY);
        assertThat(factors.scale()).isEqualTo(2);
        float[] opposite = adapter.layer(QUERY).b().toArray();
        for (int i = 0; i < opposite.length; i++) {
            opposite[i] = -opposite[i];
        }
        assertThat(factors.b().toArray()).isEqualTo(opposite);
        // The card names the adapter that a reader will find.
        assertThat(directory.resolve("README.md")).content().contains(read.digest());
        assertThat(AdapterMath.add(adapter, read).withSavedModules(Map.of()).norm())
                .isLessThan(1e-6);
    }

    @Test
    void ranksMayDifferByLayer() throws IOException {
        LoraAdapter second =
                RandomAdapters.of(
                        backbone,
                        LoraConfig.builder().rank(2).alpha(5).targetModules("query").build(),
                        6);
        LoraAdapter sum = AdapterMath.add(adapter, AdapterMath.negate(second));
        PeftFormat.write(directory, sum, CARD);
        LoraAdapter read = PeftFormat.read(directory, backbone);
        assertThat(read.layer(QUERY).rank()).isEqualTo(5);
        assertThat(read.layer("encoder.layer.0.attention.value").rank()).isEqualTo(3);
        LoraAdapter difference = AdapterMath.add(sum, AdapterMath.negate(read));
        assertThat(difference.norm()).isLessThan(1e-5);
    }

    @Test
    void halfPrecisionIsAnOption() throws IOException {
        PeftFormat.write(directory, adapter, CARD, Dtype.F16);
        LoraAdapter read = PeftFormat.read(directory, backbone);
        assertThat(read.norm()).isCloseTo(adapter.norm(), withinPercentage(0.1));
        assertThat(read).isNotEqualTo(adapter);
    }

    @Test
    void theCardSaysWhatPeopleAreToRead() throws IOException {
        LoraAdapter odd = adapter.withProvenance(Map.of("note", "a|b\n# c"));
        PeftFormat.write(
                directory, odd, ModelCard.of("it's").withSection("## Fairness\n\n| a | b |\n"));
        assertThat(Files.readString(directory.resolve("README.md")))
                .startsWith(
                        """
                        ---
                        base_model: 'it''s'
                        library_name: peft
                        tags:
                        - 'base_model:adapter:it''s'
                        - fairlora
                        - lora
                        ---
                        """)
                .contains("| note | a\\|b # c |", adapter.digest())
                .endsWith("\n## Fairness\n\n| a | b |\n");
        assertThatThrownBy(() -> ModelCard.of("a\nb")).hasMessageContaining("one line");
    }

    @Test
    void fieldsOfANewerPeftAreKept() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        editConfig(c -> c.putObject("new_field").put("x", 1.5));
        editConfig(c -> c.put("task_type", "FEATURE_EXTRACTION"));
        Path second = folder.resolve("second");
        PeftFormat.write(second, PeftFormat.read(directory), CARD);
        JsonNode config = JSON.readTree(second.resolve("adapter_config.json").toFile());
        assertThat(config.path("new_field").path("x").asDouble()).isEqualTo(1.5);
        assertThat(config.path("task_type").asText()).isEqualTo("FEATURE_EXTRACTION");
    }

    private void editConfig(Consumer<ObjectNode> edit) throws IOException {
        Path file = directory.resolve("adapter_config.json");
        ObjectNode config = (ObjectNode) JSON.readTree(file.toFile());
        edit.accept(config);
        Files.write(file, JSON.writeValueAsBytes(config));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "peft_type          | \"IA3\"              | peft_type is \"IA3\"",
                "use_dora           | true                 | lacks the tensor encoder.layer.0.attention.query.lora_magnitude_vector",
                "use_dora           | 1                    | expected true or false",
                "lora_bias          | true                 | lacks the tensor encoder.layer.0.attention.query.lora_B.bias",
                "bias               | \"some\"             | expected one of [none, all, lora_only]",
                "init_lora_weights  | \"pissa_niter_4\"    | changes the base weights",
                "init_lora_weights  | \"corda\"            | changes the base weights",
                "init_lora_weights  | \"new\"              | expected one of [true, false, gaussian,",
                "init_lora_weights  | \"orthogonal\"       | needs an even rank, found 3",
                "exclude_modules    | [\"value\"]          | which target_modules does not choose",
                "exclude_modules    | [\"a b\"]            | excluded module 'a b' is not a name",
                "exclude_modules    | \"(\"                | exclude regex '(' is malformed",
                "layers_pattern     | \"blocks\"           | layersToTransform stands, which is not set",
                "layers_pattern     | [1]                  | expected a list of names",
                "layer_replication  | [[0,1]]              | layer_replication is",
                "target_parameters  | [\"x\"]              | target_parameters is",
                "kasa_config        | {\"a\":1}            | kasa_config is",
                "r                  | 0                    | rank must be at least 1",
                "r                  | 3.5                  | expected a whole number",
                "r                  | 2                    | has rank 3, expected 2",
                "lora_alpha         | \"6\"                | expected a number",
                "lora_alpha         | -6                   | alpha must be positive",
                "lora_dropout       | 1.5                  | dropout must be",
                "use_rslora         | \"yes\"              | expected true or false",
                "target_modules     | null                 | at least one name",
                "target_modules     | [\"a.*b\",1]         | expected a list of names",
                "target_modules     | {}                   | at least one name",
                "target_modules     | 3                    | expected a list of names",
                "target_modules     | \"(\"                | malformed",
                "target_modules     | [\"value\"]          | which target_modules does not choose",
                "modules_to_save    | [\"classifier\",\"pooler\"] | lacks the tensors of pooler",
                "modules_to_save    | null                 | unexpected tensor classifier.",
                "rank_pattern       | {\"key\":4}          | no layer that matches key",
                "rank_pattern       | {\"query\":4}        | has rank 3, expected 4",
                "alpha_pattern      | {\"(\":4}            | alpha pattern '(' is malformed",
                "alpha_pattern      | {\"query\":0}        | must give a positive number, found 0.0",
                "alpha_pattern      | {\"query\":\"a\"}      | expected positive numbers",
                "rank_pattern       | {\"query\":0}        | must give at least 1, found 0",
                "rank_pattern       | {\"query\":2.5}      | expected whole numbers",
                "alpha_pattern      | [4]                  | expected an object",
            })
    void refusesAConfigurationByTheFieldsName(String field, String value, String message)
            throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        JsonNode json = JSON.readTree(value);
        editConfig(config -> config.set(field, json));
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageStartingWith(directory.toString())
                .hasMessageContaining(message);
    }

    @Test
    void patternsOfRankAndAlphaCountInOrder() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        editConfig(
                config -> {
                    config.put("r", 8);
                    config.putObject("rank_pattern").put("query|value", 3);
                    config.putObject("alpha_pattern").put("0.attention.query", 12).put("query", 9);
                });
        LoraAdapter read = PeftFormat.read(directory);
        assertThat(read.layer(QUERY).scale()).isEqualTo(4);
        assertThat(read.layer("encoder.layer.1.attention.query").scale()).isEqualTo(3);
        assertThat(read.layer("encoder.layer.1.attention.value").scale()).isEqualTo(2);
    }

    @Test
    void refusesJsonThatIsNone() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        for (String json : List.of("", "{", "[]", "{\"r\":1,\"r\":2}", "{} x")) {
            Files.writeString(directory.resolve("adapter_config.json"), json);
            assertThatThrownBy(() -> PeftFormat.read(directory))
                    .isInstanceOf(PeftFormatException.class)
                    .hasMessageContaining("adapter_config.json");
        }
    }

    @Test
    void refusesTensorsByTheirName() throws IOException {
        String a = "base_model.model." + QUERY + ".lora_A.weight";
        String b = "base_model.model." + QUERY + ".lora_B.weight";
        HostTensor tensor = HostTensor.of(new float[6], 2, 3);
        refuses(t -> t.remove(b), "lacks the tensor " + QUERY + ".lora_B.weight");
        refuses(t -> t.remove(a), "lacks the tensor " + QUERY + ".lora_A.weight");
        refuses(t -> t.put(a, tensor), "A is (2, 3) and B is (12, 3)");
        refuses(
                t -> t.put("base_model.model." + QUERY + ".lora_magnitude_vector", tensor),
                "unexpected tensor " + QUERY + ".lora_magnitude_vector");
        refuses(t -> t.put(QUERY + ".lora_A.weight", tensor), "both with and without");
        refuses(
                t -> t.put(b, HostTensor.of(new float[] {Float.NaN, 0, 0}, 1, 3)),
                QUERY + ".lora_B.weight has elements that are not finite");
        refuses(t -> t.put("x".repeat(1001), tensor), "a name of 1001 characters");
        refuses(t -> t.keySet().removeIf(k -> k.contains("lora")), "no lora_A and lora_B");
    }

    private void refuses(Consumer<Map<String, HostTensor>> edit, String message)
            throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file = open(directory)) {
            for (String name : file.names()) {
                tensors.put(name, file.read(name));
            }
        }
        edit.accept(tensors);
        SafetensorsWriter.write(
                directory.resolve("adapter_model.safetensors"), tensors, Map.of(), Dtype.F32);
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining(message);
    }

    @Test
    void keysWithoutPrefixAreUnderstood() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        try (SafetensorsFile file = open(directory)) {
            for (String name : file.names()) {
                tensors.put(name.replace("base_model.model.", ""), file.read(name));
            }
        }
        SafetensorsWriter.write(
                directory.resolve("adapter_model.safetensors"), tensors, Map.of(), Dtype.F32);
        assertThat(PeftFormat.read(directory).layers()).isEqualTo(adapter.layers());
    }

    @Test
    void refusesAnAdapterOfAnotherBackbone() throws IOException {
        assertThatThrownBy(() -> PeftFormat.read(golden(), backbone))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining("no adaptable layer vit.encoder");
        Map<String, Factors> fewer = new LinkedHashMap<>(adapter.layers());
        fewer.remove(QUERY);
        PeftFormat.write(directory, adapter.withLayers(fewer), CARD);
        assertThatThrownBy(() -> PeftFormat.read(directory, backbone))
                .isInstanceOf(PeftFormatException.class)
                .hasMessageContaining("lacks the layers [" + QUERY + "]");
    }

    @Test
    void refusesADirectoryWithoutFiles() throws IOException {
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("adapter_config.json");
        PeftFormat.write(directory, adapter, CARD);
        Files.delete(directory.resolve("adapter_model.safetensors"));
        assertThatThrownBy(() -> PeftFormat.read(directory))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("adapter_model.safetensors");
    }

    @Test
    void refusesToWriteWhatCouldNotBeRead() {
        assertThatThrownBy(
                        () -> PeftFormat.write(directory, adapter.withSavedModules(Map.of()), CARD))
                .hasMessageContaining("lacks the tensors of classifier");
        Map<String, Factors> surplus = new LinkedHashMap<>(adapter.layers());
        surplus.put("encoder.layer.0.output.dense", adapter.layer(QUERY));
        assertThatThrownBy(() -> PeftFormat.write(directory, adapter.withLayers(surplus), CARD))
                .hasMessageContaining("does not choose its layer encoder.layer.0.output.dense");
        HostTensor nan = HostTensor.of(new float[] {Float.NaN}, 1);
        assertThatThrownBy(
                        () ->
                                PeftFormat.write(
                                        directory,
                                        adapter.withSavedModules(Map.of("classifier.bias", nan)),
                                        CARD))
                .hasMessageContaining("not finite");
        assertThat(directory).doesNotExist();
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aFailedWriteLeavesTheOldAdapter() throws IOException {
        PeftFormat.write(directory, adapter, CARD);
        LoraAdapter tooGreat = AdapterMath.scale(adapter, 1e6);
        assertThatThrownBy(() -> PeftFormat.write(directory, tooGreat, CARD, Dtype.F16))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("beyond the range of F16");
        assertThat(PeftFormat.read(directory).digest()).isEqualTo(adapter.digest());
        Files.writeString(directory.resolve("thesis.txt"), "irreplaceable");
        assertThatThrownBy(() -> PeftFormat.write(directory, adapter, CARD))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("holds thesis.txt, which would be lost");
        assertThat(directory.resolve("thesis.txt")).hasContent("irreplaceable");
        assertThat(folder.toFile().list()).containsExactly("adapter");
    }

    @Test
    void refusesAFileInPlaceOfTheDirectory() throws IOException {
        Files.writeString(directory, "x");
        assertThatThrownBy(() -> PeftFormat.write(directory, adapter, CARD))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(directory).hasContent("x");
    }
}
