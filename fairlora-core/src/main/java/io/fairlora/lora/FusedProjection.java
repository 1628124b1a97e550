package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One linear layer that computes what several do elsewhere, its rows theirs one after the other: as
 * timm's {@code attn.qkv} computes query, key and value. An adapter of either form has an exact
 * counterpart in the other.
 *
 * <pre>{@code
 * FusedProjection qkv =
 *         new FusedProjection("blocks.0.attn.qkv", List.of("layer.0.query", "layer.0.key", "layer.0.value"));
 * LoraAdapter fused = FusedProjection.fuse(adapter, List.of(qkv));
 * }</pre>
 *
 * @param path the path of the fused layer
 * @param parts the paths of the layers that it stands for, all of one size, in the order of rows
 */
public record FusedProjection(String path, List<String> parts) {

    /** Copies the list, and refuses fewer than two parts. */
    public FusedProjection {
        parts = ImmutableList.copyOf(parts);
        checkArgument(parts.size() >= 2, "a fused layer has at least two parts, found %s", parts);
    }

    /**
     * Brings an adapter of separate layers onto fused ones: A = [A_1; A_2; ...], B block-diagonal,
     * ranks add up. Parts that the adapter lacks stay unchanged, and so do layers of no projection.
     *
     * @param adapter the adapter
     * @param projections the fused layers
     * @return an adapter that computes the same
     * @throws IllegalArgumentException if the adapter is not {@link LoraAdapter#isAdditive
     *     additive}, or the parts of a projection are of different sizes
     */
    public static LoraAdapter fuse(LoraAdapter adapter, List<FusedProjection> projections) {
        adapter.requireAdditive("brought onto fused layers");
        Map<String, Factors> layers = new LinkedHashMap<>(adapter.layers());
        for (FusedProjection projection : projections) {
            Factors fused = projection.fuse(adapter.layers());
            layers.keySet().removeAll(projection.parts());
            if (fused != null) {
                layers.put(projection.path(), fused);
            }
        }
        return onto(adapter, layers);
    }

    /**
     * Brings an adapter of fused layers onto separate ones: every part gets A, and its rows of B.
     *
     * @param adapter the adapter
     * @param projections the fused layers
     * @return an adapter that computes the same
     * @throws IllegalArgumentException if the adapter is not {@link LoraAdapter#isAdditive
     *     additive}, or the parts of a projection do not divide its rows
     */
    public static LoraAdapter split(LoraAdapter adapter, List<FusedProjection> projections) {
        adapter.requireAdditive("brought onto separate layers");
        Map<String, Factors> layers = new LinkedHashMap<>(adapter.layers());
        for (FusedProjection projection : projections) {
            Factors fused = layers.remove(projection.path());
            if (fused != null) {
                layers.putAll(projection.split(fused));
            }
        }
        return onto(adapter, layers);
    }

    private static LoraAdapter onto(LoraAdapter adapter, Map<String, Factors> layers) {
        return new LoraAdapter(
                AdapterMath.configOf(List.of(adapter), layers),
                layers,
                adapter.savedModules(),
                adapter.provenance());
    }

    private @Nullable Factors fuse(Map<String, Factors> layers) {
        List<Factors> present = new ArrayList<>();
        for (String part : parts) {
            Factors factors = layers.get(part);
            if (factors != null) {
                present.add(factors);
            }
        }
        if (present.isEmpty()) {
            return null;
        }
        Factors first = present.get(0);
        boolean oneScale = present.stream().allMatch(f -> f.scale() == first.scale());
        int rank = present.stream().mapToInt(Factors::rank).sum();
        int in = first.inputSize();
        int out = first.outputSize();
        float[] a = new float[Math.multiplyExact(rank, in)];
        float[] b = new float[Math.multiplyExact(out * parts.size(), rank)];
        float[] bias = new float[out * parts.size()];
        int row = 0;
        for (int part = 0; part < parts.size(); part++) {
            Factors factors = layers.get(parts.get(part));
            if (factors == null) {
                continue;
            }
            checkArgument(
                    factors.inputSize() == in
                            && factors.outputSize() == out
                            && factors.kind().isLinear(),
                    "layer %s is (%s, %s), other parts of %s are (%s, %s)",
                    parts.get(part),
                    factors.outputSize(),
                    factors.inputSize(),
                    path,
                    out,
                    in);
            double scale = oneScale ? 1 : factors.scale();
            factors.a().buffer().get(a, row * in, factors.a().size());
            for (int o = 0; o < out; o++) {
                for (int r = 0; r < factors.rank(); r++) {
                    b[(part * out + o) * rank + row + r] =
                            (float) (scale * factors.b().get(o * factors.rank() + r));
                }
                HostTensor own = factors.bias();
                if (own != null) {
                    bias[part * out + o] = (float) (scale * own.get(o));
                }
            }
            row += factors.rank();
        }
        return first.with(
                HostTensor.of(a, rank, in),
                HostTensor.of(b, (long) out * parts.size(), rank),
                oneScale ? first.scale() : 1,
                first.bias() == null ? null : HostTensor.of(bias, bias.length));
    }

    private Map<String, Factors> split(Factors fused) {
        int out = fused.outputSize() / parts.size();
        checkArgument(
                out * parts.size() == fused.outputSize(),
                "layer %s has %s rows, which are not those of %s layers of one size",
                path,
                fused.outputSize(),
                parts.size());
        Map<String, Factors> layers = new LinkedHashMap<>();
        for (int part = 0; part < parts.size(); part++) {
            float[] b = new float[out * fused.rank()];
            fused.b().buffer().get(part * b.length, b);
            HostTensor bias = fused.bias();
            float[] own = new float[out];
            if (bias != null) {
                bias.buffer().get(part * out, own);
            }
            layers.put(
                    parts.get(part),
                    fused.with(
                            fused.a(),
                            HostTensor.of(b, out, fused.rank()),
                            fused.scale(),
                            bias == null ? null : HostTensor.of(own, out)));
        }
        return layers;
    }
}
