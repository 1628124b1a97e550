package io.fairlora.lora;

/**
 * Which of the backbone's own biases are trained beside an adapter: PEFT's {@code bias}. They
 * belong to the adapter: the backbone's keep their values and serve again once the adapter is taken
 * out. Only one adapter in a backbone may bring biases.
 */
public enum TrainedBias {
    /** None. */
    NONE,

    /** Those of all layers, adapted or not, normalisations included. */
    ALL,

    /** Those of the layers that carry the adapter. */
    LORA_ONLY
}
