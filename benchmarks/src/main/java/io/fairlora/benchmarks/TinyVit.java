package io.fairlora.benchmarks;

import io.fairlora.vision.vit.VitConfig;

/** The network that is timed: the shape of the small embedded backbone. */
final class TinyVit {

    static final int HIDDEN = 128;
    static final int LAYERS = 6;
    static final int HEADS = 4;
    static final int IMAGE = 64;
    static final int PATCH = 8;
    static final int BATCH = 32;

    static final VitConfig CONFIG = VitConfig.of(HIDDEN, LAYERS, HEADS, IMAGE, PATCH);

    private TinyVit() {}
}
