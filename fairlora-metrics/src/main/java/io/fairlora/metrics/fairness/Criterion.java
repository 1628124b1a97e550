package io.fairlora.metrics.fairness;

import com.google.common.collect.ImmutableList;
import io.fairlora.metrics.ConfusionSnapshot;
import io.fairlora.metrics.Figure;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.Rate;
import java.util.ArrayList;
import java.util.List;

/**
 * A demand that some rate be the same in all groups. Each is measured as a difference and as a
 * ratio of that rate, between groups, to everybody or to a reference group.
 *
 * <p>In a task of more than two classes each class is set against the rest and the results are
 * combined by {@link FairnessOptions#classes}; accuracy is compared as it is.
 */
public enum Criterion {
    /**
     * Equal selection rates P(p=1 | g): independence (Dwork et al. 2012, "Fairness through
     * awareness"; Calders and Verwer 2010).
     */
    DEMOGRAPHIC_PARITY("demographic_parity", "", Rate.SELECTION_RATE),
    /**
     * Equal true positive rates P(p=1 | y=1, g) (Hardt, Price and Srebro 2016, "Equality of
     * opportunity in supervised learning", definition 2.2).
     */
    EQUAL_OPPORTUNITY("equal_opportunity", "", Rate.TRUE_POSITIVE_RATE),
    /**
     * Equal true and false positive rates (Hardt et al. 2016, definition 2.1): the larger of the
     * two differences, the smaller of the two ratios (Fairlearn's default).
     */
    EQUALIZED_ODDS("equalized_odds", "", Rate.TRUE_POSITIVE_RATE, Rate.FALSE_POSITIVE_RATE),
    /** Equalized odds as the mean of the two differences or ratios. */
    EQUALIZED_ODDS_MEAN(
            "equalized_odds", "_mean", Rate.TRUE_POSITIVE_RATE, Rate.FALSE_POSITIVE_RATE),
    /** Equal false positive rates P(p=1 | y=0, g): predictive equality (Corbett-Davies 2017). */
    FALSE_POSITIVE_RATE_PARITY("false_positive_rate", "", Rate.FALSE_POSITIVE_RATE),
    /** Equal false negative rates P(p=0 | y=1, g). */
    FALSE_NEGATIVE_RATE_PARITY("false_negative_rate", "", Rate.FALSE_NEGATIVE_RATE),
    /** Equal precision P(y=1 | p=1, g) (Chouldechova 2017, "Fair prediction with ..."). */
    PREDICTIVE_PARITY("predictive_parity", "", Rate.PRECISION),
    /** Equal accuracy P(p=y | g): overall accuracy equality (Berk et al. 2021). */
    ACCURACY_PARITY("accuracy", "", Rate.ACCURACY),
    /** Equal ratios FN / FP: treatment equality (Berk et al. 2021, section 3). */
    TREATMENT_EQUALITY("treatment_equality", "", Rate.FALSE_NEGATIVE_POSITIVE_RATIO);

    private final String key;
    private final String suffix;
    private final ImmutableList<Rate> rates;

    Criterion(String key, String suffix, Rate... rates) {
        this.key = key;
        this.suffix = suffix;
        this.rates = ImmutableList.copyOf(rates);
    }

    /**
     * The name of the difference or ratio in JSON: Fairlearn's where it has one.
     *
     * @param contrast difference or ratio
     * @return such as {@code demographic_parity_difference}
     */
    public String key(Contrast contrast) {
        return key + (contrast == Contrast.DIFFERENCE ? "_difference" : "_ratio") + suffix;
    }

    /**
     * The rates that should be equal.
     *
     * @return one rate, two for equalized odds
     */
    public List<Rate> rates() {
        return rates;
    }

    /**
     * The difference under the default options.
     *
     * @param snapshot predictions counted by group
     * @return the largest difference between two groups
     */
    public Disparity difference(ConfusionSnapshot snapshot) {
        return measure(snapshot, Contrast.DIFFERENCE, FairnessOptions.DEFAULT);
    }

    /**
     * The ratio under the default options.
     *
     * @param snapshot predictions counted by group
     * @return the smallest ratio between two groups
     */
    public Disparity ratio(ConfusionSnapshot snapshot) {
        return measure(snapshot, Contrast.RATIO, FairnessOptions.DEFAULT);
    }

    /**
     * Measures how far the rates are from equal.
     *
     * @param snapshot predictions counted by group
     * @param contrast difference or ratio
     * @param options what is compared to what, and what is left out
     * @return the figure and the groups that drive it
     * @throws IllegalStateException if a group's rate is undefined under {@link
     *     UndefinedPolicy#FAIL}
     */
    public Disparity measure(
            ConfusionSnapshot snapshot, Contrast contrast, FairnessOptions options) {
        if (snapshot.isBinary() || this == ACCURACY_PARITY) {
            return measureOne(snapshot, contrast, options);
        }
        List<Disparity> classes = new ArrayList<>();
        for (int k = 0; k < snapshot.classes().size(); k++) {
            classes.add(measureOne(snapshot.oneVersusRest(k), contrast, options));
        }
        boolean worst = options.classes() == ClassAveraging.WORST;
        return combine(classes, contrast, worst, options);
    }

    private Disparity measureOne(
            ConfusionSnapshot snapshot, Contrast contrast, FairnessOptions options) {
        List<Group> groups = largeGroups(snapshot, options);
        List<Disparity> parts = new ArrayList<>();
        for (Rate rate : rates) {
            List<Figure> figures = new ArrayList<>();
            for (Group group : groups) {
                figures.add(snapshot.rate(rate, group));
            }
            parts.add(
                    new GroupComparison(rate.key(), lowIsWorse(rate))
                            .compare(groups, figures, snapshot.rate(rate), contrast, options));
        }
        if (parts.size() == 1) {
            return parts.get(0);
        }
        for (Disparity part : parts) {
            if (!part.figure().isDefined()) {
                return part;
            }
        }
        return combine(parts, contrast, this != EQUALIZED_ODDS_MEAN, options);
    }

    static List<Group> largeGroups(ConfusionSnapshot snapshot, FairnessOptions options) {
        List<Group> groups = new ArrayList<>();
        for (Group group : snapshot.groups()) {
            if (snapshot.count(group) >= options.minimumGroupSize()) {
                groups.add(group);
            }
        }
        return groups;
    }

    private static boolean lowIsWorse(Rate rate) {
        return switch (rate) {
            case FALSE_POSITIVE_RATE,
                    FALSE_NEGATIVE_RATE,
                    FALSE_DISCOVERY_RATE,
                    FALSE_OMISSION_RATE,
                    FALSE_NEGATIVE_POSITIVE_RATIO ->
                    false;
            default -> true;
        };
    }

    /** The part furthest from fair, or the mean of all; undefined parts are left out and noted. */
    private static Disparity combine(
            List<Disparity> parts, Contrast contrast, boolean worst, FairnessOptions options) {
        ImmutableList.Builder<String> notes = ImmutableList.builder();
        List<Disparity> defined = new ArrayList<>();
        for (Disparity part : parts) {
            notes.addAll(part.notes());
            if (part.figure().isDefined()) {
                defined.add(part);
            } else if (options.undefined() == UndefinedPolicy.SKIP) {
                notes.add("a class is left out: " + part.figure().reason().orElse(""));
            } else {
                return part;
            }
        }
        if (defined.isEmpty()) {
            return parts.get(0);
        }
        Disparity furthest = defined.get(0);
        double sum = 0;
        for (Disparity part : defined) {
            double value = part.figure().value();
            sum += value;
            if (unfairness(value, contrast) > unfairness(furthest.figure().value(), contrast)) {
                furthest = part;
            }
        }
        return worst
                ? new Disparity(furthest.figure(), furthest.groups(), notes.build())
                : new Disparity(Figure.of(sum / defined.size()), List.of(), notes.build());
    }

    private static double unfairness(double value, Contrast contrast) {
        return contrast == Contrast.DIFFERENCE ? Math.abs(value) : 1 - Math.min(value, 1 / value);
    }
}
