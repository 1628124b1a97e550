package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.GroupConfusion;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.interval.BootstrapMethod;
import io.fairlora.metrics.report.FairnessAudit;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.EpochOrder;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A fairness auditor in the same process, over the same backbone as the developer.
 *
 * <p>Its answers are a function of its data and of the request: nothing of one request enters the
 * answer to the next. Its private head never leaves it. Not safe for use from several threads.
 */
public final class LocalAuditor implements FairnessAuditor {

    private final Backbone backbone;
    private final SensitiveImages sensitive;
    private final @Nullable AuditImages audit;
    private final boolean offersEraser;
    private final int probeExamples;
    private final int minimumGroupSize;
    private final int replicates;
    private @Nullable Double frozenProbe;
    private @Nullable SensitiveAdapterRequest answeredRequest;
    private @Nullable LoraAdapter answer;

    private LocalAuditor(Builder builder) {
        Backbone shared = Objects.requireNonNull(builder.backbone, "an auditor needs a backbone");
        sensitive =
                Objects.requireNonNull(
                        builder.sensitive, "an auditor needs images with the sensitive attribute");
        audit = builder.audit;
        offersEraser = builder.offersEraser;
        probeExamples = builder.probeExamples;
        minimumGroupSize = builder.minimumGroupSize;
        replicates = builder.replicates;
        checkArgument(sensitive.size() > 0, "the auditor has no image");
        checkArgument(
                audit == null || audit.sensitive().classes().equals(sensitive.classes()),
                "the auditor's images have the values %s, its audit images %s",
                sensitive.classes(),
                audit == null ? null : audit.sensitive().classes());
        checkArgument(
                audit == null || audit.sensitive().attribute().equals(sensitive.attribute()),
                "the auditor's images have the attribute %s, its audit images %s",
                sensitive.attribute(),
                audit == null ? null : audit.sensitive().attribute());
        checkArgument(audit == null || audit.size() > 0, "there is no audit image");
        backbone = shared.fork();
    }

    /**
     * An auditor that offers everything.
     *
     * @param backbone the backbone, which stays the caller's
     * @param sensitive what it trains on
     * @param audit what it measures on
     * @return the auditor, which the caller closes before the backbone
     */
    public static LocalAuditor of(Backbone backbone, SensitiveImages sensitive, AuditImages audit) {
        return builder().backbone(backbone).sensitive(sensitive).audit(audit).build();
    }

    /**
     * A builder.
     *
     * @return a new one
     */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public AuditorDescription describe() {
        return new AuditorDescription(
                sensitive.attribute(), sensitive.classes(), backbone.digest(), offersEraser);
    }

    @Override
    public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
        if (!request.equals(answeredRequest) || answer == null) {
            answer = trainSensitive(request);
            answeredRequest = request;
        }
        return answer;
    }

    private LoraAdapter trainSensitive(SensitiveAdapterRequest request) {
        TaskImages data = sensitive.data();
        try (AdaptedModel model =
                        new AdaptedModel(
                                backbone,
                                request.config(),
                                data.classes().size(),
                                request.settings().seed());
                TrainingLoop loop = new TrainingLoop(model, data, request.settings())) {
            loop.run(loop.totalSteps(), null, TrainingListener.NONE);
            return model.adapter().toAdapter(Map.of("backbone", backbone.digest()));
        }
    }

    @Override
    public LoraAdapter counterUpdate(CounterUpdateRequest request) {
        try (CounterUpdate update = new CounterUpdate(backbone, request)) {
            // An eraser needs more images than a head does.
            int wanted =
                    request.objective() == CounterUpdateRequest.Objective.ERASED_FEATURES
                            ? Math.max(probeExamples, LinearErasers.minimum(backbone.featureSize()))
                            : probeExamples;
            return update.run(some(wanted, request.seed(), request.round()));
        }
    }

    /** At most so many of the auditor's images, drawn by seed and round. */
    private TaskImages some(int wanted, long seed, int round) {
        TaskImages data = sensitive.data();
        return data.size() <= wanted
                ? data
                : data.select(Arrays.copyOf(EpochOrder.of(data.size(), seed, -round), wanted));
    }

    @Override
    public LinearEraser eraser(EraserRequest request) {
        if (!offersEraser) {
            throw new RefusedException(
                    "an eraser of "
                            + sensitive.attribute()
                            + " was asked for, this auditor does not offer one");
        }
        TaskImages data = sensitive.data();
        LinearErasers.checkEnough(data.size(), backbone.featureSize());
        float[] weights = new float[data.size()];
        Arrays.fill(weights, 1);
        if (request.givenTask()) {
            TaskImages task = sensitive.task();
            if (task == null) {
                throw new RefusedException(
                        "an eraser given the task's label was asked for, this auditor does not"
                                + " know the label");
            }
            weights =
                    Reweighing.weights(
                            task.labels(),
                            task.classes().size(),
                            data.labels(),
                            data.classes().size());
        }
        try (AdaptedModel model = model(request.adapter(), 1);
                NDManager scope = backbone.manager().newSubManager()) {
            NDArray features = model.features(data.images(), scope);
            return LinearEraser.fit(features, data.labels(), data.classes().size(), weights);
        }
    }

    private AdaptedModel model(LoraAdapter adapter, int classes) {
        return new AdaptedModel(
                backbone, adapter, LinearHead.Weights.random(classes, backbone.featureSize(), 0));
    }

    /**
     * {@inheritDoc}
     *
     * <p>Beside the figures of {@link FairnessAudit} the report carries {@code
     * linear_probe_accuracy}, the balanced accuracy on the audit images of a linear classifier of
     * the attribute fitted on the auditor's own images, on the candidate's features after its
     * eraser; and {@code linear_probe_accuracy_frozen}, the same on the frozen backbone.
     *
     * @throws IllegalStateException if the auditor has no audit images
     * @throws IllegalArgumentException if the candidate's classes are not those of the audit
     *     images, or adapter, head or eraser do not fit the backbone or are not finite
     */
    @Override
    public FairnessReport audit(Candidate candidate) {
        checkState(audit != null, "this auditor was given no audit images");
        TaskImages task = audit.task();
        checkArgument(
                candidate.classes().equals(task.classes()),
                "the candidate's classes are %s, the audit images' are %s",
                candidate.classes(),
                task.classes());
        Received.fits(candidate, backbone.featureSize());
        try (AdaptedModel model =
                        new AdaptedModel(backbone, candidate.adapter(), candidate.head());
                NDManager scope = backbone.manager().newSubManager()) {
            NDArray features = erased(candidate, model.features(task.images(), scope));
            int[] predictions =
                    GradientMode.OFF.get(
                            () ->
                                    LogisticRegression.argMax(
                                            HostTensor.copyOf(model.head().logits(features))));
            FairnessAudit figures =
                    FairnessAudit.of(count(task, predictions))
                            .subject(candidate.name())
                            .options(FairnessOptions.DEFAULT.withMinimumGroupSize(minimumGroupSize))
                            .bootstrap(BootstrapMethod.PERCENTILE, replicates, 0);
            TaskImages known = some(probeExamples, 0, 0);
            NDArray knownFeatures = erased(candidate, model.features(known.images(), scope));
            figures.extra(
                    "linear_probe_accuracy", Figure.of(probe(knownFeatures, known, features)));
            figures.extra("linear_probe_accuracy_frozen", Figure.of(frozenProbe(known)));
            return figures.report();
        }
    }

    private static NDArray erased(Candidate candidate, NDArray features) {
        LinearEraser eraser = candidate.eraser();
        return eraser == null
                ? features
                : GradientMode.OFF.get(() -> eraser.apply(features, candidate.eraserStrength()));
    }

    private ConfusionSnapshot count(TaskImages task, int[] predictions) {
        TaskImages groups = Objects.requireNonNull(audit).sensitive().data();
        List<Group> names =
                Group.values(sensitive.attribute(), groups.classes().toArray(String[]::new));
        GroupConfusion confusion =
                task.classes().size() == 2
                        ? GroupConfusion.binary(names)
                        : GroupConfusion.of(task.classes(), names);
        confusion.add(task.labels(), predictions, groups.labels());
        return confusion.snapshot();
    }

    private double frozenProbe(TaskImages known) {
        if (frozenProbe == null) {
            // An adapter-free model is a fork with nothing in it.
            try (Backbone plain = backbone.fork();
                    NDManager scope = backbone.manager().newSubManager()) {
                TaskImages task = Objects.requireNonNull(audit).task();
                NDArray test = AdaptedModel.features(plain, task.images(), scope);
                NDArray train = AdaptedModel.features(plain, known.images(), scope);
                frozenProbe = probe(train, known, test);
            }
        }
        return frozenProbe;
    }

    private double probe(NDArray knownFeatures, TaskImages known, NDArray features) {
        int classes = known.classes().size();
        int[] labels = known.labels();
        LinearHead.Weights fitted =
                LogisticRegression.fit(
                        knownFeatures,
                        labels,
                        classes,
                        LogisticRegression.balanced(labels, classes));
        int[] truth = Objects.requireNonNull(audit).sensitive().data().labels();
        return LogisticRegression.balancedAccuracy(
                truth, LogisticRegression.predict(fitted, features), classes);
    }

    @Override
    public void close() {
        backbone.close();
    }

    /** Builds a {@link LocalAuditor}. */
    public static final class Builder {

        private @Nullable Backbone backbone;
        private @Nullable SensitiveImages sensitive;
        private @Nullable AuditImages audit;
        private boolean offersEraser = true;
        private int probeExamples = 1024;
        private int minimumGroupSize = 30;
        private int replicates = 1000;

        private Builder() {}

        /**
         * The frozen backbone; required.
         *
         * @param value it stays the caller's
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder backbone(Backbone value) {
            backbone = value;
            return this;
        }

        /**
         * What the auditor trains on; required.
         *
         * @param value images and attribute
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder sensitive(SensitiveImages value) {
            sensitive = value;
            return this;
        }

        /**
         * What the auditor measures on; without it {@link #audit} is refused.
         *
         * @param value images, labels and attribute
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder audit(AuditImages value) {
            audit = value;
            return this;
        }

        /**
         * Whether the auditor hands out erasers; it does unless set otherwise.
         *
         * @param value whether it does
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder offersEraser(boolean value) {
            offersEraser = value;
            return this;
        }

        /**
         * How many images a probe and the private head of a counter-update are fitted on.
         *
         * @param value at least 1, 1024 by default; DISTILL takes what an eraser needs if that is
         *     more
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder probeExamples(int value) {
            checkArgument(value >= 1, "probe examples must be at least 1, found %s", value);
            probeExamples = value;
            return this;
        }

        /**
         * The size below which a group is suppressed in reports.
         *
         * @param value at least 1, 30 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder minimumGroupSize(int value) {
            checkArgument(value >= 1, "minimum group size must be at least 1, found %s", value);
            minimumGroupSize = value;
            return this;
        }

        /**
         * The bootstrap replicates behind a report's intervals.
         *
         * @param value at least 0, 1000 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder replicates(int value) {
            checkArgument(value >= 0, "replicates must be at least 0, found %s", value);
            replicates = value;
            return this;
        }

        /**
         * Builds the auditor.
         *
         * @return the auditor, which the caller closes before the backbone
         * @throws NullPointerException if backbone or sensitive images are missing
         * @throws IllegalArgumentException if there is no image, or the audit images have another
         *     attribute or other values of it
         */
        public LocalAuditor build() {
            return new LocalAuditor(this);
        }
    }
}
