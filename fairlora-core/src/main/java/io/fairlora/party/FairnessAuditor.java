package io.fairlora.party;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.report.FairnessReport;

/**
 * The fairness auditor as the solution developer sees it. Sensitive attributes, their predictor and
 * per-example outputs stay behind it.
 */
public interface FairnessAuditor extends AutoCloseable {

    /**
     * What the auditor is about.
     *
     * @return no data
     */
    AuditorDescription describe();

    /**
     * Trains an adapter to predict the sensitive attribute (UNL, ORTH).
     *
     * @param request configuration and training
     * @return the adapter, without its head
     */
    LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request);

    /**
     * Moves the developer's adapter against the sensitive attribute (ADV, ENT, DISTILL).
     *
     * @param request the adapter, where to and how far
     * @return the adapter moved, of the same configuration and shapes
     * @throws RefusedException if the auditor has too few images for the objective
     * @throws IllegalArgumentException if the adapter does not fit the backbone or is not finite
     */
    LoraAdapter counterUpdate(CounterUpdateRequest request);

    /**
     * Fits the linear eraser of the sensitive attribute (ERASE).
     *
     * @param request the adapter under which
     * @return a low-rank affine map of the features
     * @throws RefusedException if the auditor does not offer it, has too few images for it, or does
     *     not know the task's label that was asked for
     */
    LinearEraser eraser(EraserRequest request);

    /**
     * Measures a candidate on the auditor's own images.
     *
     * @param candidate the classifier
     * @return aggregate figures only, small groups suppressed
     */
    FairnessReport audit(Candidate candidate);

    /** Frees what the auditor holds; nothing was promised about its answers afterwards. */
    @Override
    void close();
}
