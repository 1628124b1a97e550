package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableMap;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.LoraAdapter.Factors;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Weighted combination of adapters: what PEFT calls {@code add_weighted_adapter}.
 *
 * <pre>{@code
 * LoraAdapter sum = AdapterCombination.builder().build().combine(List.of(first, second), 0.7, 0.3);
 * LoraAdapter ties = AdapterCombination.builder().type(CombinationType.TIES).density(0.2).build()
 *         .combine(List.of(first, second), 1, 1);
 * }</pre>
 *
 * <p>Unless {@link Builder#asPeft} is set, what PEFT 0.18 gets wrong without a word is done right:
 *
 * <ul>
 *   <li>A negative weight takes a change away. PEFT multiplies both A and B by the signed root, and
 *       the signs cancel.
 *   <li>The forms that end in SVD multiply a change by its scale once. PEFT does so twice.
 *   <li>DARE divides what it keeps by the density, as its paper says (Yu et al. 2024, section 3.1).
 *       PEFT drops the quotient.
 *   <li>One adapter alone is combined as the type says. PEFT makes every type linear.
 *   <li>A rank-stabilised adapter keeps its scale. PEFT multiplies the result by the root of the
 *       rank if the first adapter is rank-stabilised; {@link Builder#asPeft} refuses that.
 *   <li>Saved modules are kept. PEFT replaces them by the backbone's.
 * </ul>
 *
 * <p>A layer that some adapters lack is combined of those that have it. All is computed in Java
 * memory. The types that prune whole changes decompose each layer's full matrix, which for sides of
 * 768 takes about ten seconds a layer; the others, {@link CombinationType#SVD} among them, work on
 * the factors alone.
 */
public final class AdapterCombination {

    private final CombinationType type;
    private final double density;
    private final MajoritySign majoritySign;
    private final long seed;
    private final @Nullable Integer rank;
    private final boolean asPeft;

    private AdapterCombination(Builder builder) {
        type = builder.type;
        density = builder.density == null ? 1 : builder.density;
        majoritySign = builder.majoritySign;
        seed = builder.seed == null ? 0 : builder.seed;
        rank = builder.rank;
        asPeft = builder.asPeft;
    }

    /**
     * A builder that holds the defaults: the exact sum.
     *
     * @return a new builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Combines adapters. The weights do not touch saved modules.
     *
     * @param adapters at least one, of finite elements
     * @param weights one finite number for each adapter
     * @return an adapter that has the layers and the saved modules of all
     * @throws IllegalArgumentException if the weights do not fit the adapters, a layer has
     *     different sizes in two of them (or different ranks, where the type adds factors), an
     *     adapter is not {@link LoraAdapter#isAdditive additive} or has biases of B, an element is
     *     not finite or is too great for single precision after the combination, two save a module
     *     of the same name with different content, or {@link Builder#asPeft} meets a
     *     rank-stabilised first adapter
     */
    public LoraAdapter combine(List<LoraAdapter> adapters, double... weights) {
        SplittableRandom random = new SplittableRandom(seed);
        return combine(
                adapters,
                (layer, adapter, matrix, size) -> {
                    boolean[] kept = new boolean[size];
                    for (int i = 0; i < size; i++) {
                        kept[i] = random.nextDouble() < density;
                    }
                    return kept;
                },
                weights);
    }

    LoraAdapter combine(List<LoraAdapter> adapters, ElementMerge.Masks masks, double... weights) {
        check(adapters, weights);
        CombinationType used = asPeft && adapters.size() == 1 ? CombinationType.LINEAR : type;
        LoraAdapter result;
        if (used == CombinationType.CAT || used == CombinationType.SVD) {
            LoraAdapter sum = AdapterMath.add(weighted(adapters, weights, used));
            result =
                    used == CombinationType.CAT ? sum : AdapterMath.refactor(sum, rankOf(adapters));
        } else {
            result =
                    layerByLayer(
                            adapters,
                            new ElementMerge(used, density, majoritySign, asPeft, masks),
                            weights);
        }
        checkArgument(
                result.isFinite(), "the combination has elements too great for single precision");
        return result;
    }

    private void check(List<LoraAdapter> adapters, double[] weights) {
        checkArgument(!adapters.isEmpty(), "combining adapters needs at least one");
        checkArgument(
                adapters.size() == weights.length,
                "%s adapters need as many weights, found %s",
                adapters.size(),
                weights.length);
        for (int i = 0; i < weights.length; i++) {
            checkArgument(
                    Double.isFinite(weights[i]),
                    "weight %s of %s must be finite, found %s",
                    i + 1,
                    weights.length,
                    weights[i]);
            checkArgument(
                    adapters.get(i).isFinite(),
                    "adapter %s has elements that are not finite",
                    i + 1);
            adapters.get(i).requireAdditive("combined with others");
            checkArgument(
                    !adapters.get(i).config().loraBias(),
                    "adapter %s has biases of B, which no combination of PEFT's carries over; use"
                            + " AdapterMath.add",
                    i + 1);
        }
        checkArgument(
                !asPeft || !adapters.get(0).config().rsLora(),
                "PEFT gives the combination a wrong scale because the first adapter is"
                        + " rank-stabilised; combine it without asPeft");
    }

    private List<LoraAdapter> weighted(
            List<LoraAdapter> adapters, double[] weights, CombinationType used) {
        List<LoraAdapter> result = new ArrayList<>();
        for (int i = 0; i < weights.length; i++) {
            double weight = weights[i];
            ImmutableMap.Builder<String, Factors> layers = ImmutableMap.builder();
            adapters.get(i)
                    .layers()
                    .forEach((path, f) -> layers.put(path, weighted(f, weight, used)));
            result.add(adapters.get(i).withLayers(layers.buildOrThrow()));
        }
        return result;
    }

    private Factors weighted(Factors factors, double weight, CombinationType used) {
        double scale = weight * factors.scale();
        if (!asPeft) {
            return factors.withScale(scale);
        }
        if (used == CombinationType.SVD) {
            return factors.withScale(scale * factors.scale());
        }
        float[] a = factors.a().toArray();
        for (int i = 0; i < a.length; i++) {
            a[i] = (float) (scale * a[i]);
        }
        return factors.with(
                HostTensor.of(a, factors.rank(), factors.inputSize()), factors.b(), 1, null);
    }

    private int rankOf(List<LoraAdapter> adapters) {
        if (rank != null) {
            return rank;
        }
        int greatest = 1;
        for (LoraAdapter adapter : adapters) {
            for (Factors factors : adapter.layers().values()) {
                greatest = Math.max(greatest, factors.rank());
            }
        }
        return greatest;
    }

    private LoraAdapter layerByLayer(
            List<LoraAdapter> adapters, ElementMerge merge, double[] weights) {
        // Sorted, so that the masks do not depend on the order of an adapter's layers.
        TreeSet<String> paths = new TreeSet<>();
        adapters.forEach(adapter -> paths.addAll(adapter.layers().keySet()));
        ImmutableMap.Builder<String, Factors> builder = ImmutableMap.builder();
        for (String path : paths) {
            List<Part> parts = new ArrayList<>();
            for (int i = 0; i < weights.length; i++) {
                Factors factors = adapters.get(i).layers().get(path);
                if (factors != null) {
                    parts.add(new Part(i, factors, weights[i]));
                }
            }
            checkSizes(path, parts, merge.type());
            builder.put(
                    path,
                    merge.type().decomposes()
                            ? changes(path, parts, merge, rankOf(adapters))
                            : factors(path, parts, merge));
        }
        ImmutableMap<String, Factors> layers = builder.buildOrThrow();
        return new LoraAdapter(
                AdapterMath.configOf(adapters, layers),
                layers,
                AdapterMath.savedModulesOf(adapters),
                Map.of());
    }

    /** One adapter's share in a layer. */
    private record Part(int adapter, Factors factors, double weight) {}

    private static void checkSizes(String path, List<Part> parts, CombinationType used) {
        Factors first = parts.get(0).factors();
        for (Part part : parts) {
            Factors other = part.factors();
            first.checkSameLayer(path, other);
            checkArgument(
                    used.decomposes() || other.rank() == first.rank(),
                    "layer %s has rank %s in one adapter and %s in another, and %s needs equal"
                            + " ranks; CAT and the SVD types do not",
                    path,
                    first.rank(),
                    other.rank(),
                    used);
        }
    }

    private Factors factors(String path, List<Part> parts, ElementMerge merge) {
        int n = parts.size();
        double[][] a = new double[n][];
        double[][] b = new double[n][];
        double[] ofA = new double[n];
        double[] ofB = new double[n];
        for (int i = 0; i < n; i++) {
            Factors factors = parts.get(i).factors();
            double product = parts.get(i).weight() * factors.scale();
            ofB[i] = Math.copySign(Math.sqrt(Math.abs(product)), product);
            ofA[i] = asPeft ? ofB[i] : Math.abs(ofB[i]);
            int adapter = parts.get(i).adapter();
            a[i] = merge.prune(doubles(factors.a()), path, adapter, "A");
            b[i] = merge.prune(doubles(factors.b()), path, adapter, "B");
        }
        Factors first = parts.get(0).factors();
        return first.with(
                HostTensor.of(
                        FactorMath.floats(merge.merge(a, ofA)), first.rank(), first.inputSize()),
                HostTensor.of(
                        FactorMath.floats(merge.merge(b, ofB)), first.outputSize(), first.rank()),
                1,
                null);
    }

    private Factors changes(String path, List<Part> parts, ElementMerge merge, int greatestRank) {
        double[][] changes = new double[parts.size()][];
        double[] weights = new double[parts.size()];
        for (int i = 0; i < changes.length; i++) {
            Factors factors = parts.get(i).factors();
            // PEFT's change has the scale in it, and its weight once more.
            weights[i] = parts.get(i).weight() * (asPeft ? factors.scale() : 1);
            changes[i] =
                    merge.prune(FactorMath.product(factors), path, parts.get(i).adapter(), "BA");
        }
        Factors first = parts.get(0).factors();
        return FactorMath.decomposed(merge.merge(changes, weights), first, greatestRank);
    }

    private static double[] doubles(HostTensor tensor) {
        double[] result = new double[tensor.size()];
        Arrays.setAll(result, tensor::get);
        return result;
    }

    /** Builds a combination. */
    public static final class Builder {

        private CombinationType type = CombinationType.CAT;
        private @Nullable Double density;
        private MajoritySign majoritySign = MajoritySign.TOTAL;
        private @Nullable Long seed;
        private @Nullable Integer rank;
        private boolean asPeft;

        private Builder() {}

        /**
         * Sets how adapters are combined; {@link CombinationType#CAT}, the exact sum, if not set.
         *
         * @param type the type
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder type(CombinationType type) {
            this.type = type;
            return this;
        }

        /**
         * Sets the share of elements that pruning keeps; the types that prune need it.
         *
         * @param density in (0, 1]; at 1 nothing is pruned
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder density(double density) {
            checkArgument(
                    density > 0 && density <= 1,
                    "density must be above 0 and at most 1, found %s",
                    density);
            this.density = density;
            return this;
        }

        /**
         * Sets what decides the sign in the types with TIES; {@link MajoritySign#TOTAL} if not set.
         *
         * @param majoritySign the rule
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder majoritySign(MajoritySign majoritySign) {
            this.majoritySign = majoritySign;
            return this;
        }

        /**
         * Sets the seed of what is dropped; the types with DARE need it.
         *
         * @param seed any number
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder seed(long seed) {
            this.seed = seed;
            return this;
        }

        /**
         * Sets the rank of the types that end in SVD; the greatest of the adapters' ranks if not
         * set. A layer whose change cannot have that rank gets the greatest it can have.
         *
         * @param rank at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder rank(int rank) {
            checkArgument(rank >= 1, "rank must be at least 1, found %s", rank);
            this.rank = rank;
            return this;
        }

        /**
         * Computes what PEFT 0.18 does, as {@link AdapterCombination} lists it, to reproduce
         * adapters combined there. Saved modules are kept nevertheless.
         *
         * @param asPeft whether to
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder asPeft(boolean asPeft) {
            this.asPeft = asPeft;
            return this;
        }

        /**
         * Makes the combination.
         *
         * @return the combination
         * @throws IllegalStateException if the type needs a density or a seed that is not set, or a
         *     density or a rank is set that the type does not use
         */
        public AdapterCombination build() {
            checkState(
                    type.prunes() == (density != null),
                    type.prunes()
                            ? "%s needs a density, the share of elements that it keeps"
                            : "%s does not prune, so it takes no density",
                    type);
            checkState(
                    !type.isRandom() || seed != null,
                    "%s drops elements at random and needs a seed",
                    type);
            checkState(
                    rank == null || type.decomposes(),
                    "%s takes no rank; the types that end in SVD do",
                    type);
            return new AdapterCombination(this);
        }
    }
}
