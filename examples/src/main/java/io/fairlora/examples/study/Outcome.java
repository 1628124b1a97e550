package io.fairlora.examples.study;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one strategy did with one seed.
 *
 * @param strategy its name
 * @param seed the seed
 * @param metrics figures on the balanced test by name
 * @param crossed what went over the boundary
 */
public record Outcome(String strategy, long seed, Map<String, Double> metrics, Crossed crossed) {

    /** The figures of the table, in order. */
    public static final Map<String, String> METRICS = metricNames();

    private static Map<String, String> metricNames() {
        Map<String, String> names = new LinkedHashMap<>();
        names.put("accuracy", "acc.");
        names.put("balanced_accuracy", "bal.acc.");
        names.put("worst_group_accuracy", "worst gr.");
        names.put("demographic_parity_difference", "DP");
        names.put("equal_opportunity_difference", "EOpp");
        names.put("equalized_odds_difference", "EOdds");
        names.put("false_positive_rate_difference", "FPR");
        names.put("linear_probe_accuracy", "probe s");
        return names;
    }

    /**
     * What went over the boundary before the final audit.
     *
     * @param adapters adapters, both ways
     * @param erasers erasers
     * @param bytes bytes, both ways
     * @param rounds exchanges, a request and its answer each
     */
    public record Crossed(int adapters, int erasers, long bytes, int rounds) {}
}
