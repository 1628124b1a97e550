package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fairlora.lora.CentreCrop;
import io.fairlora.lora.CentreCrop.Rounding;
import io.fairlora.lora.Interpolation;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.vision.vit.LoadOptions.ImageSize;
import io.fairlora.vision.vit.VitConfig.Activation;
import io.fairlora.vision.vit.VitConfig.FeedForward;
import io.fairlora.vision.vit.VitConfig.Stem;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * {@code config.json} as timm's models have it on the hub. It names an architecture whose defaults
 * only timm's code knows; all that the shapes of the weights tell is taken from them, the rest from
 * the name.
 */
final class TimmConfig {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern ARCHITECTURE =
            Pattern.compile(
                    "(?:(?:vit|deit|deit3)_([a-z0-9]+)_.*|flexivit_([a-z]+)|eva_(large)_.*)");

    /** The number of heads by the size in an architecture's name. */
    private static final Map<String, Integer> HEADS =
            Map.ofEntries(
                    Map.entry("tiny", 3),
                    Map.entry("xsmall", 4),
                    Map.entry("wee", 4),
                    Map.entry("little", 5),
                    Map.entry("small", 6),
                    Map.entry("medium", 8),
                    Map.entry("mediumd", 8),
                    Map.entry("betwixt", 10),
                    Map.entry("base", 12),
                    Map.entry("so150m2", 13),
                    Map.entry("so150m", 14),
                    Map.entry("large", 16),
                    Map.entry("huge", 16),
                    Map.entry("giant", 16),
                    Map.entry("gigantic", 16),
                    Map.entry("so400m", 16),
                    Map.entry("giantopt", 16));

    /** Architectures of SigLIP whose GELU is approximated by tanh. */
    private static final Pattern TANH =
            Pattern.compile(
                    ".*(patch32_siglip|large_patch16_siglip_(gap_)?512|so400m_patch16_siglip"
                            + "|giantopt_patch16_siglip).*");

    private final String name;
    private final JsonNode json;
    private final JsonNode arguments;
    private final JsonNode pretrained;
    private final SafetensorsFile weights;

    private TimmConfig(JsonNode json, SafetensorsFile weights) {
        this.json = json;
        this.weights = weights;
        name = json.path("architecture").asText();
        arguments = json.path("model_args");
        // An older form has the fields of pretrained_cfg beside the architecture.
        pretrained = json.has("pretrained_cfg") ? json.path("pretrained_cfg") : json;
    }

    /** Whether the content of a {@code config.json} is timm's. */
    static boolean is(JsonNode json) {
        return json.path("architecture").isTextual() && !json.has("model_type");
    }

    static VitConfig parse(JsonNode json, SafetensorsFile weights) {
        return new TimmConfig(json, weights).parse();
    }

    private VitConfig parse() {
        Matcher matcher = ARCHITECTURE.matcher(name);
        checkArgument(
                matcher.matches(),
                "architecture must be one of timm's vit, deit, deit3 or flexivit, found %s",
                name);
        checkArgument(
                !name.contains("_rpn_") && !name.contains("_pwee_"),
                "architecture %s has layers that are not supported (post-norm or parallel)",
                name);
        for (String argument : List.of("qk_norm", "pool_include_prefix", "scale_attn_norm")) {
            checkArgument(
                    !arguments.path(argument).asBoolean(false),
                    "model_args of %s: %s is not supported",
                    name,
                    argument);
        }
        Shape patch = shape("patch_embed.proj.weight", 4);
        checkArgument(
                patch.get(1) == 3 && patch.get(2) == patch.get(3),
                "patch_embed.proj.weight must have 3 channels and square patches, found %s",
                patch);
        int d = (int) patch.get(0);
        long fc1 = shape("blocks.0.mlp.fc1.weight", 2).get(0);
        long fc2 = shape("blocks.0.mlp.fc2.weight", 2).get(1);
        boolean gated = fc1 == 2 * fc2;
        checkArgument(
                !gated || name.contains("_dinov2"),
                "architecture %s has a gated feed-forward part, which is supported for DINOv2"
                        + " only",
                name);
        ImageSize size = imageSize();
        int patchSize = (int) patch.get(2);
        return new VitConfig(
                VitFamily.TIMM,
                d,
                layers(),
                heads(matcher),
                (int) fc2,
                size.height(),
                size.width(),
                patchSize,
                name.contains("_clip_") ? 1e-5 : 1e-6,
                has("blocks.0.attn.qkv.bias"),
                activation(),
                gated ? FeedForward.SWIGLU : FeedForward.MLP,
                has("blocks.0.ls1.gamma"),
                stem(size.height() / patchSize * (size.width() / patchSize)),
                pooling(),
                labels());
    }

    private boolean has(String weight) {
        return weights.names().contains(weight);
    }

    private Shape shape(String weight, int dimensions) {
        checkArgument(has(weight), "a model of architecture %s needs %s", name, weight);
        Shape shape = weights.info(weight).shape();
        checkArgument(
                shape.dimension() == dimensions,
                "%s must have %s dimensions, found %s",
                weight,
                dimensions,
                shape);
        return shape;
    }

    private int layers() {
        int layers = 0;
        while (has("blocks." + layers + ".norm1.weight")) {
            layers++;
        }
        return layers;
    }

    private int heads(Matcher matcher) {
        if (arguments.path("num_heads").isInt()) {
            return arguments.path("num_heads").asInt();
        }
        String size = "";
        for (int group = 1; group <= matcher.groupCount(); group++) {
            size = matcher.group(group) == null ? size : matcher.group(group);
        }
        if (name.contains("_giant_patch14") && name.contains("_dinov2")) {
            return 24;
        }
        if (size.equals("base") && name.contains("_plus_")) {
            return 14;
        }
        if (name.startsWith("vit_base_patch16_gap_")) {
            return 16;
        }
        Integer heads = HEADS.get(size);
        checkArgument(
                heads != null,
                "the number of heads of architecture %s is not known; give model_args.num_heads",
                name);
        return heads;
    }

    private ImageSize imageSize() {
        JsonNode size = arguments.path("img_size");
        if (size.isArray()) {
            return new ImageSize(size.path(0).asInt(), size.path(1).asInt());
        }
        if (size.isInt()) {
            return new ImageSize(size.asInt(), size.asInt());
        }
        JsonNode input = pretrained.path("input_size");
        checkArgument(
                input.isArray() && input.size() == 3,
                "input_size must be channels, height and width, found %s",
                input);
        return new ImageSize(input.path(1).asInt(), input.path(2).asInt());
    }

    private Activation activation() {
        JsonNode given = arguments.path("act_layer");
        if (given.isTextual()) {
            return switch (given.asText()) {
                case "gelu" -> Activation.GELU;
                case "gelu_tanh" -> Activation.GELU_TANH;
                case "quick_gelu" -> Activation.QUICK_GELU;
                case "relu" -> Activation.RELU;
                case "silu", "swish" -> Activation.SILU;
                default ->
                        throw new IllegalArgumentException(
                                "act_layer must be gelu, gelu_tanh, quick_gelu, relu or silu,"
                                        + " found "
                                        + given.asText());
            };
        }
        if (name.contains("quickgelu")) {
            return Activation.QUICK_GELU;
        }
        return TANH.matcher(name).matches() ? Activation.GELU_TANH : Activation.GELU;
    }

    private Stem stem(int patches) {
        boolean norm = has("norm_pre.weight");
        boolean cls = has("cls_token");
        boolean distillation = has("dist_token");
        int registers = has("reg_token") ? (int) shape("reg_token", 3).get(1) : 0;
        int before = (cls ? 1 : 0) + (distillation ? 1 : 0);
        long positions = shape("pos_embed", 3).get(1) - patches;
        checkArgument(
                positions == 0 || positions == before || positions == before + registers,
                "pos_embed has %s positions, the images have %s patches",
                positions + patches,
                patches);
        return new Stem(cls, distillation, registers, (int) positions, norm);
    }

    private Pooling pooling() {
        String pool =
                json.path("global_pool")
                        .asText(
                                arguments
                                        .path("global_pool")
                                        .asText(name.contains("gap") ? "avg" : "token"));
        return switch (pool) {
            case "token" -> has("dist_token") ? Pooling.CLS_DISTILLATION : Pooling.CLS;
            case "avg" -> has("fc_norm.weight") ? Pooling.MEAN_NORM : Pooling.MEAN;
            default ->
                    throw new IllegalArgumentException(
                            "global_pool must be token or avg, found " + pool);
        };
    }

    private List<String> labels() {
        return labels(json);
    }

    /** The names of the classes in the order of their numbers; empty if there are none. */
    static List<String> labels(JsonNode json) {
        JsonNode names = json.path("label_names");
        if (names.isMissingNode()) {
            names = json.path("pretrained_cfg").path("label_names");
        }
        List<String> labels = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            JsonNode label = names.isArray() ? names.get(i) : names.get(Integer.toString(i));
            if (label == null) {
                return List.of();
            }
            labels.add(label.asText());
        }
        return List.copyOf(labels);
    }

    /** timm's evaluation transform for images of the size that the file names. */
    static VitPreprocessing preprocessing(JsonNode json) {
        JsonNode fields = json.has("pretrained_cfg") ? json.path("pretrained_cfg") : json;
        JsonNode input = fields.path("input_size");
        checkArgument(
                input.isMissingNode() || (input.size() == 3 && input.path(0).asInt() == 3),
                "input_size must be [3, height, width], found %s",
                input);
        return preprocessing(
                json, new ImageSize(input.path(1).asInt(224), input.path(2).asInt(224)));
    }

    /** timm's evaluation transform for images of a size. */
    static VitPreprocessing preprocessing(JsonNode json, ImageSize size) {
        JsonNode fields = json.has("pretrained_cfg") ? json.path("pretrained_cfg") : json;
        String name = fields.path("interpolation").asText("bicubic");
        Interpolation interpolation =
                switch (name) {
                    case "bicubic" -> Interpolation.BICUBIC;
                    case "bilinear" -> Interpolation.BILINEAR;
                    default ->
                            throw new IllegalArgumentException(
                                    "interpolation must be bicubic or bilinear, found " + name);
                };
        Normalization normalization =
                new Normalization(
                        ImageProcessorConfig.numbers(
                                fields.path("mean"), Normalization.IMAGENET.mean()),
                        ImageProcessorConfig.numbers(
                                fields.path("std"), Normalization.IMAGENET.std()));
        String mode = fields.path("crop_mode").asText("center");
        double fraction = fields.path("crop_pct").asDouble(0.875);
        checkArgument(fraction > 0, "crop_pct must be above 0, found %s", fraction);
        int height = (int) Math.floor(size.height() / fraction);
        int width = (int) Math.floor(size.width() / fraction);
        @Nullable CentreCrop crop =
                switch (mode) {
                    case "squash" ->
                            fraction == 1
                                    ? null
                                    : CentreCrop.ofSize(height, width, Rounding.HALF_EVEN);
                    case "center" -> {
                        checkArgument(
                                height == width,
                                "crop_mode center is supported for square images only, found %s x"
                                        + " %s; give the options a preprocessing",
                                size.height(),
                                size.width());
                        yield CentreCrop.ofShortestEdge(height, Rounding.HALF_EVEN);
                    }
                    default ->
                            throw new IllegalArgumentException(
                                    "crop_mode must be center or squash, found " + mode);
                };
        return new VitPreprocessing(interpolation, normalization, crop);
    }

    static ObjectNode write(VitConfig config, VitPreprocessing preprocessing) {
        Stem stem = config.stem();
        boolean gated = config.feedForward() == FeedForward.SWIGLU;
        ObjectNode json = JSON.createObjectNode();
        json.put("architecture", architecture(config));
        json.put("num_classes", 0);
        json.put("num_features", config.hiddenSize());
        boolean mean = config.pooling() == Pooling.MEAN || config.pooling() == Pooling.MEAN_NORM;
        json.put("global_pool", mean ? "avg" : "token");
        ObjectNode arguments = json.putObject("model_args");
        arguments.putArray("img_size").add(config.imageHeight()).add(config.imageWidth());
        arguments.put("patch_size", config.patchSize());
        arguments.put("embed_dim", config.hiddenSize());
        arguments.put("depth", config.layers());
        arguments.put("num_heads", config.heads());
        arguments.put(
                "mlp_ratio",
                HuggingFaceConfig.ratio(
                        config.hiddenSize(),
                        gated ? 2 * config.intermediateSize() : config.intermediateSize()));
        arguments.put("qkv_bias", config.qkvBias());
        if (config.layerScale()) {
            arguments.put("init_values", 1e-5);
        } else {
            arguments.putNull("init_values");
        }
        arguments.put("class_token", stem.classToken());
        arguments.put("reg_tokens", stem.registers());
        arguments.put("no_embed_class", stem.positions() == 0);
        arguments.put("pre_norm", stem.norm());
        arguments.put("global_pool", mean ? "avg" : "token");
        arguments.put("fc_norm", config.pooling() == Pooling.MEAN_NORM);
        if (!gated) {
            String activation = config.activation().huggingFace();
            arguments.put("act_layer", activation.equals("gelu_new") ? "gelu_tanh" : activation);
        }
        ObjectNode pretrained = json.putObject("pretrained_cfg");
        pretrained.putArray("input_size").add(3).add(config.imageHeight()).add(config.imageWidth());
        return writePreprocessing(json, pretrained, config, preprocessing);
    }

    private static ObjectNode writePreprocessing(
            ObjectNode json,
            ObjectNode pretrained,
            VitConfig config,
            VitPreprocessing preprocessing) {
        CentreCrop crop = preprocessing.crop();
        pretrained.put(
                "interpolation",
                preprocessing.interpolation() == Interpolation.BICUBIC ? "bicubic" : "bilinear");
        preprocessing.normalization().mean().forEach(pretrained.putArray("mean")::add);
        preprocessing.normalization().std().forEach(pretrained.putArray("std")::add);
        boolean edge = crop != null && crop.resize() == CentreCrop.Resize.SHORTEST_EDGE;
        pretrained.put("crop_mode", edge ? "center" : "squash");
        pretrained.put(
                "crop_pct", crop == null ? 1.0 : (double) config.imageHeight() / crop.height());
        return json;
    }

    /** An architecture of the same block and class; all its sizes are given as arguments. */
    private static String architecture(VitConfig config) {
        if (config.stem().distillationToken()) {
            return "deit_base_distilled_patch16_224";
        }
        if (config.feedForward() == FeedForward.SWIGLU) {
            return "vit_giant_patch14_dinov2";
        }
        return config.layerNormEps() == 1e-5 ? "vit_base_patch16_clip_224" : "vit_base_patch16_224";
    }
}
