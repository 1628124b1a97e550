package io.fairlora.lora;

import ai.djl.ndarray.NDArray;

/**
 * A backbone of layers applied one after the other, which can be left and entered between two of
 * them.
 *
 * <p>Where adapters sit on the upper layers only, what the lower ones make of an image is the same
 * in every pass: it can be computed once and kept.
 */
public interface LayeredBackbone extends Backbone {

    /**
     * The number of layers.
     *
     * @return at least 1
     */
    int layers();

    /**
     * Computes what a layer takes in, under whatever adapters the layers below it carry.
     *
     * @param pixels as for {@link #features}
     * @param layer the layer, counted from 0; {@link #layers()} for the output of the last
     * @return hidden states of shape (batch, ...), the same for every image, owned by the manager
     *     of {@code pixels}
     * @throws IllegalArgumentException if there is no such layer
     */
    NDArray hidden(NDArray pixels, int layer);

    /**
     * Goes on from there: {@code featuresFrom(hidden(pixels, k), k)} are {@code features(pixels)}.
     *
     * @param hidden what {@link #hidden} gave for the same layer
     * @param layer the layer
     * @return features of shape (batch, {@link #featureSize()}), owned by the manager of {@code
     *     hidden}
     * @throws IllegalArgumentException if there is no such layer
     */
    NDArray featuresFrom(NDArray hidden, int layer);

    /**
     * Identifies what computes {@link #hidden} for a layer.
     *
     * @param layer the layer
     * @return an object that equals another one only if both backbones make the same hidden states
     *     of the same pixels: the same weights, not {@linkplain BiasedLayer#weightChanged
     *     overwritten} meanwhile, of the same precision, {@linkplain BiasedLayer#isPlain plain}
     *     below the layer
     * @throws IllegalArgumentException if there is no such layer
     */
    Object stem(int layer);

    @Override
    LayeredBackbone fork();
}
