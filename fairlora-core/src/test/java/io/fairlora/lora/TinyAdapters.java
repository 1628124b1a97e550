package io.fairlora.lora;

/** Adapters with random factors, for the tests of other packages. */
public final class TinyAdapters {

    private TinyAdapters() {}

    /** An adapter for the layers that a configuration chooses, with nonzero A and B. */
    public static LoraAdapter random(Backbone backbone, LoraConfig config, long seed) {
        return RandomAdapters.of(backbone, config, seed);
    }
}
