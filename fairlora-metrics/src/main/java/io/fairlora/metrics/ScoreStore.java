package io.fairlora.metrics;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;

/** The scores of one group. */
sealed interface ScoreStore extends Serializable permits ExactScores, BinnedScores {

    /** Adds a checked example. */
    void add(int label, double score, double weight);

    /** Adds what another store of the same kind holds. */
    void merge(ScoreStore other);

    /** The examples grouped by score, in increasing order of score. */
    ScorePoints points();

    /** Writes the exact state into a JSON object. */
    void write(ObjectNode node);
}
