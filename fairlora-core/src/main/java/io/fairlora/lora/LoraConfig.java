package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSortedMap;
import com.google.common.primitives.Ints;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Which layers get an adapter, and of which kind. The names and the rules are those of PEFT's
 * {@code LoraConfig}, one accessor and one setter for each of its fields; the defaults are rank 8,
 * alpha 16, the attention's query and value.
 *
 * <pre>{@code
 * LoraConfig config = LoraConfig.builder().rank(8).alpha(16).targetModules("query", "value").build();
 * }</pre>
 */
public final class LoraConfig {

    private final int rank;
    private final double alpha;
    private final ImmutableMap<String, Integer> rankPattern;
    private final ImmutableMap<String, Double> alphaPattern;
    private final boolean rsLora;
    private final boolean dora;
    private final double dropout;
    private final TrainedBias bias;
    private final boolean loraBias;
    private final boolean fanInFanOut;
    private final Initialization initialization;
    private final @Nullable RandomizedSvd pissaSvd;
    private final ModuleSelection selection;
    private final ImmutableSortedMap<String, String> otherFields;

    private LoraConfig(Builder builder) {
        rank = builder.rank;
        alpha = builder.alpha;
        rankPattern = builder.rankPattern;
        alphaPattern = builder.alphaPattern;
        rsLora = builder.rsLora;
        dora = builder.dora;
        dropout = builder.dropout;
        bias = builder.bias;
        loraBias = builder.loraBias;
        fanInFanOut = builder.fanInFanOut;
        initialization = builder.initialization;
        pissaSvd = builder.pissaSvd;
        selection =
                new ModuleSelection(
                        builder.targetModules,
                        builder.targetRegex,
                        builder.allLinear,
                        builder.excludeModules,
                        builder.excludeRegex,
                        builder.layersToTransform,
                        builder.layersPattern,
                        builder.modulesToSave);
        otherFields = builder.otherFields;
    }

    /**
     * A builder that holds the defaults.
     *
     * @return a new builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * A builder that holds the values of this configuration.
     *
     * @return a new builder
     */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.rank = rank;
        builder.alpha = alpha;
        builder.rankPattern = rankPattern;
        builder.alphaPattern = alphaPattern;
        builder.rsLora = rsLora;
        builder.dora = dora;
        builder.dropout = dropout;
        builder.bias = bias;
        builder.loraBias = loraBias;
        builder.fanInFanOut = fanInFanOut;
        builder.initialization = initialization;
        builder.pissaSvd = pissaSvd;
        builder.targetModules = selection.names();
        builder.targetRegex = selection.regex();
        builder.allLinear = selection.allLinear();
        builder.excludeModules = selection.excludedNames();
        builder.excludeRegex = selection.excludedRegex();
        builder.layersToTransform = selection.layers();
        builder.layersPattern = selection.layersPatterns();
        builder.modulesToSave = selection.modulesToSave();
        builder.otherFields = otherFields;
        return builder;
    }

    /**
     * The rank of the product B A where {@link #rankPattern} says nothing else.
     *
     * @return r, at least 1
     */
    public int rank() {
        return rank;
    }

    /**
     * The numerator of the scale where {@link #alphaPattern} says nothing else.
     *
     * @return alpha, positive
     */
    public double alpha() {
        return alpha;
    }

    /**
     * Ranks of single layers. A key is a regular expression that must match a layer's path from the
     * beginning or from after a dot, and to its end; the first that does counts.
     *
     * @return ranks by pattern, in the order in which they are tried
     */
    public Map<String, Integer> rankPattern() {
        return rankPattern;
    }

    /**
     * Alphas of single layers, by patterns as in {@link #rankPattern}.
     *
     * @return alphas by pattern, in the order in which they are tried
     */
    public Map<String, Double> alphaPattern() {
        return alphaPattern;
    }

    /**
     * Whether the scale is rank-stabilised (Kalajdzievski 2023).
     *
     * @return whether the scale is alpha / sqrt(r) instead of alpha / r
     */
    public boolean rsLora() {
        return rsLora;
    }

    /**
     * Whether an adapted weight's rows have trained lengths (DoRA, Liu et al. 2024): W' = m (W0 + s
     * B A) / n, with m trained and n the lengths of the rows of W0 + s B A, which pass no gradient.
     *
     * @return whether they have
     */
    public boolean dora() {
        return dora;
    }

    /**
     * The probability with which an element of an adapter's input is set to zero in training.
     *
     * @return in [0, 1)
     */
    public double dropout() {
        return dropout;
    }

    /**
     * Which of the backbone's own biases are trained beside the adapter.
     *
     * @return {@link TrainedBias#NONE} unless set otherwise
     */
    public TrainedBias bias() {
        return bias;
    }

    /**
     * Whether B has a bias b_B: the change to the output is s (B A x + b_B).
     *
     * @return whether it has
     */
    public boolean loraBias() {
        return loraBias;
    }

    /**
     * Whether the model that the adapter was made on stores its weights as (in, out). The adapter
     * itself, its file and what it computes are the same either way; the flag is kept for PEFT.
     *
     * @return whether it does
     */
    public boolean fanInFanOut() {
        return fanInFanOut;
    }

    /**
     * What fresh factors hold.
     *
     * @return {@link Initialization#KAIMING_UNIFORM} unless set otherwise
     */
    public Initialization initialization() {
        return initialization;
    }

    /**
     * How the principal part of {@link Initialization#PISSA} is estimated: PEFT's {@code
     * pissa_niter_N}.
     *
     * @return the way, if the part is not computed exactly
     */
    public Optional<RandomizedSvd> pissaSvd() {
        return Optional.ofNullable(pissaSvd);
    }

    /** The initialisation and, if it estimates something, how. */
    String initializationText() {
        return pissaSvd == null ? initialization.toString() : initialization + " by " + pissaSvd;
    }

    /** Whether factors of two configurations are relative to the same base weights. */
    boolean hasBaseOf(LoraConfig other) {
        boolean changed = initialization.changesBase();
        return changed == other.initialization.changesBase()
                && (!changed
                        || (initialization == other.initialization
                                && pissaSvd().equals(other.pissaSvd())));
    }

    /**
     * The names that choose layers: a layer is chosen if its path equals one of them or ends with a
     * dot and one of them.
     *
     * @return names, empty if a regular expression or {@link #allLinear} chooses
     */
    public List<String> targetModules() {
        return selection.names();
    }

    /**
     * The regular expression that must match a layer's whole path.
     *
     * @return the expression, if one chooses
     */
    public Optional<String> targetRegex() {
        return Optional.ofNullable(selection.regex());
    }

    /**
     * Whether all linear layers of a backbone are chosen, as by PEFT's {@code "all-linear"}.
     *
     * @return whether they are
     */
    public boolean allLinear() {
        return selection.allLinear();
    }

    /**
     * The names of layers that get no adapter though a target chooses them, by the rule of {@link
     * #targetModules}.
     *
     * @return names, empty if there are none or a regular expression excludes
     */
    public List<String> excludeModules() {
        return selection.excludedNames();
    }

    /**
     * The regular expression for the whole path of layers that get no adapter.
     *
     * @return the expression, if there is one
     */
    public Optional<String> excludeRegex() {
        return Optional.ofNullable(selection.excludedRegex());
    }

    /**
     * The indices of the transformer layers that names choose from: the first number in a path that
     * follows two other parts, as in {@code vit.encoder.layer.3.}.
     *
     * @return indices, empty if all layers are meant
     */
    public List<Integer> layersToTransform() {
        return selection.layers();
    }

    /**
     * Regular expressions for the part of a path before the index that {@link #layersToTransform}
     * means, such as {@code layer}.
     *
     * @return expressions, tried in order; empty if any part will do
     */
    public List<String> layersPattern() {
        return selection.layersPatterns();
    }

    /**
     * The modules that are trained and saved whole beside the adapter, such as {@code classifier};
     * they get no adapter.
     *
     * @return names
     */
    public List<String> modulesToSave() {
        return selection.modulesToSave();
    }

    /**
     * Whether adapters of this configuration are sums of changes {@code scale * B A} (and {@code
     * scale * b_B}), so that they may be scaled, negated and added to others. DoRA, trained biases
     * of the backbone and factors that are relative to a part of the backbone's own weights ({@link
     * Initialization#PISSA}, {@link Initialization#OLORA}) make them something else.
     *
     * @return whether they are
     */
    public boolean isAdditive() {
        return !dora && bias == TrainedBias.NONE && !initialization.changesBase();
    }

    /** Fields of a file that this class has no name for, as JSON, kept for writing them back. */
    ImmutableSortedMap<String, String> otherFields() {
        return otherFields;
    }

    /**
     * What B A is multiplied by where no pattern says otherwise.
     *
     * @return alpha / r, or alpha / sqrt(r) if {@link #rsLora()}
     */
    public double scaling() {
        return scaling(rank, alpha);
    }

    double scaling(int ofRank, double ofAlpha) {
        return rsLora ? ofAlpha / Math.sqrt(ofRank) : ofAlpha / ofRank;
    }

    /**
     * The rank of one layer.
     *
     * @param path the layer's path
     * @return that of the first pattern of {@link #rankPattern} that matches, else {@link #rank}
     * @throws IllegalArgumentException if a regular expression takes too long to tell
     */
    public int rankOf(String path) {
        return LayerPatterns.first(rankPattern, path).orElse(rank);
    }

    /**
     * The numerator of one layer's scale.
     *
     * @param path the layer's path
     * @return that of the first pattern of {@link #alphaPattern} that matches, else {@link #alpha}
     * @throws IllegalArgumentException if a regular expression takes too long to tell
     */
    public double alphaOf(String path) {
        return LayerPatterns.first(alphaPattern, path).orElse(alpha);
    }

    /**
     * What B A is multiplied by in one layer.
     *
     * @param path the layer's path
     * @return the scale of its own rank and alpha
     * @throws IllegalArgumentException if a regular expression takes too long to tell
     */
    public double scalingOf(String path) {
        return scaling(rankOf(path), alphaOf(path));
    }

    /** A key of one of the patterns that none of the paths match, if there is one. */
    Optional<String> unusedPattern(Iterable<String> paths) {
        List<String> patterns = new ArrayList<>(rankPattern.keySet());
        patterns.addAll(alphaPattern.keySet());
        return LayerPatterns.unused(patterns, paths);
    }

    /**
     * Whether a layer gets an adapter.
     *
     * @param path the layer's path, such as {@code vit.encoder.layer.0.attention.attention.query}
     * @return whether the targets choose it, nothing excludes it and it is in no saved module
     * @throws IllegalArgumentException if a regular expression takes too long to tell
     */
    public boolean matches(String path) {
        return selection.matches(path);
    }

    /** Whether a layer of a kind gets an adapter. */
    boolean matches(String path, LayerKind kind) {
        return (kind.isLinear() || !allLinear()) && matches(path);
    }

    private List<Object> values() {
        return List.of(
                rank,
                alpha,
                rankPattern,
                ImmutableList.copyOf(rankPattern.keySet()),
                alphaPattern,
                ImmutableList.copyOf(alphaPattern.keySet()),
                rsLora,
                dora,
                dropout,
                bias,
                loraBias,
                fanInFanOut,
                initialization,
                pissaSvd(),
                selection,
                otherFields);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof LoraConfig that && values().equals(that.values());
    }

    @Override
    public int hashCode() {
        return values().hashCode();
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("LoraConfig{rank=").append(rank);
        text.append(", alpha=").append(alpha);
        text.append(", rsLora=").append(rsLora);
        text.append(", dropout=").append(dropout);
        text.append(", targets=").append(targets());
        append(text, "exclude", excludeRegex().orElse(String.join(", ", excludeModules())));
        append(text, "layersToTransform", layersToTransform());
        append(text, "layersPattern", layersPattern());
        append(text, "rankPattern", rankPattern);
        append(text, "alphaPattern", alphaPattern);
        append(text, "dora", dora ? "true" : "");
        append(text, "bias", bias == TrainedBias.NONE ? "" : bias);
        append(text, "loraBias", loraBias ? "true" : "");
        append(
                text,
                "initialization",
                initialization == Initialization.KAIMING_UNIFORM ? "" : initialization);
        append(text, "pissaSvd", pissaSvd == null ? "" : pissaSvd);
        return text.append(", modulesToSave=").append(modulesToSave()).append("}").toString();
    }

    /** What chooses layers, for people. */
    String targets() {
        return allLinear()
                ? "all-linear"
                : targetRegex().orElseGet(() -> targetModules().toString());
    }

    private static void append(StringBuilder text, String name, Object value) {
        String shown = value.toString();
        if (!shown.isEmpty() && !shown.equals("[]") && !shown.equals("{}")) {
            text.append(", ").append(name).append('=').append(shown);
        }
    }

    /** Builds a configuration; every value is checked when it is set. */
    public static final class Builder {

        private int rank = 8;
        private double alpha = 16;
        private ImmutableMap<String, Integer> rankPattern = ImmutableMap.of();
        private ImmutableMap<String, Double> alphaPattern = ImmutableMap.of();
        private boolean rsLora;
        private boolean dora;
        private double dropout;
        private TrainedBias bias = TrainedBias.NONE;
        private boolean loraBias;
        private boolean fanInFanOut;
        private Initialization initialization = Initialization.KAIMING_UNIFORM;
        private @Nullable RandomizedSvd pissaSvd;
        private ImmutableList<String> targetModules = ImmutableList.of("query", "value");
        private @Nullable String targetRegex;
        private boolean allLinear;
        private ImmutableList<String> excludeModules = ImmutableList.of();
        private @Nullable String excludeRegex;
        private ImmutableList<Integer> layersToTransform = ImmutableList.of();
        private ImmutableList<String> layersPattern = ImmutableList.of();
        private ImmutableList<String> modulesToSave = ImmutableList.of();
        private ImmutableSortedMap<String, String> otherFields = ImmutableSortedMap.of();

        private Builder() {}

        /**
         * Sets the rank; 8 if not set.
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
         * Sets the numerator of the scale; 16 if not set.
         *
         * @param alpha positive
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder alpha(double alpha) {
            checkArgument(
                    alpha > 0 && Double.isFinite(alpha), "alpha must be positive, found %s", alpha);
            this.alpha = alpha;
            return this;
        }

        /**
         * Sets ranks of single layers; none if not called.
         *
         * @param ranks at least 1, by patterns as {@link LoraConfig#rankPattern} says, tried in the
         *     order of the map
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder rankPattern(Map<String, Integer> ranks) {
            ranks.forEach(
                    (pattern, value) -> {
                        compile("rank pattern", pattern);
                        checkArgument(
                                value >= 1,
                                "rank pattern '%s' must give at least 1, found %s",
                                pattern,
                                value);
                    });
            rankPattern = ImmutableMap.copyOf(ranks);
            return this;
        }

        /**
         * Sets alphas of single layers; none if not called.
         *
         * @param alphas positive, by patterns as {@link LoraConfig#rankPattern} says, tried in the
         *     order of the map
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder alphaPattern(Map<String, Double> alphas) {
            alphas.forEach(
                    (pattern, value) -> {
                        compile("alpha pattern", pattern);
                        checkArgument(
                                value > 0 && Double.isFinite(value),
                                "alpha pattern '%s' must give a positive number, found %s",
                                pattern,
                                value);
                    });
            alphaPattern = ImmutableMap.copyOf(alphas);
            return this;
        }

        /**
         * Chooses the scale alpha / sqrt(r) instead of alpha / r.
         *
         * @param rsLora whether to
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder rsLora(boolean rsLora) {
            this.rsLora = rsLora;
            return this;
        }

        /**
         * Trains the lengths of the adapted weights' rows apart from their directions.
         *
         * @param dora whether to
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder dora(boolean dora) {
            this.dora = dora;
            return this;
        }

        /**
         * Sets the probability with which an element of an adapter's input is set to zero in
         * training; 0 if not set.
         *
         * @param dropout in [0, 1)
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder dropout(double dropout) {
            checkArgument(
                    dropout >= 0 && dropout < 1,
                    "dropout must be at least 0 and below 1, found %s",
                    dropout);
            this.dropout = dropout;
            return this;
        }

        /**
         * Trains biases of the backbone beside the adapter; none if not called.
         *
         * @param bias which
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder bias(TrainedBias bias) {
            this.bias = bias;
            return this;
        }

        /**
         * Gives B a bias of its own.
         *
         * @param loraBias whether to
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder loraBias(boolean loraBias) {
            this.loraBias = loraBias;
            return this;
        }

        @CanIgnoreReturnValue
        Builder fanInFanOut(boolean fanInFanOut) {
            this.fanInFanOut = fanInFanOut;
            return this;
        }

        /**
         * Chooses what fresh factors hold; {@link Initialization#KAIMING_UNIFORM} if not called.
         *
         * @param initialization which; {@link Initialization#PISSA} is computed exactly
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder initialization(Initialization initialization) {
            this.initialization = initialization;
            pissaSvd = null;
            return this;
        }

        /**
         * Chooses {@link Initialization#PISSA} with an estimate of the principal part: PEFT's
         * {@code pissa_niter_N}. Files tell the seed in a place of their own; PEFT draws other
         * numbers when it loads one, so give it what {@link AdapterMath#standalone} makes.
         *
         * @param svd how it is estimated
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder pissa(RandomizedSvd svd) {
            initialization = Initialization.PISSA;
            pissaSvd = svd;
            return this;
        }

        /**
         * Chooses layers by the end of their path; {@code query} and {@code value} if neither this,
         * {@link #targetRegex} nor {@link #allLinear} is called.
         *
         * @param names at least one; each a whole path or the last parts of one
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder targetModules(String... names) {
            return targetModules(List.of(names));
        }

        @CanIgnoreReturnValue
        Builder targetModules(List<String> names) {
            checkArgument(!names.isEmpty(), "targetModules needs at least one name");
            targetModules = names("target module", "targetRegex", names);
            targetRegex = null;
            allLinear = false;
            return this;
        }

        /**
         * Chooses layers by a regular expression.
         *
         * @param regex must match a layer's whole path
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder targetRegex(String regex) {
            targetRegex = compile("target regex", regex);
            targetModules = ImmutableList.of();
            allLinear = false;
            return this;
        }

        /**
         * Chooses all linear layers of the backbone.
         *
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder allLinear() {
            allLinear = true;
            targetModules = ImmutableList.of();
            targetRegex = null;
            return this;
        }

        /**
         * Excludes layers by the end of their path; none if not called.
         *
         * @param names each a whole path or the last parts of one
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder excludeModules(String... names) {
            excludeModules = names("excluded module", "excludeRegex", List.of(names));
            excludeRegex = null;
            return this;
        }

        /**
         * Excludes layers by a regular expression.
         *
         * @param regex must match a layer's whole path
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder excludeRegex(String regex) {
            excludeRegex = compile("exclude regex", regex);
            excludeModules = ImmutableList.of();
            return this;
        }

        /**
         * Restricts names to some transformer layers; all layers if not called.
         *
         * @param indices indices from 0
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder layersToTransform(int... indices) {
            for (int index : indices) {
                checkArgument(index >= 0, "a layer's index must be at least 0, found %s", index);
            }
            layersToTransform = ImmutableList.copyOf(Ints.asList(indices));
            return this;
        }

        /**
         * Says what stands before the index that {@link #layersToTransform} means; any part of a
         * path if not called.
         *
         * @param patterns regular expressions, tried in order
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder layersPattern(String... patterns) {
            for (String pattern : patterns) {
                compile("layers pattern", pattern);
            }
            layersPattern = ImmutableList.copyOf(patterns);
            return this;
        }

        /**
         * Names modules that are trained and saved whole beside the adapter; none if not called.
         *
         * @param names modules such as {@code classifier}
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder modulesToSave(String... names) {
            modulesToSave = ImmutableList.copyOf(names);
            return this;
        }

        @CanIgnoreReturnValue
        Builder otherFields(Map<String, String> json) {
            otherFields = ImmutableSortedMap.copyOf(json);
            return this;
        }

        private static ImmutableList<String> names(
                String what, String otherwise, List<String> names) {
            for (String name : names) {
                checkArgument(
                        name.matches("[^\\s.]+(\\.[^\\s.]+)*"),
                        "%s '%s' is not a name; for a pattern use %s",
                        what,
                        name,
                        otherwise);
            }
            return ImmutableList.copyOf(names);
        }

        @CanIgnoreReturnValue
        private static String compile(String what, String regex) {
            try {
                return Pattern.compile(regex).pattern();
            } catch (PatternSyntaxException e) {
                throw new IllegalArgumentException(
                        what + " '" + regex + "' is malformed: " + e.getDescription(), e);
            }
        }

        /**
         * Makes the configuration.
         *
         * @return the configuration
         * @throws IllegalStateException if values exclude each other, as PEFT has it: {@link
         *     #layersToTransform} with targets that are no names, {@link #layersPattern} without
         *     it, {@link #loraBias} with {@link #dora} or an initialisation that sets B, or {@link
         *     Initialization#ORTHOGONAL} with an odd rank
         */
        public LoraConfig build() {
            checkState(
                    layersToTransform.isEmpty() || !targetModules.isEmpty(),
                    "layersToTransform restricts names; write the layers into the target regex");
            checkState(
                    layersPattern.isEmpty() || !layersToTransform.isEmpty(),
                    "layersPattern says where the index of layersToTransform stands, which is not"
                            + " set");
            checkState(!loraBias || !dora, "loraBias and dora exclude each other, as in PEFT");
            checkState(
                    !loraBias
                            || initialization == Initialization.KAIMING_UNIFORM
                            || initialization == Initialization.RANDOM,
                    "loraBias goes with the initialisations KAIMING_UNIFORM and RANDOM, found %s",
                    initialization);
            if (initialization == Initialization.ORTHOGONAL) {
                checkState(
                        rank % 2 == 0 && rankPattern.values().stream().allMatch(r -> r % 2 == 0),
                        "the initialisation ORTHOGONAL needs an even rank, found %s",
                        rankPattern.isEmpty() ? rank : rank + " and " + rankPattern);
            }
            return new LoraConfig(this);
        }
    }
}
