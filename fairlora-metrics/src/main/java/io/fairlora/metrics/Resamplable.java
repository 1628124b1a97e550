package io.fairlora.metrics;

/**
 * A snapshot whose examples are grouped in cells of like ones, so that it can be resampled without
 * them.
 *
 * @param <S> the snapshot's own type
 */
public interface Resamplable<S extends Resamplable<S>> {

    /**
     * The number of examples by cell.
     *
     * @return a new array
     */
    long[] cellCounts();

    /**
     * The sum of the weights by cell; the counts where there are no weights.
     *
     * @return a new array
     */
    double[] cellWeights();

    /**
     * The sum of the squared weights by cell; the counts where there are no weights.
     *
     * @return a new array
     */
    double[] cellSquaredWeights();

    /**
     * The same examples with other weights. Counts, and with them which groups are large enough,
     * stay as they are.
     *
     * @param weights the sum of the weights by cell
     * @return the replicate
     * @throws IllegalArgumentException if the number of cells differs
     */
    S reweighted(double[] weights);
}
