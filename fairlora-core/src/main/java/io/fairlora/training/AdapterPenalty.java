package io.fairlora.training;

import ai.djl.ndarray.NDArray;
import io.fairlora.lora.InjectedLora;

/** A term added to the task loss of every batch; a function of the adapter alone. */
@FunctionalInterface
public interface AdapterPenalty {

    /**
     * Computes the term, recording gradients.
     *
     * @param adapter the trainable adapter
     * @return a scalar of the adapter's type; arrays made on the way are freed by the caller
     */
    NDArray of(InjectedLora adapter);
}
