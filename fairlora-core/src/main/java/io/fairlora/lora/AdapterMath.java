package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Arithmetic with adapters as changes to weights. */
public final class AdapterMath {

    private AdapterMath() {}

    /**
     * Multiplies an adapter's change by a number.
     *
     * @param adapter the adapter
     * @param factor any finite number
     * @return an adapter with the same factors and other scales
     * @throws IllegalArgumentException if the adapter is not {@link LoraAdapter#isAdditive
     *     additive}
     */
    public static LoraAdapter scale(LoraAdapter adapter, double factor) {
        adapter.requireAdditive("scaled");
        ImmutableMap.Builder<String, Factors> layers = ImmutableMap.builder();
        adapter.layers().forEach((path, f) -> layers.put(path, f.withScale(factor * f.scale())));
        return adapter.withLayers(layers.buildOrThrow());
    }

    /**
     * Turns an adapter's change into its opposite; twice is the identity, bit for bit.
     *
     * @param adapter the adapter
     * @return an adapter with the same factors and the opposite scales
     * @throws IllegalArgumentException if the adapter is not {@link LoraAdapter#isAdditive
     *     additive}
     */
    public static LoraAdapter negate(LoraAdapter adapter) {
        return scale(adapter, -1);
    }

    /**
     * The adapter whose change is the sum of the changes of several, by concatenation: ranks add
     * up, nothing is approximated. A layer that only one of them has is taken over unchanged.
     *
     * @param adapters at least one
     * @return an adapter whose layers are those of all
     * @throws IllegalArgumentException if there is none, one of several is not {@link
     *     LoraAdapter#isAdditive additive}, a layer has different sizes in two of them, only one of
     *     two has a bias of B, or two of them save a module of the same name with different content
     */
    public static LoraAdapter add(List<LoraAdapter> adapters) {
        checkArgument(!adapters.isEmpty(), "adding adapters needs at least one");
        if (adapters.size() == 1) {
            return adapters.get(0);
        }
        Map<String, List<Factors>> byLayer = new LinkedHashMap<>();
        boolean biased = adapters.get(0).config().loraBias();
        for (LoraAdapter adapter : adapters) {
            adapter.requireAdditive("added to another");
            checkArgument(
                    adapter.config().loraBias() == biased,
                    "an adapter whose B has a bias cannot be added to one without");
            adapter.layers()
                    .forEach(
                            (path, f) ->
                                    byLayer.computeIfAbsent(path, k -> new ArrayList<>()).add(f));
        }
        Map<String, HostTensor> saved = savedModulesOf(adapters);
        ImmutableMap.Builder<String, Factors> layers = ImmutableMap.builder();
        byLayer.forEach((path, factors) -> layers.put(path, FactorMath.concatenate(path, factors)));
        ImmutableMap<String, Factors> sum = layers.buildOrThrow();
        return new LoraAdapter(configOf(adapters, sum), sum, saved, Map.of());
    }

    /**
     * The adapter whose change is the sum of two.
     *
     * @param first the first
     * @param second the second
     * @return {@link #add(List)} of both
     */
    public static LoraAdapter add(LoraAdapter first, LoraAdapter second) {
        return add(List.of(first, second));
    }

    /** The saved modules of all, refused if two differ under one name. */
    static Map<String, HostTensor> savedModulesOf(List<LoraAdapter> adapters) {
        Map<String, HostTensor> saved = new LinkedHashMap<>();
        for (LoraAdapter adapter : adapters) {
            adapter.savedModules()
                    .forEach(
                            (name, tensor) -> {
                                HostTensor before = saved.putIfAbsent(name, tensor);
                                checkArgument(
                                        before == null || before.equals(tensor),
                                        "two adapters save %s with different content, which cannot"
                                                + " be added",
                                        name);
                            });
        }
        return saved;
    }

    /** A configuration that names the layers of a sum, with the greatest of their ranks. */
    static LoraConfig configOf(List<LoraAdapter> adapters, Map<String, Factors> sum) {
        Set<String> modulesToSave = new TreeSet<>();
        adapters.forEach(adapter -> modulesToSave.addAll(adapter.config().modulesToSave()));
        Factors greatest = sum.values().iterator().next();
        for (Factors factors : sum.values()) {
            greatest = factors.rank() > greatest.rank() ? factors : greatest;
        }
        double scale = Math.abs(greatest.scale());
        return LoraConfig.builder()
                .rank(greatest.rank())
                .alpha(scale > 0 ? scale * greatest.rank() : greatest.rank())
                .loraBias(sum.values().stream().anyMatch(factors -> factors.bias() != null))
                .targetModules(List.copyOf(sum.keySet()))
                .modulesToSave(modulesToSave.toArray(new String[0]))
                .build();
    }

    /**
     * The nearest adapter of a lower rank: in every layer the product B A of that rank with the
     * least Frobenius distance (Eckart and Young 1936), through the singular value decomposition.
     * The factors share the singular values evenly: B^T B = A A^T is diagonal.
     *
     * @param adapter an adapter of finite elements
     * @param rank at least 1; a layer of lower rank keeps its own
     * @return an adapter with the same scales
     * @throws IllegalArgumentException if the rank is below 1, the adapter is not {@link
     *     LoraAdapter#isAdditive additive}, or an element is not finite
     */
    public static LoraAdapter refactor(LoraAdapter adapter, int rank) {
        adapter.requireAdditive("brought to another rank");
        checkArgument(rank >= 1, "rank must be at least 1, found %s", rank);
        checkArgument(adapter.isFinite(), "the adapter has elements that are not finite");
        ImmutableMap.Builder<String, Factors> layers = ImmutableMap.builder();
        adapter.layers()
                .forEach((path, factors) -> layers.put(path, FactorMath.refactor(factors, rank)));
        LoraConfig config = adapter.config();
        int newRank = Math.min(rank, config.rank());
        // The scale stays, so alpha follows the rank.
        double alpha =
                config.rsLora()
                        ? config.scaling() * Math.sqrt(newRank)
                        : config.scaling() * newRank;
        return new LoraAdapter(
                config.toBuilder()
                        .rank(newRank)
                        .alpha(alpha)
                        .rankPattern(Map.of())
                        .alphaPattern(Map.of())
                        .initialization(Initialization.KAIMING_UNIFORM)
                        .build(),
                layers.buildOrThrow(),
                adapter.savedModules(),
                adapter.provenance());
    }

    /**
     * The same adapter relative to the backbone as it was loaded: of an adapter with the
     * initialisation {@link Initialization#PISSA} or {@link Initialization#OLORA}, which is
     * relative to W0 - s B0 A0, every layer becomes [A; A0] and [B, -B0], of twice the rank. PEFT
     * makes the same when it saves with {@code path_initial_model_for_weight_conversion}.
     *
     * @param backbone the backbone that the adapter is for, without changed weights
     * @param adapter the adapter
     * @return an {@link LoraAdapter#isAdditive additive} adapter that computes the same; the same
     *     adapter if it has another initialisation
     * @throws IllegalArgumentException if the adapter has DoRA magnitudes or trained biases, which
     *     no sum of products equals, or does not fit the backbone
     */
    public static LoraAdapter standalone(Backbone backbone, LoraAdapter adapter) {
        LoraConfig config = adapter.config();
        if (!config.initialization().changesBase()) {
            return adapter;
        }
        LoraConfig plain =
                config.toBuilder()
                        .rank(2 * config.rank())
                        .alpha(config.alpha() * (config.rsLora() ? Math.sqrt(2) : 2))
                        .rankPattern(Maps.transformValues(config.rankPattern(), r -> 2 * r))
                        .alphaPattern(
                                Maps.transformValues(
                                        config.alphaPattern(),
                                        alpha -> alpha * (config.rsLora() ? Math.sqrt(2) : 2)))
                        .initialization(Initialization.KAIMING_UNIFORM)
                        .build();
        checkArgument(
                !config.dora() && config.bias() == TrainedBias.NONE,
                "an adapter with %s equals no sum of products",
                config.dora() ? "DoRA magnitudes" : "trained biases of the backbone");
        Map<String, Factors> principals =
                PrincipalFactors.of(LoraInjector.layersOf(backbone, adapter), adapter);
        ImmutableMap.Builder<String, Factors> layers = ImmutableMap.builder();
        adapter.layers()
                .forEach(
                        (path, factors) -> {
                            Factors principal = principals.get(path);
                            layers.put(
                                    path,
                                    principal == null
                                            ? factors
                                            : FactorMath.concatenate(
                                                    path,
                                                    List.of(
                                                            factors,
                                                            FactorMath.negated(principal))));
                        });
        return new LoraAdapter(
                plain, layers.buildOrThrow(), adapter.savedModules(), adapter.provenance());
    }

    /**
     * Writes an adapter into the frozen weights in place, computed in the weights' own precision: W
     * += scale * B A; with DoRA, W = m (W + scale * B A) / n; biases are replaced, and a bias of B
     * is added to the layer's. Views of the same weights change with them, and so does the
     * backbone's digest.
     *
     * @param backbone its weights
     * @param adapter the adapter; its saved modules are left to the caller
     * @return what takes the adapter out again
     * @throws IllegalArgumentException if the adapter does not fit the backbone or is not finite, a
     *     weight would not be finite, or B has a bias and the layer has none; the layer is named,
     *     and no weight has changed
     */
    @CanIgnoreReturnValue
    public static MergedAdapter merge(Backbone backbone, LoraAdapter adapter) {
        return MergedAdapter.merge(backbone, adapter, 1);
    }

    /**
     * Takes an adapter's change out of the weights again: W -= scale * B A. Weights return to what
     * they were up to rounding.
     *
     * @param backbone its weights
     * @param adapter the adapter that was merged
     * @throws IllegalArgumentException as for {@link #merge}, or if the adapter is not {@link
     *     LoraAdapter#isAdditive additive}: then {@link MergedAdapter#unmerge} does it
     */
    public static void unmerge(Backbone backbone, LoraAdapter adapter) {
        adapter.requireAdditive("unmerged by its values alone");
        MergedAdapter.merge(backbone, adapter, -1);
    }
}
