package io.fairlora.metrics.evaluator;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.evaluator.Evaluator;
import com.google.common.collect.ImmutableList;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A fairness criterion as an evaluator that a {@code Trainer} tracks like accuracy.
 *
 * <p>The groups come with the labels: a data set whose batches carry two label arrays, the task's
 * classes and the groups' codes. The loss and other evaluators then look at the first alone:
 *
 * <pre>{@code
 * new DefaultTrainingConfig(new IndexLoss(Loss.softmaxCrossEntropyLoss(), 0))
 *         .addEvaluator(new IndexEvaluator(new Accuracy(), 0))
 *         .addEvaluator(
 *                 FairnessEvaluator.builder()
 *                         .setCriterion(Criterion.EQUAL_OPPORTUNITY)
 *                         .setGroups(Group.values("sex", "female", "male"))
 *                         .build());
 * }</pre>
 *
 * <p>DJL's listeners put the values into {@code Metrics} under {@code
 * train_epoch_equal_opportunity_difference}, {@code validate_epoch_equal_opportunity_difference}
 * and so on, after the evaluator's name, which is {@link Criterion#key}. As these are plain
 * numbers, NaN stands for undefined, and no note says which groups were too small.
 */
public final class FairnessEvaluator extends Evaluator {
    private final Criterion criterion;
    private final Contrast contrast;
    private final FairnessOptions options;
    private final ImmutableList<Group> groups;
    private final int classes;
    private final int labelIndex;
    private final int groupIndex;
    private final double threshold;
    private final Map<String, GroupConfusion> accumulators = new ConcurrentHashMap<>();

    private FairnessEvaluator(Builder builder, Criterion criterion, ImmutableList<Group> groups) {
        super(criterion.key(builder.contrast));
        this.criterion = criterion;
        this.contrast = builder.contrast;
        this.options = builder.options;
        this.groups = groups;
        this.classes = builder.classes;
        this.labelIndex = builder.labelIndex;
        this.groupIndex = builder.groupIndex;
        this.threshold = builder.threshold;
    }

    /**
     * Creates a builder.
     *
     * @return an empty builder
     */
    public static Builder builder() {
        return new Builder();
    }

    private GroupConfusion empty() {
        List<String> names = IntStream.range(0, classes).mapToObj(Integer::toString).toList();
        return GroupConfusion.of(names, groups);
    }

    /**
     * The criterion over one batch alone.
     *
     * @param labels the classes, shape (n) or (n, 1), at the label index; the groups' codes in the
     *     same form at the group index
     * @param predictions first array: scores of the classes, shape (n, classes); or, in a binary
     *     task, the score of class 1, shape (n) or (n, 1)
     * @return a scalar, NaN if undefined; it belongs to the predictions' manager
     */
    @Override
    public NDArray evaluate(NDList labels, NDList predictions) {
        GroupConfusion confusion = empty();
        add(List.of(confusion), labels, predictions);
        return predictions.head().getManager().create(value(confusion.snapshot()));
    }

    private float value(ConfusionSnapshot snapshot) {
        return (float) criterion.measure(snapshot, contrast, options).figure().orElse(Double.NaN);
    }

    private void add(List<GroupConfusion> targets, NDList labels, NDList predictions) {
        if (labels.size() <= Math.max(labelIndex, groupIndex)) {
            throw new IllegalArgumentException(
                    "found "
                            + labels.size()
                            + " label arrays, expected classes at index "
                            + labelIndex
                            + " and groups at index "
                            + groupIndex);
        }
        NDArray scores = predictions.head();
        long n = labels.get(labelIndex).size();
        try (NDArray decided = decide(scores, n)) {
            for (GroupConfusion target : targets) {
                target.add(labels.get(labelIndex), decided, labels.get(groupIndex));
            }
        }
    }

    private NDArray decide(NDArray scores, long n) {
        if (scores.size() == n && classes == 2) {
            try (NDArray above = scores.gte(threshold)) {
                return above.toType(DataType.INT32, true);
            }
        }
        if (scores.size() != n * classes) {
            throw new IllegalArgumentException(
                    "predictions have shape "
                            + scores.getShape()
                            + ", expected ("
                            + n
                            + ", "
                            + classes
                            + ")"
                            + (classes == 2 ? " or (" + n + ")" : ""));
        }
        return scores.argMax(1);
    }

    @Override
    public void addAccumulator(String key) {
        accumulators.put(key, empty());
    }

    @Override
    public void updateAccumulator(String key, NDList labels, NDList predictions) {
        updateAccumulators(new String[] {key}, labels, predictions);
    }

    @Override
    public void updateAccumulators(String[] keys, NDList labels, NDList predictions) {
        GroupConfusion batch = empty();
        add(List.of(batch), labels, predictions);
        for (String key : keys) {
            accumulator(key).merge(batch);
        }
    }

    @Override
    public void resetAccumulator(String key) {
        accumulators.put(key, empty());
    }

    /**
     * The criterion over all batches since the last reset.
     *
     * @param key the accumulator's key
     * @return the difference or ratio, NaN if undefined
     * @throws IllegalArgumentException if no accumulator was added with the key
     */
    @Override
    public float getAccumulator(String key) {
        return value(snapshot(key));
    }

    /**
     * What an accumulator has counted since its last reset, for all other figures. DJL's listener
     * resets at the end of an epoch.
     *
     * @param key the accumulator's key
     * @return the snapshot
     * @throws IllegalArgumentException if no accumulator was added with the key
     */
    public ConfusionSnapshot snapshot(String key) {
        return accumulator(key).snapshot();
    }

    private GroupConfusion accumulator(String key) {
        GroupConfusion confusion = accumulators.get(key);
        if (confusion == null) {
            throw new IllegalArgumentException(
                    "no accumulator " + key + ", expected one of " + accumulators.keySet());
        }
        return confusion;
    }

    /** Builds a {@link FairnessEvaluator}. */
    public static final class Builder {
        private @Nullable Criterion criterion;
        private ImmutableList<Group> groups = ImmutableList.of();
        private Contrast contrast = Contrast.DIFFERENCE;
        private FairnessOptions options = FairnessOptions.DEFAULT;
        private int classes = 2;
        private int labelIndex;
        private int groupIndex = 1;
        private double threshold = 0.5;

        private Builder() {}

        /**
         * What is measured.
         *
         * @param newCriterion the criterion
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setCriterion(Criterion newCriterion) {
            criterion = newCriterion;
            return this;
        }

        /**
         * The groups by code.
         *
         * @param newGroups the groups
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder setGroups(List<Group> newGroups) {
            groups = ImmutableList.copyOf(newGroups);
            return this;
        }

        /**
         * Difference or ratio.
         *
         * @param newContrast {@link Contrast#DIFFERENCE} by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optContrast(Contrast newContrast) {
            contrast = newContrast;
            return this;
        }

        /**
         * How groups are compared.
         *
         * @param newOptions {@link FairnessOptions#DEFAULT} by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optOptions(FairnessOptions newOptions) {
            options = newOptions;
            return this;
        }

        /**
         * The number of classes of the task.
         *
         * @param newClasses 2 or more; 2 by default
         * @return this
         * @throws IllegalArgumentException if below 2
         */
        @CanIgnoreReturnValue
        public Builder optClasses(int newClasses) {
            if (newClasses < 2) {
                throw new IllegalArgumentException(
                        "number of classes is " + newClasses + ", expected 2 or more");
            }
            classes = newClasses;
            return this;
        }

        /**
         * Where the classes and the groups lie in the list of labels.
         *
         * @param newLabelIndex of the classes, 0 by default
         * @param newGroupIndex of the groups, 1 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optIndices(int newLabelIndex, int newGroupIndex) {
            labelIndex = newLabelIndex;
            groupIndex = newGroupIndex;
            return this;
        }

        /**
         * The score from which class 1 is predicted, where there is one score for each example.
         *
         * @param newThreshold 0.5 by default; 0 for logits
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder optThreshold(double newThreshold) {
            threshold = newThreshold;
            return this;
        }

        /**
         * Builds the evaluator.
         *
         * @return a new evaluator
         * @throws IllegalArgumentException if the criterion or the groups are missing
         */
        public FairnessEvaluator build() {
            if (criterion == null || groups.isEmpty()) {
                throw new IllegalArgumentException(
                        (criterion == null ? "setCriterion" : "setGroups")
                                + " was not called, expected a criterion and at least one group");
            }
            return new FairnessEvaluator(this, criterion, groups);
        }
    }
}
