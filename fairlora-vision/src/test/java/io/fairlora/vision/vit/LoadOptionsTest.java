package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.Interpolation;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.Dtype;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.safetensors.SafetensorsWriter;
import io.fairlora.vision.vit.VitConfig.Activation;
import io.fairlora.vision.vit.VitConfig.FeedForward;
import io.fairlora.vision.vit.VitConfig.Stem;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models in other places, under other names and for other images; and what is refused of them. */
class LoadOptionsTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final VitConfig DINOV2 =
            new VitConfig(
                    VitFamily.DINOV2,
                    16,
                    1,
                    2,
                    24,
                    21,
                    21,
                    7,
                    1e-6,
                    true,
                    Activation.GELU,
                    FeedForward.MLP,
                    true,
                    Stem.CLASS,
                    Pooling.CLS,
                    List.of());

    @TempDir private Path folder;

    private static HostTensor features(VisionTransformer vit) {
        try (NDManager scope = vit.manager().newSubManager()) {
            long height = vit.input().height();
            long width = vit.input().width();
            return GradientMode.OFF.get(
                    () ->
                            HostTensor.copyOf(
                                    vit.features(
                                            scope.arange((float) (3 * height * width))
                                                    .mod(251)
                                                    .reshape(new Shape(1, 3, height, width)))));
        }
    }

    private void save(VitConfig config) throws IOException {
        try (VisionTransformer vit =
                VisionTransformer.random(config, DataType.FLOAT32, Device.cpu(), 1)) {
            vit.save(folder, false);
        }
    }

    private static void edit(Path file, Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = (ObjectNode) JSON.readTree(Files.readString(file));
        change.accept(json);
        Files.writeString(file, json.toString());
    }

    @Test
    void aFileOfWeightsIsLoadedWithTheConfigurationBesideIt() throws IOException {
        save(DINOV2);
        Path file = folder.resolve("model.safetensors");
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu());
                VisionTransformer same = VisionTransformer.load(file, Device.cpu())) {
            assertThat(same.digest()).isEqualTo(vit.digest());
        }
    }

    @Test
    void aFileOfWeightsIsLoadedWithAGivenConfiguration() throws IOException {
        save(DINOV2);
        Path file = Files.createDirectory(folder.resolve("alone")).resolve("weights.safetensors");
        Files.copy(folder.resolve("model.safetensors"), file);
        assertThatThrownBy(() -> VisionTransformer.load(file, Device.cpu()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("config.json");
        LoadOptions options = LoadOptions.DEFAULT.withConfig(DINOV2);
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu());
                VisionTransformer same = VisionTransformer.load(file, Device.cpu(), options)) {
            assertThat(same.digest()).isEqualTo(vit.digest());
        }
    }

    @Test
    void shardsAreLoadedByTheirIndex() throws IOException {
        save(DINOV2);
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu())) {
            Path whole = folder.resolve("model.safetensors");
            ObjectNode index = JSON.createObjectNode();
            ObjectNode map = index.putObject("weight_map");
            try (SafetensorsFile weights = SafetensorsFile.open(whole)) {
                Map<String, HostTensor> first = new LinkedHashMap<>();
                Map<String, HostTensor> second = new LinkedHashMap<>();
                for (String name : weights.names()) {
                    boolean even = map.size() % 2 == 0;
                    (even ? first : second).put(name, weights.read(name));
                    map.put(name, even ? "a.safetensors" : "b.safetensors");
                }
                SafetensorsWriter.write(
                        folder.resolve("a.safetensors"), first, Map.of(), Dtype.F32);
                SafetensorsWriter.write(
                        folder.resolve("b.safetensors"), second, Map.of(), Dtype.F32);
            }
            Files.delete(whole);
            Files.writeString(folder.resolve("model.safetensors.index.json"), index.toString());
            try (VisionTransformer same = VisionTransformer.load(folder, Device.cpu())) {
                assertThat(same.digest()).isEqualTo(vit.digest());
            }
        }
    }

    @Test
    void anotherPoolingGivesOtherFeatures() throws IOException {
        save(DINOV2);
        LoadOptions both = LoadOptions.DEFAULT.withPooling(Pooling.CLS_MEAN);
        LoadOptions mean = LoadOptions.DEFAULT.withPooling(Pooling.MEAN);
        try (VisionTransformer cls = VisionTransformer.load(folder, Device.cpu());
                VisionTransformer average = VisionTransformer.load(folder, Device.cpu(), mean);
                VisionTransformer vit = VisionTransformer.load(folder, Device.cpu(), both)) {
            float[] expected = new float[32];
            System.arraycopy(features(cls).toArray(), 0, expected, 0, 16);
            System.arraycopy(features(average).toArray(), 0, expected, 16, 16);
            // The class token alone takes a shorter way through the last layer.
            assertThat(features(vit).toArray()).containsExactly(expected, within(1e-5f));
        }
    }

    @Test
    void dinov2TakesTheSizeThatItsProcessorMakes() throws IOException {
        save(DINOV2);
        edit(
                folder.resolve("preprocessor_config.json"),
                json -> {
                    json.put("image_processor_type", "BitImageProcessor");
                    json.putObject("size").put("shortest_edge", 40);
                    json.put("do_center_crop", true);
                    json.putObject("crop_size").put("height", 35).put("width", 35);
                });
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu())) {
            assertThat(vit.input().height()).isEqualTo(35);
            assertThat(vit.input().crop())
                    .isEqualTo(CentreCrop.ofShortestEdge(40, CentreCrop.Rounding.DOWN));
            assertThat(vit.config().patches()).isEqualTo(25);
            assertThat(features(vit).isFinite()).isTrue();
        }
        LoadOptions twice = LoadOptions.DEFAULT.withImageSize(70, 70);
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu(), twice)) {
            assertThat(vit.input().crop())
                    .isEqualTo(CentreCrop.ofShortestEdge(80, CentreCrop.Rounding.DOWN));
        }
    }

    @Test
    void anAdapterTrainedOnTheClassifierFitsThePlainModel() throws IOException {
        save(DINOV2);
        String path = "dinov2.encoder.layer.0.attention.attention.query";
        LoraAdapter adapter =
                LoraAdapter.of(
                                LoraConfig.builder().rank(1).targetModules("query").build(),
                                Map.of(
                                        path,
                                        new Factors(
                                                HostTensor.of(new float[16], 1, 16),
                                                HostTensor.of(new float[16], 16, 1),
                                                1)))
                        .withSavedModules(
                                Map.of("classifier.weight", HostTensor.of(new float[64], 2, 32)));
        LoadOptions options = LoadOptions.DEFAULT.withAdapter(adapter);
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu(), options)) {
            assertThat(vit.loraLayers()).containsKey(path);
            assertThat(vit.featureSize()).isEqualTo(32);
            LoraInjector.attach(vit, adapter, "adapter", 1, false).close();
        }
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> LoraInjector.attach(vit, adapter, "adapter", 1, false));
        }
    }

    @Test
    void anImageSmallerThanAPatchIsRefused() throws IOException {
        save(DINOV2);
        LoadOptions options = LoadOptions.DEFAULT.withImageSize(6, 21);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VisionTransformer.load(folder, Device.cpu(), options))
                .withMessage("image_size 6 x 21 is less than patch_size 7");
    }

    @Test
    void aWeightThatTheArchitectureDoesNotHaveIsNamed() throws IOException {
        save(DINOV2);
        edit(folder.resolve("config.json"), json -> json.put("qkv_bias", false));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .withMessageContaining(
                        "encoder.layer.0.attention.attention.query.bias is unexpected");
    }

    @Test
    void aFurtherLayerInTheFileIsNamed() throws IOException {
        save(VitConfig.of(16, 2, 2, 16, 8));
        edit(folder.resolve("config.json"), json -> json.put("num_hidden_layers", 1));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .withMessageContaining("encoder.layer.1.output.dense.weight is unexpected");
    }

    @Test
    void whatConfigurationsMustNotSayIsRefusedByName() throws IOException {
        assertRefused("hidden_act must be gelu", json -> json.put("hidden_act", "mish"));
        assertRefused("num_channels must be 3, found 1", json -> json.put("num_channels", 1));
        assertRefused(
                "patch_size must be the same in both directions",
                json -> json.putArray("patch_size").add(7).add(8));
        assertRefused(
                "fairlora_pooling must be the name of a pooling, found max",
                json -> json.put("fairlora_pooling", "max"));
        assertRefused(
                "pooling CLS_DISTILLATION needs a class token and a distillation token",
                json -> json.put("fairlora_pooling", "cls_distillation"));
        assertRefused(
                "pooling MEAN_NORM is timm's", json -> json.put("fairlora_pooling", "mean_norm"));
    }

    private void assertRefused(String message, Consumer<ObjectNode> change) throws IOException {
        save(DINOV2);
        edit(folder.resolve("config.json"), change);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .withMessageStartingWith(folder.resolve("config.json") + ": ")
                .withMessageContaining(message);
    }

    @Test
    void whatTimmConfigurationsMustNotSayIsRefusedByName() throws IOException, URISyntaxException {
        assertTimmRefused("found resnet50", json -> json.put("architecture", "resnet50"));
        assertTimmRefused(
                "layers that are not supported",
                json -> json.put("architecture", "vit_base_patch16_rpn_224"));
        assertTimmRefused(
                "global_pool must be token or avg, found map",
                json -> json.put("global_pool", "map"));
        assertTimmRefused(
                "number of heads of architecture vit_odd_patch16_224 is not known",
                json -> {
                    json.put("architecture", "vit_odd_patch16_224");
                    ((ObjectNode) json.get("model_args")).remove("num_heads");
                });
        assertTimmRefused(
                "qk_norm is not supported",
                json -> ((ObjectNode) json.get("model_args")).put("qk_norm", true));
        assertTimmRefused(
                "pos_embed has 10 positions, the images have 16 patches",
                json -> ((ObjectNode) json.get("model_args")).put("img_size", 32));
        assertTimmRefused(
                "interpolation must be bicubic or bilinear, found lanczos",
                json -> ((ObjectNode) json.get("pretrained_cfg")).put("interpolation", "lanczos"));
    }

    private void assertTimmRefused(String message, Consumer<ObjectNode> change)
            throws IOException, URISyntaxException {
        Path golden = Path.of(LoadOptionsTest.class.getResource("/golden/timm/vit").toURI());
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.write(folder.resolve(file), Files.readAllBytes(golden.resolve(file)));
        }
        edit(folder.resolve("config.json"), change);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VisionTransformer.load(folder, Device.cpu()))
                .withMessageStartingWith(folder.resolve("config.json") + ": ")
                .withMessageContaining(message);
    }

    @Test
    void whatProcessorsMustNotSayIsRefusedByName() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> processor("{\"resample\": 0}"))
                .withMessage("resample must be 2 (bilinear) or 3 (bicubic), found 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> processor("{\"size\": {\"shortest_edge\": 9}}"))
                .withMessageContaining("expected height and width or a centre crop");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> processor("{\"size\": {\"longest_edge\": 9}}"))
                .withMessageContaining("longest_edge is not supported");
    }

    private static VitPreprocessing processor(String json) throws IOException {
        return VitPreprocessing.parse(JSON.readTree(json));
    }

    @Test
    void processorsHaveTheDefaultsOfTheirClass() throws IOException {
        assertThat(processor("{}")).isEqualTo(VitPreprocessing.DEFAULT);
        VitPreprocessing deit =
                processor("{\"feature_extractor_type\": \"DeiTFeatureExtractor\", \"size\": 300}");
        assertThat(deit.crop()).isEqualTo(CentreCrop.ofSize(300, 300, CentreCrop.Rounding.DOWN));
        VitPreprocessing clip = processor("{\"image_processor_type\": \"CLIPImageProcessorFast\"}");
        assertThat(clip.crop()).isEqualTo(CentreCrop.ofShortestEdge(224, CentreCrop.Rounding.DOWN));
        assertThat(clip.normalization()).isEqualTo(Normalization.CLIP);
    }

    @Test
    void everyPreprocessingIsWrittenAsItIsRead() {
        VitConfig config = VitConfig.of(16, 1, 2, 32, 8);
        Stream.of(
                        null,
                        CentreCrop.ofSize(40, 41, CentreCrop.Rounding.DOWN),
                        CentreCrop.ofShortestEdge(40, CentreCrop.Rounding.DOWN),
                        CentreCrop.ofOriginal(CentreCrop.Rounding.DOWN))
                .map(
                        crop ->
                                new VitPreprocessing(
                                        Interpolation.BICUBIC, Normalization.IMAGENET, crop))
                .forEach(
                        preprocessing -> {
                            JsonNode json = preprocessing.toJson(config);
                            assertThat(VitPreprocessing.parse(json)).isEqualTo(preprocessing);
                        });
    }
}
