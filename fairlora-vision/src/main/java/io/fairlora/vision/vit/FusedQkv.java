package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.HostTensor;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Adapters on timm's models, whose query, key and value are one linear layer {@code attn.qkv} there
 * and three here: {@code attn.q_proj}, {@code attn.k_proj} and {@code attn.v_proj}.
 *
 * <p>Both directions are exact. An adapter on the one layer is three that share A, with a third of
 * the rows of B each. Three adapters are one on the fused layer whose A holds theirs one below the
 * other and whose B holds theirs along the diagonal; its rank is the sum of theirs.
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
        return adapter.layers().keySet().stream().anyMatch(path -> isNamed(path, FUSED));
    }

    /**
     * An adapter for a model of this library from one that PEFT trained on a model of timm.
     *
     * @param adapter changes layers named {@code qkv}, and maybe others, which stay as they are
     * @return the same change to three layers each
     * @throws IllegalArgumentException if the rows of a fused B are no multiple of 3
     */
    public static LoraAdapter split(LoraAdapter adapter) {
        Map<String, Factors> layers = new LinkedHashMap<>();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            if (isNamed(path, FUSED)) {
                                split(path, factors, layers);
                            } else {
                                layers.put(path, factors);
                            }
                        });
        return with(adapter, layers, List.of(FUSED), PARTS);
    }

    private static void split(String path, Factors factors, Map<String, Factors> layers) {
        int rows = factors.outputSize();
        checkArgument(
                rows % PARTS.size() == 0,
                "layer %s of the adapter has B of %s rows, expected query, key and value",
                path,
                rows);
        int part = rows / PARTS.size();
        int rank = factors.rank();
        String parent = path.substring(0, path.length() - FUSED.length());
        for (int i = 0; i < PARTS.size(); i++) {
            float[] b = new float[part * rank];
            factors.b().buffer().position(i * b.length).get(b);
            layers.put(
                    parent + PARTS.get(i),
                    new Factors(factors.a(), HostTensor.of(b, part, rank), factors.scale()));
        }
    }

    /**
     * An adapter that PEFT reads on a model of timm from one on a model of this library.
     *
     * @param adapter changes one or more of query, key and value of layers of equal size
     * @return the same change to the fused layers
     */
    public static LoraAdapter fuse(LoraAdapter adapter) {
        Map<String, Map<Integer, Factors>> fused = new LinkedHashMap<>();
        Map<String, Factors> layers = new LinkedHashMap<>();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            String last = path.substring(path.lastIndexOf('.') + 1);
                            int part = PARTS.indexOf(last);
                            if (part < 0) {
                                layers.put(path, factors);
                                return;
                            }
                            String whole = path.substring(0, path.length() - last.length()) + FUSED;
                            fused.computeIfAbsent(whole, key -> new LinkedHashMap<>())
                                    .put(part, factors);
                        });
        fused.forEach((path, parts) -> layers.put(path, fuse(parts)));
        return with(adapter, layers, PARTS, List.of(FUSED));
    }

    private static Factors fuse(Map<Integer, Factors> parts) {
        Factors first = parts.values().iterator().next();
        int in = first.inputSize();
        int out = first.outputSize();
        int rank = parts.values().stream().mapToInt(Factors::rank).sum();
        float[] a = new float[rank * in];
        float[] b = new float[PARTS.size() * out * rank];
        int from = 0;
        for (Map.Entry<Integer, Factors> entry : parts.entrySet()) {
            Factors part = entry.getValue();
            checkArgument(
                    part.inputSize() == in && part.outputSize() == out,
                    "query, key and value must be of the same size, found (%s, %s) and (%s, %s)",
                    out,
                    in,
                    part.outputSize(),
                    part.inputSize());
            part.a().buffer().get(a, from * in, part.rank() * in);
            for (int row = 0; row < out; row++) {
                for (int column = 0; column < part.rank(); column++) {
                    b[(entry.getKey() * out + row) * rank + from + column] =
                            (float) (part.b().get(row * part.rank() + column) * part.scale());
                }
            }
            from += part.rank();
        }
        return new Factors(
                HostTensor.of(a, rank, in), HostTensor.of(b, (long) PARTS.size() * out, rank), 1);
    }

    private static boolean isNamed(String path, String name) {
        return path.equals(name) || path.endsWith("." + name);
    }

    /** The adapter with other layers, and a configuration that chooses them. */
    private static LoraAdapter with(
            LoraAdapter adapter,
            Map<String, Factors> layers,
            List<String> old,
            List<String> names) {
        LoraConfig config = adapter.config();
        Set<String> targets = new LinkedHashSet<>();
        if (config.targetRegex().isPresent()) {
            targets.addAll(layers.keySet());
        } else {
            for (String target : config.targetModules()) {
                String last = target.substring(target.lastIndexOf('.') + 1);
                if (old.contains(last)) {
                    String parent = target.substring(0, target.length() - last.length());
                    names.forEach(name -> targets.add(parent + name));
                } else {
                    targets.add(target);
                }
            }
        }
        return new LoraAdapter(
                config.toBuilder().targetModules(targets.toArray(String[]::new)).build(),
                layers,
                adapter.savedModules(),
                adapter.provenance());
    }
}
