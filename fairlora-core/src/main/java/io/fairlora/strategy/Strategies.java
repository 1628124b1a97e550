package io.fairlora.strategy;

import io.fairlora.party.CounterUpdateRequest.Objective;
import java.util.List;
import java.util.Locale;

/** The ready-made strategies with the defaults that held up; each class has a builder for more. */
public final class Strategies {

    /** Empirical risk minimisation: the task alone. */
    public static final DebiasStrategy ERM = new Erm();

    /** Unlearning: the auditor's adapter, negated, under the task's. */
    public static final DebiasStrategy UNL = Unlearning.builder().build();

    /** Adversarial rounds: the auditor ascends on its own loss. */
    public static final DebiasStrategy ADV = CounterUpdates.builder(Objective.ASCENT).build();

    /** Orthogonality: the overlap with the auditor's adapter is penalised. */
    public static final DebiasStrategy ORTH = Orthogonality.builder().build();

    /** Maximum entropy rounds: the auditor makes its own predictions uncertain. */
    public static final DebiasStrategy ENT = CounterUpdates.builder(Objective.ENTROPY).build();

    /** Distillation rounds: the auditor moves the features to their erased version. */
    public static final DebiasStrategy DISTILL =
            CounterUpdates.builder(Objective.ERASED_FEATURES).build();

    /** Linear erasure after training. */
    public static final DebiasStrategy ERASE = Erasure.builder().build();

    private static final List<DebiasStrategy> ALL =
            List.of(ERM, UNL, ADV, ORTH, ENT, DISTILL, ERASE);

    private Strategies() {}

    /**
     * All of them.
     *
     * @return an immutable list, ERM first
     */
    public static List<DebiasStrategy> all() {
        return ALL;
    }

    /**
     * Finds a strategy by its name.
     *
     * @param name such as {@code orth}, in any case
     * @return the strategy
     * @throws IllegalArgumentException if there is none of that name
     */
    public static DebiasStrategy named(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        return ALL.stream()
                .filter(strategy -> strategy.name().equals(upper))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "no strategy "
                                                + name
                                                + ", expected one of "
                                                + ALL.stream().map(DebiasStrategy::name).toList()));
    }
}
