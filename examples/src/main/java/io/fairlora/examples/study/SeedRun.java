package io.fairlora.examples.study;

import io.fairlora.FairClassifier;
import io.fairlora.FairLora;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraConfig;
import io.fairlora.metrics.report.Estimate;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.GroupFigures;
import io.fairlora.party.LocalAuditor;
import io.fairlora.party.Reweighing;
import io.fairlora.party.SensitiveImages;
import io.fairlora.party.Transcript;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.FineTuning;
import io.fairlora.strategy.Strategies;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingSettings;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** All strategies with one seed, over the same data and one auditor. */
final class SeedRun implements AutoCloseable {

    /** The reference that separates what the auditor does from what fitting the head anew does. */
    static final String REFIT = "ERM+REFIT";

    /** The reference that knows the sensitive attribute of every training example. */
    static final String REWEIGHING = "REWEIGH";

    private final Backbone backbone;
    private final FaceSource.Parts parts;
    private final LoraConfig lora;
    private final TrainingSettings settings;
    private final LocalAuditor auditor;

    SeedRun(
            Backbone shared,
            FaceSource.Parts parts,
            LoraConfig lora,
            TrainingSettings settings,
            int probeExamples) {
        this.parts = parts;
        this.lora = lora;
        this.settings = settings;
        backbone = shared.fork();
        SensitiveImages sensitive =
                parts.auditor()
                        .sensitive(parts.sensitive())
                        .withTask(
                                parts.auditor().labels(parts.task()),
                                parts.auditor().classes(parts.task()));
        auditor =
                LocalAuditor.builder()
                        .backbone(backbone)
                        .sensitive(sensitive)
                        .audit(parts.test().audit(parts.task(), parts.sensitive()))
                        .probeExamples(probeExamples)
                        .replicates(0)
                        .build();
    }

    Outcome run(DebiasStrategy strategy, TrainingListener listener) {
        return run(strategy, strategy.name(), parts.train().task(parts.task()), listener);
    }

    Outcome refit(TrainingListener listener) {
        return run(new HeadRefit(), listener);
    }

    /** ERM, then the head is fitted anew, as ADV, ENT and DISTILL do; nothing crosses. */
    private record HeadRefit() implements DebiasStrategy {

        @Override
        public String name() {
            return REFIT;
        }

        @Override
        public boolean needsAuditor() {
            return false;
        }

        @Override
        public void finish(FineTuning run) {
            run.developer().refitHead();
        }
    }

    Outcome reweighing(TrainingListener listener) {
        TaskImages train = parts.train().task(parts.task());
        float[] weights =
                Reweighing.weights(
                        train.labels(),
                        train.classes().size(),
                        parts.train().labels(parts.sensitive()),
                        parts.train().classes(parts.sensitive()).size());
        return run(Strategies.ERM, REWEIGHING, train.withWeights(weights), listener);
    }

    private Outcome run(
            DebiasStrategy strategy, String name, TaskImages train, TrainingListener listener) {
        Transcript transcript = Transcript.of(auditor);
        FairLora fairLora =
                FairLora.builder()
                        .backbone(backbone)
                        .auditor(transcript)
                        .strategy(strategy)
                        .lora(lora)
                        .settings(settings)
                        .listener(listener)
                        .build();
        try (FairClassifier classifier = fairLora.fit(train)) {
            Outcome.Crossed crossed = crossed(transcript.messages());
            Map<String, Double> metrics = metrics(transcript.audit(classifier.candidate()));
            metrics.put(
                    "validation_balanced_accuracy",
                    classifier.balancedAccuracy(parts.validation().task(parts.task())));
            return new Outcome(name, settings.seed(), metrics, crossed);
        }
    }

    private static Outcome.Crossed crossed(List<Transcript.Message> messages) {
        int adapters = 0;
        int erasers = 0;
        int rounds = 0;
        long bytes = 0;
        for (Transcript.Message message : messages) {
            bytes += message.bytes();
            switch (message.kind()) {
                case "LoraAdapter" -> adapters++;
                case "LinearEraser" -> erasers++;
                case "CounterUpdateRequest", "EraserRequest" -> {
                    adapters++;
                    rounds++;
                }
                case "SensitiveAdapterRequest" -> rounds++;
                default -> {}
            }
        }
        return new Outcome.Crossed(adapters, erasers, bytes, rounds);
    }

    private static Map<String, Double> metrics(FairnessReport report) {
        Map<String, Double> metrics = new LinkedHashMap<>();
        metrics.put("accuracy", report.overall("accuracy").value());
        metrics.put("balanced_accuracy", report.overall("balanced_accuracy").value());
        metrics.put(
                "worst_group_accuracy",
                report.byGroup().stream()
                        .filter(group -> !group.suppressed())
                        .mapToDouble(SeedRun::accuracy)
                        .min()
                        .orElse(Double.NaN));
        for (String name :
                List.of(
                        "demographic_parity_difference",
                        "equal_opportunity_difference",
                        "equalized_odds_difference",
                        "false_positive_rate_difference")) {
            metrics.put(name, report.metric(name).orElse(Double.NaN));
        }
        for (String name : List.of("linear_probe_accuracy", "linear_probe_accuracy_frozen")) {
            metrics.put(name, report.extra(name).orElse(Double.NaN));
        }
        return metrics;
    }

    private static double accuracy(GroupFigures group) {
        Estimate accuracy = group.figures().get("accuracy");
        return accuracy == null ? Double.NaN : accuracy.figure().orElse(Double.NaN);
    }

    @Override
    public void close() {
        auditor.close();
        backbone.close();
    }
}
