package io.fairlora.vision.vit;

import java.util.Collection;

/**
 * How a checkpoint spells its weights.
 *
 * @param prefix {@code "vit."} in a classifier's file, empty in a plain model's
 * @param layout the names of the modules
 */
record WeightNames(String prefix, Layout layout) {

    /** Names of modules by the library that wrote the file. */
    enum Layout {
        /** transformers before 5.9, and the files on the hub. */
        CLASSIC("encoder.layer."),
        /** transformers 5.9 and later. */
        RENAMED("layers."),
        /** DINOv2 in transformers. */
        DINOV2("encoder.layer."),
        /** The vision towers of CLIP and SigLIP in transformers. */
        TOWER("encoder.layers."),
        /** timm. */
        TIMM("blocks.");

        private final String layers;

        Layout(String layers) {
            this.layers = layers;
        }
    }

    /** Finds out from the names of a file's tensors. */
    static WeightNames detect(VitFamily family, Collection<String> names) {
        if (family == VitFamily.TIMM) {
            return new WeightNames("", Layout.TIMM);
        }
        boolean prefixed = names.stream().anyMatch(name -> name.startsWith(family.prefix()));
        String prefix = prefixed ? family.prefix() : "";
        if (names.contains(prefix + "layers.0.attention.q_proj.weight")) {
            return new WeightNames(prefix, Layout.RENAMED);
        }
        if (family.isTower()) {
            return new WeightNames(prefix, Layout.TOWER);
        }
        return new WeightNames(prefix, family.isDinov2() ? Layout.DINOV2 : Layout.CLASSIC);
    }

    /** The names of a new model. */
    static WeightNames of(VitFamily family) {
        return switch (family) {
            case TIMM -> new WeightNames("", Layout.TIMM);
            case CLIP, SIGLIP -> new WeightNames(family.prefix(), Layout.TOWER);
            case DINOV2, DINOV2_WITH_REGISTERS -> new WeightNames("", Layout.DINOV2);
            default -> new WeightNames("", Layout.CLASSIC);
        };
    }

    /** The path of a part that the model has once. */
    String path(Part part) {
        return prefix + part.in(layout);
    }

    /** The path of a part of a layer. */
    String layer(int index, Part part) {
        return prefix + layout.layers + index + "." + part.in(layout);
    }

    /** Whether a name is that of a weight of the transformer, not of something beside it. */
    boolean isWithin(String name) {
        if (!name.startsWith(prefix)) {
            return false;
        }
        String rest = name.substring(prefix.length());
        return rest.startsWith(layout.layers)
                || rest.startsWith("embeddings.")
                || rest.startsWith("encoder.")
                || rest.startsWith("patch_embed.")
                || rest.equals("pos_embed");
    }

    /**
     * Where the file keeps a weight: rows of a larger tensor, or a tensor of its own.
     *
     * @param tensor its name in the file
     * @param part which of the equal parts of its rows, from 0
     * @param parts how many there are
     */
    record Place(String tensor, int part, int parts) {}

    /** Where a file of this layout keeps the weight of a name. */
    Place place(String name) {
        if (layout == Layout.TIMM) {
            Part[] fused = {Part.QUERY, Part.KEY, Part.VALUE};
            for (int i = 0; i < fused.length; i++) {
                String own = "." + fused[i].in(layout) + ".";
                if (name.contains(own)) {
                    return new Place(name.replace(own, ".attn.qkv."), i, fused.length);
                }
            }
        }
        return new Place(name, 0, 1);
    }

    /** The modules of a model, once each and then once a layer, in the order of application. */
    enum Part {
        CLASS_TOKEN("embeddings.cls_token", "embeddings.cls_token", "cls_token"),
        DISTILLATION_TOKEN(
                "embeddings.distillation_token", "embeddings.distillation_token", "dist_token"),
        REGISTERS("embeddings.register_tokens", "embeddings.register_tokens", "reg_token"),
        POSITIONS("embeddings.position_embeddings", "embeddings.position_embeddings", "pos_embed"),
        PATCHES(
                "embeddings.patch_embeddings.projection",
                "embeddings.patch_embeddings.projection",
                "patch_embed.proj"),
        STEM_NORM("pre_layernorm", "pre_layernorm", "norm_pre"),
        FINAL_NORM("layernorm", "layernorm", "norm"),
        POOLED_NORM("pooled_layernorm", "pooled_layernorm", "fc_norm"),
        NORM_BEFORE("layernorm_before", "norm1", "norm1"),
        QUERY("attention.attention.query", "attention.attention.query", "attn.q_proj"),
        KEY("attention.attention.key", "attention.attention.key", "attn.k_proj"),
        VALUE("attention.attention.value", "attention.attention.value", "attn.v_proj"),
        OUTPUT("attention.output.dense", "attention.output.dense", "attn.proj"),
        ATTENTION_SCALE("layer_scale1.lambda1", "layer_scale1.lambda1", "ls1.gamma"),
        NORM_AFTER("layernorm_after", "norm2", "norm2"),
        FC1("intermediate.dense", "mlp.fc1", "mlp.fc1"),
        FC2("output.dense", "mlp.fc2", "mlp.fc2"),
        GATED_IN("mlp.weights_in", "mlp.weights_in", "mlp.fc1"),
        GATED_OUT("mlp.weights_out", "mlp.weights_out", "mlp.fc2"),
        FEED_FORWARD_SCALE("layer_scale2.lambda1", "layer_scale2.lambda1", "ls2.gamma");

        private final String classic;
        private final String dinov2;
        private final String timm;

        Part(String classic, String dinov2, String timm) {
            this.classic = classic;
            this.dinov2 = dinov2;
            this.timm = timm;
        }

        private String in(Layout layout) {
            return switch (layout) {
                case CLASSIC -> classic;
                case RENAMED -> renamed();
                case DINOV2 -> dinov2;
                case TOWER -> tower();
                case TIMM -> timm;
            };
        }

        private String tower() {
            return switch (this) {
                case CLASS_TOKEN -> "embeddings.class_embedding";
                case POSITIONS -> "embeddings.position_embedding.weight";
                case PATCHES -> "embeddings.patch_embedding";
                case STEM_NORM -> "pre_layrnorm";
                case FINAL_NORM -> "post_layernorm";
                case NORM_BEFORE -> "layer_norm1";
                case QUERY -> "self_attn.q_proj";
                case KEY -> "self_attn.k_proj";
                case VALUE -> "self_attn.v_proj";
                case OUTPUT -> "self_attn.out_proj";
                case NORM_AFTER -> "layer_norm2";
                case FC1 -> "mlp.fc1";
                case FC2 -> "mlp.fc2";
                default -> classic;
            };
        }

        private String renamed() {
            return switch (this) {
                case QUERY -> "attention.q_proj";
                case KEY -> "attention.k_proj";
                case VALUE -> "attention.v_proj";
                case OUTPUT -> "attention.o_proj";
                case FC1 -> "mlp.fc1";
                case FC2 -> "mlp.fc2";
                default -> classic;
            };
        }
    }
}
