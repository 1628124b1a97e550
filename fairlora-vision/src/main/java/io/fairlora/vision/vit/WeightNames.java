package io.fairlora.vision.vit;

import java.util.Collection;

/**
 * How a checkpoint spells its weights.
 *
 * @param prefix {@code "vit."} in a classifier's file, empty in a plain model's
 * @param layout the names of the modules
 */
record WeightNames(String prefix, Layout layout) {

    /** Names of modules by generation of the library that wrote the file. */
    enum Layout {
        /** transformers before 5.9, and the files on the hub. */
        CLASSIC,
        /** transformers 5.9 and later. */
        RENAMED
    }

    /** Finds out from the names of a file's tensors. */
    static WeightNames detect(Collection<String> names) {
        String prefix = names.contains("vit.embeddings.cls_token") ? "vit." : "";
        Layout layout =
                names.contains(prefix + "layers.0.attention.q_proj.weight")
                        ? Layout.RENAMED
                        : Layout.CLASSIC;
        return new WeightNames(prefix, layout);
    }

    String embeddings(String name) {
        return prefix + "embeddings." + name;
    }

    String finalNorm() {
        return prefix + "layernorm";
    }

    String layer(int index, Part part) {
        return layout == Layout.CLASSIC
                ? prefix + "encoder.layer." + index + "." + part.classic
                : prefix + "layers." + index + "." + part.renamed;
    }

    /** The modules of a layer in the order in which they are applied. */
    enum Part {
        NORM_BEFORE("layernorm_before", "layernorm_before"),
        QUERY("attention.attention.query", "attention.q_proj"),
        KEY("attention.attention.key", "attention.k_proj"),
        VALUE("attention.attention.value", "attention.v_proj"),
        OUTPUT("attention.output.dense", "attention.o_proj"),
        NORM_AFTER("layernorm_after", "layernorm_after"),
        FC1("intermediate.dense", "mlp.fc1"),
        FC2("output.dense", "mlp.fc2");

        private final String classic;
        private final String renamed;

        Part(String classic, String renamed) {
            this.classic = classic;
            this.renamed = renamed;
        }
    }
}
