package io.fairlora.examples.pretrain;

import ai.djl.ndarray.NDArray;
import java.util.Map;
import java.util.random.RandomGenerator;

/** What pretraining minimises. */
interface Objective extends AutoCloseable {

    /** The trainable arrays besides the backbone's, by name. */
    Map<String, NDArray> parameters();

    /**
     * The loss of one batch.
     *
     * @param pixels (batch, 3, height, width), unsigned bytes
     * @param indices the example of each row
     * @param random the step's own generator
     * @return a scalar
     */
    NDArray loss(NDArray pixels, int[] indices, RandomGenerator random);

    @Override
    void close();
}
