package io.fairlora.examples.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SummaryTest {

    private static final String GAP = "demographic_parity_difference";
    private static final Outcome.Crossed NOTHING = new Outcome.Crossed(0, 0, 0, 0);

    private static Outcome outcome(String strategy, long seed, double gap) {
        return new Outcome(strategy, seed, Map.of(GAP, gap, "balanced_accuracy", 0.8), NOTHING);
    }

    /** Two references that vary a lot from seed to seed, and a strategy a fixed way below them. */
    private static List<Summary> summaries() {
        List<Outcome> outcomes = new ArrayList<>();
        double[] gaps = {0.3, 0.9, 0.5};
        for (int seed = 1; seed <= gaps.length; seed++) {
            outcomes.add(outcome("ERM", seed, gaps[seed - 1]));
            outcomes.add(outcome("DISTILL", seed, gaps[seed - 1] - 0.25));
            outcomes.add(outcome(SeedRun.REFIT, seed, gaps[seed - 1] - 0.1));
        }
        return Summary.of(outcomes, 2);
    }

    @Test
    void whatASeedDoesToBothDropsOutOfTheDifferences() {
        Summary distill = summaries().get(1);
        assertThat(distill.metric(GAP).high() - distill.metric(GAP).low()).isGreaterThan(1);
        Summary.Interval toErm = distill.vsErm().get(GAP);
        assertThat(toErm.low()).isCloseTo(-0.25, within(1e-12));
        assertThat(toErm.high()).isCloseTo(-0.25, within(1e-12));
        Summary.Interval toRefit = distill.vsRefit().get(GAP);
        assertThat(toRefit.low()).isCloseTo(-0.15, within(1e-12));
        assertThat(toRefit.high()).isCloseTo(-0.15, within(1e-12));
    }

    @Test
    void aReferenceIsNotComparedWithItself() {
        List<Summary> summaries = summaries();
        assertThat(summaries.get(0).vsErm()).isEmpty();
        assertThat(summaries.get(0).vsRefit()).isEmpty();
        assertThat(summaries.get(2).vsErm()).isNotEmpty();
        assertThat(summaries.get(2).vsRefit()).isEmpty();
    }

    @Test
    void bothDifferencesAreInTextAndJson() {
        List<Summary> summaries = summaries();
        assertThat(StudyTable.text(summaries)).contains("-0.250+-0.000*", "-0.150+-0.000*");
        assertThat(
                        StudyTable.json(summaries, Map.of())
                                .at("/strategies/1/metrics/" + GAP + "/vs_refit/mean")
                                .doubleValue())
                .isCloseTo(-0.15, within(1e-12));
    }
}
