package io.fairlora.lora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.Map;

/**
 * A frozen network that turns images into feature vectors, and whose layers can carry adapters.
 *
 * <p>Not safe for use from several threads; {@link #fork()} gives each thread one of its own over
 * the same weights.
 */
public interface Backbone extends AutoCloseable {

    /**
     * The layers that can carry adapters by their path, as the files of the model spell it ({@code
     * vit.encoder.layer.0.attention.attention.query}).
     *
     * @return an immutable map in the order in which the layers are applied
     */
    Map<String, LoraLayer> loraLayers();

    /**
     * All layers that have a bias by their path, normalisations included, for adapters that train
     * biases everywhere ({@link TrainedBias#ALL}).
     *
     * @return an immutable map; empty if the backbone does not name its biases, and such adapters
     *     are refused
     */
    default Map<String, BiasedLayer> biasedLayers() {
        return Map.of();
    }

    /**
     * The number of the backbone's own parameters.
     *
     * @return that of all, if the backbone is a DJL block, else that of {@link #loraLayers}
     */
    default long parameterCount() {
        long count = 0;
        if (this instanceof Block block) {
            for (Parameter parameter : block.getParameters().values()) {
                count += parameter.getArray().size();
            }
            return count;
        }
        for (LoraLayer layer : loraLayers().values()) {
            for (Parameter parameter : layer.getParameters().values()) {
                count += parameter.getArray().size();
            }
        }
        return count;
    }

    /**
     * Computes the features of a batch, under whatever adapters the layers carry.
     *
     * @param pixels unsigned bytes of shape (batch, 3, height, width) as {@link #input()} says, on
     *     {@link #device()}
     * @return features of shape (batch, {@link #featureSize()}), owned by the manager of {@code
     *     pixels}
     */
    NDArray features(NDArray pixels);

    /**
     * The length of a feature vector.
     *
     * @return D
     */
    int featureSize();

    /**
     * The pixels that the network takes.
     *
     * @return size and interpolation
     */
    InputSpec input();

    /**
     * Where the weights are.
     *
     * @return the device
     */
    default Device device() {
        return manager().getDevice();
    }

    /**
     * The owner of the weights, which makes sub-managers on their device.
     *
     * @return the manager
     */
    NDManager manager();

    /**
     * Identifies configuration and weights.
     *
     * @return 64 hexadecimal digits of SHA-256, the same on every device
     */
    String digest();

    /**
     * A backbone over the same frozen weights whose layers carry no adapters yet.
     *
     * @return a light view; closing it leaves the weights alone, and it must not outlive this one
     */
    Backbone fork();

    /** Frees the weights, or nothing if this is a fork. */
    @Override
    void close();
}
