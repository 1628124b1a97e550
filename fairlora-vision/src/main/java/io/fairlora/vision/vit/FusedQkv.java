package io.fairlora.vision.vit;

import io.fairlora.lora.FusedProjection;
import io.fairlora.lora.LoraAdapter;
import java.util.List;

/**
 * Adapters on timm's models, whose query, key and value are one linear layer {@code attn.qkv} there
 * and three here: {@code attn.q_proj}, {@code attn.k_proj} and {@code attn.v_proj}.
 *
 * <p>Both directions are exact ({@link FusedProjection}). An adapter on the one layer is three that
 * share A, with a third of the rows of B each. Three adapters are one on the fused layer whose rank
 * is the sum of theirs.
 */
public final class FusedQkv {

    private static final String FUSED = "qkv";
    private static final List<String> PARTS = List.of("q_proj", "k_proj", "v_proj");

    private FusedQkv() {}

    /**
     * Whether an adapter changes a fused layer.
     *
     * @param adapter an adapter, as PEFT makes it on a model of timm
     * @return whether {@link #split} changes it
     */
    public static boolean isFused(LoraAdapter adapter) {
        return adapter.layers().keySet().stream().anyMatch(path -> last(path).equals(FUSED));
    }

    /**
     * An adapter for a model of this library from one that PEFT trained on a model of timm.
     *
     * @param adapter changes layers named {@code qkv}, and maybe others, which stay as they are
     * @return the same change to three layers each
     * @throws IllegalArgumentException if the rows of a fused B are no multiple of 3, or the
     *     adapter is more than a sum of changes ({@link LoraAdapter#isAdditive})
     */
    public static LoraAdapter split(LoraAdapter adapter) {
        return FusedProjection.split(adapter, projections(adapter, List.of(FUSED)));
    }

    /**
     * An adapter that PEFT reads on a model of timm from one on a model of this library.
     *
     * @param adapter changes one or more of query, key and value of layers of equal size
     * @return the same change to the fused layers
     * @throws IllegalArgumentException if the adapter is more than a sum of changes ({@link
     *     LoraAdapter#isAdditive})
     */
    public static LoraAdapter fuse(LoraAdapter adapter) {
        return FusedProjection.fuse(adapter, projections(adapter, PARTS));
    }

    /** The fused layers that an adapter names, whole or by one of their parts. */
    private static List<FusedProjection> projections(LoraAdapter adapter, List<String> names) {
        return adapter.layers().keySet().stream()
                .filter(path -> names.contains(last(path)))
                .map(path -> path.substring(0, path.length() - last(path).length()))
                .distinct()
                .map(
                        parent ->
                                new FusedProjection(
                                        parent + FUSED,
                                        PARTS.stream().map(part -> parent + part).toList()))
                .toList();
    }

    private static String last(String path) {
        return path.substring(path.lastIndexOf('.') + 1);
    }
}
