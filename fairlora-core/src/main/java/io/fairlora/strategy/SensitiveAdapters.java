package io.fairlora.strategy;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.party.SensitiveAdapterRequest;

/** The request for the auditor's adapter, the same for every strategy that needs one. */
final class SensitiveAdapters {

    private SensitiveAdapters() {}

    /** Asks for an adapter of the run's own configuration, trained as the task is. */
    static LoraAdapter request(FineTuning run, int epochs) {
        LoraAdapter adapter =
                run.auditor()
                        .sensitiveAdapter(
                                new SensitiveAdapterRequest(
                                        run.config(),
                                        run.settings()
                                                .withEpochs(epochs)
                                                .withSeed(~run.settings().seed())));
        return run.developer().checkSensitive(adapter);
    }
}
