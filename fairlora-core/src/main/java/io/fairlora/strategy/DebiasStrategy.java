package io.fairlora.strategy;

import io.fairlora.training.AdapterPenalty;
import java.util.Optional;

/**
 * What happens around the training of the task so that the result is fair.
 *
 * <p>An immutable value: whatever a strategy must remember between two hooks it {@linkplain
 * FineTuning#keep keeps in the run}, which goes into every checkpoint. Its {@code toString} says
 * all its settings, as a record's does: it stands on the card and tells one run's checkpoint from
 * another's. {@link Strategies} has the ready-made ones.
 */
public interface DebiasStrategy {

    /**
     * The name in tables and on cards.
     *
     * @return such as {@code ORTH}
     */
    String name();

    /**
     * Whether anything is asked of an auditor.
     *
     * @return false if the strategy works without one
     */
    default boolean needsAuditor() {
        return true;
    }

    /**
     * The number of rounds that the training is cut into; {@link #afterRound} is called after each.
     *
     * @return at least 1
     */
    default int rounds() {
        return 1;
    }

    /**
     * Called once, before the first step and not again when a run is resumed.
     *
     * @param run the run
     */
    default void prepare(FineTuning run) {}

    /**
     * Called before the first step of a run, after {@link #prepare}, and whenever it is resumed:
     * sets up the developer's model from what was kept.
     *
     * @param run the run
     */
    default void begin(FineTuning run) {}

    /**
     * Called after {@link #begin}.
     *
     * @param run the run
     * @return what is added to the task's loss in every step, if anything
     */
    default Optional<AdapterPenalty> penalty(FineTuning run) {
        return Optional.empty();
    }

    /**
     * Called after each round's task steps.
     *
     * @param run the run
     * @param round the round, from 1 to {@link #rounds()}
     */
    default void afterRound(FineTuning run, int round) {}

    /**
     * Called once, after the last round.
     *
     * @param run the run
     */
    default void finish(FineTuning run) {}
}
