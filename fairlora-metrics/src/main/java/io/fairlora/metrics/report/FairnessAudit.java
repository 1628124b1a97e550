package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableMap;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.ScoreSnapshot;
import io.fairlora.metrics.fairness.FairnessOptions;
import io.fairlora.metrics.interval.BootstrapMethod;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Computes a {@link FairnessReport} from a snapshot.
 *
 * <pre>{@code
 * FairnessReport report =
 *         FairnessAudit.of(confusion.snapshot())
 *                 .subject("smile detector 1.2")
 *                 .extra("linear_probe_accuracy", Figure.of(0.61))
 *                 .report();
 * }</pre>
 */
public final class FairnessAudit {
    private final ConfusionSnapshot snapshot;
    private String subject = "predictions";
    private FairnessOptions options = FairnessOptions.DEFAULT;
    private double confidence = 0.95;
    private int replicates = 1000;
    private long seed;
    private BootstrapMethod method = BootstrapMethod.BCA;
    private @Nullable Instant created;
    private @Nullable ScoreSnapshot scores;
    private final Map<String, Estimate> extras = new LinkedHashMap<>();

    private FairnessAudit(ConfusionSnapshot snapshot) {
        this.snapshot = snapshot;
    }

    /**
     * Begins an audit.
     *
     * @param snapshot predictions counted by group
     * @return an audit with the default settings
     */
    public static FairnessAudit of(ConfusionSnapshot snapshot) {
        return new FairnessAudit(snapshot);
    }

    /**
     * What is audited.
     *
     * @param name such as a model's name and version; "predictions" by default
     * @return this
     */
    @CanIgnoreReturnValue
    public FairnessAudit subject(String name) {
        subject = name;
        return this;
    }

    /**
     * The scores behind the predictions, for AUC, calibration and curves.
     *
     * @param snapshot scores of the same examples; its groups must be among those of the
     *     predictions
     * @return this
     * @throws IllegalArgumentException if a group has no predictions
     */
    @CanIgnoreReturnValue
    public FairnessAudit scores(ScoreSnapshot snapshot) {
        if (!this.snapshot.groups().containsAll(snapshot.groups())) {
            throw new IllegalArgumentException(
                    "scores are of groups "
                            + snapshot.groups()
                            + ", expected some of "
                            + this.snapshot.groups());
        }
        scores = snapshot;
        return this;
    }

    /**
     * How groups are compared.
     *
     * @param newOptions {@link FairnessOptions#DEFAULT} by default
     * @return this
     */
    @CanIgnoreReturnValue
    public FairnessAudit options(FairnessOptions newOptions) {
        options = newOptions;
        return this;
    }

    /**
     * The level of all intervals.
     *
     * @param level in (0, 1); 0.95 by default
     * @return this
     * @throws IllegalArgumentException if the level is out of range
     */
    @CanIgnoreReturnValue
    public FairnessAudit confidence(double level) {
        if (!(level > 0 && level < 1)) {
            throw new IllegalArgumentException(
                    "confidence is " + level + ", expected a number between 0 and 1");
        }
        confidence = level;
        return this;
    }

    /**
     * The bootstrap behind the intervals of differences and ratios.
     *
     * @param newMethod {@link BootstrapMethod#BCA} by default
     * @param newReplicates how many replicates, 1,000 by default; 0 leaves these intervals out
     * @param newSeed where the random numbers start, 0 by default
     * @return this
     * @throws IllegalArgumentException if the number of replicates is negative
     */
    @CanIgnoreReturnValue
    public FairnessAudit bootstrap(BootstrapMethod newMethod, int newReplicates, long newSeed) {
        if (newReplicates < 0) {
            throw new IllegalArgumentException(
                    "number of replicates is " + newReplicates + ", expected 0 or more");
        }
        method = newMethod;
        replicates = newReplicates;
        seed = newSeed;
        return this;
    }

    /**
     * The time that the report bears.
     *
     * @param time the present by default
     * @return this
     */
    @CanIgnoreReturnValue
    public FairnessAudit created(Instant time) {
        created = time;
        return this;
    }

    /**
     * Adds a figure that does not come from the predictions.
     *
     * @param name such as {@code linear_probe_accuracy}
     * @param figure its value, or why there is none
     * @return this
     */
    @CanIgnoreReturnValue
    public FairnessAudit extra(String name, Figure figure) {
        return extra(name, Estimate.of(figure));
    }

    /**
     * Adds a figure that does not come from the predictions.
     *
     * @param name such as {@code linear_probe_accuracy}
     * @param estimate its value and interval
     * @return this
     */
    @CanIgnoreReturnValue
    public FairnessAudit extra(String name, Estimate estimate) {
        extras.put(name, estimate);
        return this;
    }

    /**
     * Computes the figures.
     *
     * @return the report
     * @throws IllegalStateException if a figure is undefined and the options say to fail
     */
    public FairnessReport report() {
        AuditFigures figures = new AuditFigures(options, confidence, method, replicates, seed);
        Optional<AuditFigures.Scores> scored = Optional.ofNullable(scores).map(figures::resampled);
        List<String> notes = new ArrayList<>();
        List<GroupFigures> byGroup = new ArrayList<>();
        for (Group group : snapshot.groups()) {
            long count = snapshot.count(group);
            boolean suppressed = count < options.minimumGroupSize();
            if (suppressed) {
                notes.add(
                        "suppressed "
                                + group
                                + ": "
                                + count
                                + " examples, fewer than "
                                + options.minimumGroupSize()
                                + "; its rates are not shown and take no part in comparisons");
            }
            Map<String, Estimate> rates =
                    suppressed ? Map.of() : figuresOf(figures, scored, Optional.of(group));
            byGroup.add(new GroupFigures(group, count, suppressed, rates));
        }
        Map<String, Estimate> metrics = figures.metrics(snapshot);
        scored.ifPresent(s -> metrics.putAll(figures.metrics(s)));
        List<GroupCurves> curves = scored.map(s -> figures.curves(s.snapshot())).orElse(List.of());
        notes.addAll(figures.findings(snapshot));
        return new FairnessReport(
                new Provenance(
                        subject,
                        created == null ? Instant.now() : created,
                        Provenance.currentVersion(),
                        settings()),
                snapshot.count(),
                figuresOf(figures, scored, Optional.empty()),
                byGroup,
                metrics,
                extras,
                curves,
                notes);
    }

    private Map<String, Estimate> figuresOf(
            AuditFigures figures, Optional<AuditFigures.Scores> scored, Optional<Group> group) {
        Map<String, Estimate> result = figures.rates(snapshot, group);
        scored.filter(s -> group.isEmpty() || s.snapshot().groups().contains(group.get()))
                .ifPresent(s -> result.putAll(figures.measures(s, group)));
        return result;
    }

    private Map<String, String> settings() {
        return ImmutableMap.<String, String>builder()
                .put("comparison", options.comparison().toString())
                .put("undefined", options.undefined().toString())
                .put("minimum_group_size", Integer.toString(options.minimumGroupSize()))
                .put("classes", options.classes().toString())
                .put("confidence", Double.toString(confidence))
                .put("bootstrap", method.toString())
                .put("replicates", Integer.toString(replicates))
                .put("seed", Long.toString(seed))
                .buildOrThrow();
    }
}
