package io.fairlora;

import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.TinyBackbone;
import io.fairlora.party.Candidate;
import io.fairlora.party.CounterUpdateRequest.Objective;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.LocalAuditor;
import io.fairlora.strategy.CounterUpdates;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Erasure;
import io.fairlora.strategy.Orthogonality;
import io.fairlora.strategy.Strategies;
import io.fairlora.strategy.Unlearning;
import io.fairlora.training.TinyFaces;
import java.util.List;

/** Two parties and seven strategies, small enough to run often. */
final class Runs implements AutoCloseable {

    /** Twelve steps: three epochs of four batches. */
    static final int STEPS = 12;

    static final LoraConfig CONFIG = LoraConfig.builder().rank(2).alpha(4).dropout(0.1).build();

    final TinyBackbone backbone = TinyBackbone.random(DataType.FLOAT32, 1);
    final TinyFaces train;
    final TinyFaces known;
    final TinyFaces audited;
    final LocalAuditor auditor;

    Runs(int classes, int groups) {
        train = TinyFaces.of(60, classes, groups, 0.8, 3);
        known = TinyFaces.of(120, classes, groups, 0.2, 4);
        audited = TinyFaces.of(150, classes, groups, 0, 5);
        auditor =
                LocalAuditor.builder()
                        .backbone(backbone)
                        .sensitive(known.sensitiveWithTask())
                        .audit(audited.audit())
                        .replicates(0)
                        .build();
    }

    /** All seven, those of several rounds with three. */
    static List<DebiasStrategy> strategies() {
        return List.of(
                Strategies.ERM,
                Unlearning.builder().auditorEpochs(1).build(),
                counter(Objective.ASCENT),
                Orthogonality.builder().auditorEpochs(1).build(),
                counter(Objective.ENTROPY),
                counter(Objective.ERASED_FEATURES),
                Erasure.builder().givenTask(true).strength(0.8).refitHead(true).build());
    }

    private static DebiasStrategy counter(Objective objective) {
        return CounterUpdates.builder(objective).rounds(3).steps(2).batchSize(16).build();
    }

    FairLora.Builder builder(DebiasStrategy strategy) {
        return builder(strategy, auditor);
    }

    FairLora.Builder builder(DebiasStrategy strategy, FairnessAuditor other) {
        return unaudited().auditor(other).strategy(strategy);
    }

    /** Without an auditor and, as by default, a strategy that needs none. */
    FairLora.Builder unaudited() {
        return FairLora.builder().backbone(backbone).lora(CONFIG).epochs(3).batchSize(16).seed(7);
    }

    /** What a run comes to. */
    Candidate result(FairLora.Builder builder) {
        try (FairClassifier classifier = builder.build().fit(train.task())) {
            return classifier.candidate();
        }
    }

    @Override
    public void close() {
        auditor.close();
        backbone.close();
    }
}
