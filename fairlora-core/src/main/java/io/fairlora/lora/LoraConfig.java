package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import com.google.common.primitives.Ints;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Which layers get an adapter, and of which kind. The names and the rules are those of PEFT's
 * {@code LoraConfig}; the defaults are rank 8, alpha 16, the attention's query and value.
 *
 * <pre>{@code
 * LoraConfig config = LoraConfig.builder().rank(8).alpha(16).targetModules("query", "value").build();
 * }</pre>
 */
public final class LoraConfig {

    private static final Pattern LAYER_INDEX = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\.");

    private final int rank;
    private final double alpha;
    private final boolean rsLora;
    private final double dropout;
    private final ImmutableList<String> targetModules;
    private final @Nullable Pattern targetRegex;
    private final ImmutableList<Integer> layersToTransform;
    private final ImmutableList<String> modulesToSave;
    private final ImmutableSortedMap<String, String> otherFields;

    private LoraConfig(Builder builder) {
        rank = builder.rank;
        alpha = builder.alpha;
        rsLora = builder.rsLora;
        dropout = builder.dropout;
        targetModules = builder.targetModules;
        targetRegex = builder.targetRegex;
        layersToTransform = builder.layersToTransform;
        modulesToSave = builder.modulesToSave;
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
        builder.rsLora = rsLora;
        builder.dropout = dropout;
        builder.targetModules = targetModules;
        builder.targetRegex = targetRegex;
        builder.layersToTransform = layersToTransform;
        builder.modulesToSave = modulesToSave;
        builder.otherFields = otherFields;
        return builder;
    }

    /**
     * The rank of the product B A.
     *
     * @return r, at least 1
     */
    public int rank() {
        return rank;
    }

    /**
     * The numerator of the scale.
     *
     * @return alpha, positive
     */
    public double alpha() {
        return alpha;
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
     * The probability with which an element of an adapter's input is set to zero in training.
     *
     * @return in [0, 1)
     */
    public double dropout() {
        return dropout;
    }

    /**
     * The names that choose layers: a layer is chosen if its path equals one of them or ends with a
     * dot and one of them.
     *
     * @return names, empty if a regular expression chooses
     */
    public List<String> targetModules() {
        return targetModules;
    }

    /**
     * The regular expression that must match a layer's whole path.
     *
     * @return the expression, if names do not choose
     */
    public Optional<String> targetRegex() {
        return Optional.ofNullable(targetRegex).map(Pattern::pattern);
    }

    /**
     * The indices of the transformer layers that names choose from: the first number in a path that
     * follows two other parts, as in {@code vit.encoder.layer.3.}.
     *
     * @return indices, empty if all layers are meant
     */
    public List<Integer> layersToTransform() {
        return layersToTransform;
    }

    /**
     * The modules that are trained and saved whole beside the adapter, such as {@code classifier};
     * they get no adapter.
     *
     * @return names
     */
    public List<String> modulesToSave() {
        return modulesToSave;
    }

    /** Fields of a file that this class has no name for, as JSON, kept for writing them back. */
    ImmutableSortedMap<String, String> otherFields() {
        return otherFields;
    }

    /**
     * What B A is multiplied by.
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
     * Whether a layer gets an adapter.
     *
     * @param path the layer's path, such as {@code vit.encoder.layer.0.attention.attention.query}
     * @return whether the targets choose it and it is in no saved module
     */
    public boolean matches(String path) {
        for (String module : modulesToSave) {
            if (isInModule(path, module)) {
                return false;
            }
        }
        if (targetRegex != null) {
            return targetRegex.matcher(path).matches();
        }
        return targetModules.stream().anyMatch(name -> isNamed(path, name)) && isInLayers(path);
    }

    /** Whether a path equals a name or ends with it after a dot. */
    static boolean isNamed(String path, String name) {
        return path.equals(name) || path.endsWith("." + name);
    }

    /** Whether a name stands in a path between dots, so that the path is the module's or below. */
    static boolean isInModule(String path, String module) {
        return ("." + path + ".").contains("." + module + ".");
    }

    private boolean isInLayers(String path) {
        if (layersToTransform.isEmpty()) {
            return true;
        }
        Matcher index = LAYER_INDEX.matcher(path);
        // A number too long for an int is no index of a layer.
        return index.lookingAt()
                && Optional.ofNullable(Ints.tryParse(index.group(1)))
                        .filter(layersToTransform::contains)
                        .isPresent();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof LoraConfig that
                && rank == that.rank
                && Double.compare(alpha, that.alpha) == 0
                && rsLora == that.rsLora
                && Double.compare(dropout, that.dropout) == 0
                && targetModules.equals(that.targetModules)
                && targetRegex().equals(that.targetRegex())
                && layersToTransform.equals(that.layersToTransform)
                && modulesToSave.equals(that.modulesToSave)
                && otherFields.equals(that.otherFields);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                rank, alpha, rsLora, dropout, targetModules, targetRegex(), layersToTransform);
    }

    @Override
    public String toString() {
        return "LoraConfig{rank="
                + rank
                + ", alpha="
                + alpha
                + ", rsLora="
                + rsLora
                + ", dropout="
                + dropout
                + ", targets="
                + targetRegex().orElseGet(targetModules::toString)
                + (layersToTransform.isEmpty() ? "" : ", layersToTransform=" + layersToTransform)
                + ", modulesToSave="
                + modulesToSave
                + "}";
    }

    /** Builds a configuration; every value is checked when it is set. */
    public static final class Builder {

        private int rank = 8;
        private double alpha = 16;
        private boolean rsLora;
        private double dropout;
        private ImmutableList<String> targetModules = ImmutableList.of("query", "value");
        private @Nullable Pattern targetRegex;
        private ImmutableList<Integer> layersToTransform = ImmutableList.of();
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
         * Chooses layers by the end of their path; {@code query} and {@code value} if neither this
         * nor {@link #targetRegex} is called.
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
            for (String name : names) {
                checkArgument(
                        name.matches("[^\\s.]+(\\.[^\\s.]+)*"),
                        "target module '%s' is not a name; for a pattern use targetRegex",
                        name);
            }
            targetModules = ImmutableList.copyOf(names);
            targetRegex = null;
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
            try {
                targetRegex = Pattern.compile(regex);
            } catch (PatternSyntaxException e) {
                throw new IllegalArgumentException(
                        "target regex '" + regex + "' is malformed: " + e.getDescription(), e);
            }
            targetModules = ImmutableList.of();
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

        /**
         * Makes the configuration.
         *
         * @return the configuration
         * @throws IllegalStateException if a regular expression and {@link #layersToTransform} are
         *     both set
         */
        public LoraConfig build() {
            checkState(
                    targetRegex == null || layersToTransform.isEmpty(),
                    "layersToTransform restricts names; write the layers into the target regex");
            return new LoraConfig(this);
        }
    }
}
