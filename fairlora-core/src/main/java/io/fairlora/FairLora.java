package io.fairlora;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraConfig;
import io.fairlora.metrics.report.Provenance;
import io.fairlora.party.AuditorDescription;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.SolutionDeveloper;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.FineTuning;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.AdapterPenalty;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingSettings;
import io.fairlora.training.TrainingStoppedException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Adapts a frozen backbone to a task and makes the result fair, with a fairness auditor who alone
 * knows the sensitive attribute.
 *
 * <pre>{@code
 * FairLora fairLora =
 *         FairLora.builder().backbone(backbone).auditor(auditor).strategy(ORTH).seed(7).build();
 * try (FairClassifier smiling = fairLora.fit(faces.task("Smiling"))) {
 *     System.out.println(auditor.audit(smiling.candidate()));
 * }
 * }</pre>
 *
 * <p>With a {@linkplain Builder#checkpoint checkpoint} a run can be killed at any moment and
 * started again: it goes on to the same bits, given the same seed, machine and number of threads. A
 * run with other settings, examples, images or augmentation is refused, not gone on with. An
 * interrupt of the thread stops it between two steps.
 */
public final class FairLora {

    private final Backbone backbone;
    private final @Nullable FairnessAuditor auditor;
    private final DebiasStrategy strategy;
    private final LoraConfig lora;
    private final TrainingSettings settings;
    private final TrainingListener listener;
    private final @Nullable Path checkpoint;
    private final int checkpointEvery;

    private FairLora(Builder builder) {
        backbone = Objects.requireNonNull(builder.backbone, "a FairLora needs a backbone");
        auditor = builder.auditor;
        strategy = builder.strategy;
        checkArgument(
                auditor != null || !strategy.needsAuditor(),
                "strategy %s needs an auditor",
                strategy.name());
        lora = builder.lora;
        settings = builder.settings;
        listener = builder.listener;
        checkpoint = builder.checkpoint;
        checkpointEvery = builder.checkpointEvery;
    }

    /**
     * A builder; the backbone is required, and the auditor by most strategies.
     *
     * @return a new one
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Trains.
     *
     * @param train the task's images and labels
     * @return the classifier, which the caller closes before the backbone
     * @throws IllegalArgumentException if there is no training example, the adapter's targets match
     *     no layer, the auditor holds another backbone or sends something that does not fit, or the
     *     checkpoint is of another run
     * @throws io.fairlora.party.RefusedException if the auditor declines what the strategy needs
     * @throws java.io.UncheckedIOException if the checkpoint cannot be read or written
     * @throws TrainingStoppedException if the thread is interrupted; the checkpoint, if there is
     *     one, holds the state
     */
    public FairClassifier fit(TaskImages train) {
        String attribute = auditor == null ? "" : attribute(auditor.describe());
        try (SolutionDeveloper developer =
                new SolutionDeveloper(backbone, train, lora, settings, provenance(attribute))) {
            FineTuning run = new FineTuning(developer, auditor, lora, settings);
            Map<String, String> identity = identity(train, attribute);
            int done = start(run, identity);
            AdapterPenalty penalty = strategy.penalty(run).orElse(null);
            int rounds = strategy.rounds();
            for (int round = done + 1; round <= rounds; round++) {
                train(run, identity, developer.totalSteps() * round / rounds, round, penalty);
                strategy.afterRound(run, round);
                save(run, identity, round);
            }
            strategy.finish(run);
            return new FairClassifier(backbone, developer.candidate(strategy.name()));
        }
    }

    /**
     * Trains, and notes on the classifier's card how well it does on data it was not trained on.
     *
     * @param train the task's images and labels
     * @param validation more of them, which the training does not see
     * @return the classifier, which the caller closes before the backbone
     * @see #fit(TaskImages)
     */
    public FairClassifier fit(TaskImages train, TaskImages validation) {
        checkArgument(
                train.classes().equals(validation.classes()),
                "the training data has the classes %s, the validation data %s",
                train.classes(),
                validation.classes());
        FairClassifier classifier = fit(train);
        try {
            classifier.note(
                    "validation_balanced_accuracy",
                    Double.toString(classifier.balancedAccuracy(validation)));
            return classifier;
        } catch (RuntimeException e) {
            classifier.close();
            throw e;
        }
    }

    /** The attribute that an auditor is about, once it is known to hold the same backbone. */
    private String attribute(AuditorDescription description) {
        checkArgument(
                description.backboneDigest().equals(backbone.digest()),
                "the auditor holds the backbone %s, the developer holds %s",
                description.backboneDigest(),
                backbone.digest());
        return description.attribute();
    }

    private int start(FineTuning run, Map<String, String> identity) {
        if (checkpoint != null && RunCheckpoint.exists(checkpoint)) {
            RunCheckpoint saved = RunCheckpoint.read(checkpoint, identity, lora);
            saved.kept().forEach(run::keep);
            run.developer().restore(saved.step(), saved.training());
            strategy.begin(run);
            return saved.rounds();
        }
        strategy.prepare(run);
        // What the auditor was asked for is not asked for again.
        save(run, identity, 0);
        strategy.begin(run);
        return 0;
    }

    private void train(
            FineTuning run,
            Map<String, String> identity,
            long until,
            int round,
            @Nullable AdapterPenalty penalty) {
        SolutionDeveloper developer = run.developer();
        try {
            while (developer.step() < until) {
                long next = Math.min(until, developer.step() + checkpointEvery);
                developer.trainUntil(next, penalty, listener);
                save(run, identity, round - 1);
            }
        } catch (TrainingStoppedException e) {
            save(run, identity, round - 1);
            throw e;
        }
    }

    private void save(FineTuning run, Map<String, String> identity, int rounds) {
        if (checkpoint != null) {
            SolutionDeveloper developer = run.developer();
            new RunCheckpoint(developer.step(), rounds, developer.state(), run.kept())
                    .write(checkpoint, identity);
        }
    }

    private Map<String, String> identity(TaskImages train, String attribute) {
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("strategy", strategy.toString());
        identity.put("lora", lora.toString());
        identity.put("settings", settings.toString());
        identity.put("backbone", backbone.digest());
        identity.put("sensitive attribute", attribute);
        identity.put("examples", Integer.toString(train.size()));
        identity.put("classes", train.classes().toString());
        identity.put("labels", digest(train));
        identity.put("list of images", names(train.images()));
        identity.put("image processing", train.images().describe());
        return identity;
    }

    /** Identifies the labels and weights of the examples, in their order. */
    private static String digest(TaskImages train) {
        Hasher hasher = Hashing.sha256().newHasher();
        for (int label : train.labels()) {
            hasher.putInt(label);
        }
        for (float weight : train.weights()) {
            hasher.putFloat(weight);
        }
        return hasher.hash().toString();
    }

    /** Identifies the images by their names, in their order. */
    private static String names(Images images) {
        Hasher hasher = Hashing.sha256().newHasher();
        for (int i = 0; i < images.size(); i++) {
            String name = images.name(i);
            hasher.putInt(name.length()).putUnencodedChars(name);
        }
        return hasher.hash().toString();
    }

    private Map<String, String> provenance(String attribute) {
        Map<String, String> provenance = new LinkedHashMap<>();
        provenance.put("library", "fairlora " + Provenance.currentVersion());
        provenance.put("backbone", backbone.digest());
        provenance.put("strategy", strategy.toString());
        provenance.put("settings", settings.toString());
        if (!attribute.isEmpty()) {
            provenance.put("sensitive_attribute", attribute);
        }
        return provenance;
    }

    /** Builds a {@link FairLora}. */
    public static final class Builder {

        private @Nullable Backbone backbone;
        private @Nullable FairnessAuditor auditor;
        private DebiasStrategy strategy = Strategies.ERM;
        private LoraConfig lora = LoraConfig.builder().build();
        private TrainingSettings settings = TrainingSettings.DEFAULT;
        private TrainingListener listener = TrainingListener.NONE;
        private @Nullable Path checkpoint;
        private int checkpointEvery = 50;

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
         * The auditor; required unless the strategy asks nothing of one.
         *
         * @param value it stays the caller's
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder auditor(FairnessAuditor value) {
            auditor = value;
            return this;
        }

        /**
         * How the result is made fair.
         *
         * @param value {@link Strategies#ERM} by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder strategy(DebiasStrategy value) {
            strategy = value;
            return this;
        }

        /**
         * The adapter.
         *
         * @param value rank 8 on query and value by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder lora(LoraConfig value) {
            lora = value;
            return this;
        }

        /**
         * All settings of the training at once.
         *
         * @param value {@link TrainingSettings#DEFAULT} by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder settings(TrainingSettings value) {
            settings = value;
            return this;
        }

        /**
         * Passes over the data.
         *
         * @param value at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder epochs(int value) {
            settings = settings.withEpochs(value);
            return this;
        }

        /**
         * Examples a step.
         *
         * @param value at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder batchSize(int value) {
            settings = settings.withBatchSize(value);
            return this;
        }

        /**
         * The peak learning rate.
         *
         * @param value positive
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder learningRate(double value) {
            settings = settings.withLearningRate(value);
            return this;
        }

        /**
         * The seed of everything random: weights, order, dropout, and the auditor's draws.
         *
         * @param value any number
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder seed(long value) {
            settings = settings.withSeed(value);
            return this;
        }

        /**
         * Who is told about the progress.
         *
         * @param value nobody by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder listener(TrainingListener value) {
            listener = value;
            return this;
        }

        /**
         * Where the state of the run is saved; a run whose file exists goes on from it.
         *
         * @param file one file, replaced whole at each save
         * @param everySteps how many task steps lie between two saves, at least 1
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder checkpoint(Path file, int everySteps) {
            checkArgument(everySteps >= 1, "every must be at least 1 step, found %s", everySteps);
            checkpoint = file;
            checkpointEvery = everySteps;
            return this;
        }

        /**
         * Builds it.
         *
         * @return the fine-tuning, not started
         * @throws IllegalArgumentException if there is no auditor and the strategy needs one
         */
        public FairLora build() {
            return new FairLora(this);
        }
    }
}
