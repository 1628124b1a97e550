package io.fairlora.strategy;

import static com.google.common.base.Preconditions.checkState;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.SolutionDeveloper;
import io.fairlora.training.TrainingSettings;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A run as a strategy sees it: the two parties, the settings, and what the strategy keeps. */
public final class FineTuning {

    private final SolutionDeveloper developer;
    private final @Nullable FairnessAuditor auditor;
    private final LoraConfig config;
    private final TrainingSettings settings;
    private final Map<String, LoraAdapter> kept = new LinkedHashMap<>();

    /**
     * A run.
     *
     * @param developer the developer's side
     * @param auditor the auditor as the developer sees it; {@code null} if there is none
     * @param config the adapter's configuration
     * @param settings how the task is trained
     */
    public FineTuning(
            SolutionDeveloper developer,
            @Nullable FairnessAuditor auditor,
            LoraConfig config,
            TrainingSettings settings) {
        this.developer = developer;
        this.auditor = auditor;
        this.config = config;
        this.settings = settings;
    }

    /**
     * The developer's side.
     *
     * @return it
     */
    public SolutionDeveloper developer() {
        return developer;
    }

    /**
     * The auditor as the developer sees it.
     *
     * @return it
     * @throws IllegalStateException if there is none
     */
    public FairnessAuditor auditor() {
        checkState(auditor != null, "this run has no auditor");
        return auditor;
    }

    /**
     * The configuration of the developer's adapter.
     *
     * @return it
     */
    public LoraConfig config() {
        return config;
    }

    /**
     * How the task is trained; its seed is the run's.
     *
     * @return the settings
     */
    public TrainingSettings settings() {
        return settings;
    }

    /**
     * Remembers an adapter beyond a checkpoint.
     *
     * @param name a name of the strategy's own
     * @param adapter the adapter
     */
    public void keep(String name, LoraAdapter adapter) {
        kept.put(name, adapter);
    }

    /**
     * What was kept under a name.
     *
     * @param name the name
     * @return the adapter
     * @throws IllegalStateException if nothing was
     */
    public LoraAdapter kept(String name) {
        LoraAdapter adapter = kept.get(name);
        checkState(adapter != null, "no adapter was kept as %s", name);
        return adapter;
    }

    /**
     * All that was kept.
     *
     * @return a view by name
     */
    public Map<String, LoraAdapter> kept() {
        return Collections.unmodifiableMap(kept);
    }
}
