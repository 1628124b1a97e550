package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import org.jspecify.annotations.Nullable;

/** A layer of a backbone whose frozen bias an adapter can replace, as {@link TrainedBias} says. */
public interface BiasedLayer {

    /**
     * The frozen bias.
     *
     * @return the parameter, or {@code null} if the layer has none
     */
    @Nullable Parameter bias();

    /**
     * Uses another bias in the passes that follow, in this layer but not in forks of it.
     *
     * @param bias of the shape of the frozen one, and the caller's; {@code null} for the frozen one
     * @throws IllegalArgumentException if the shape differs, or the bias is already replaced
     */
    void replaceBias(@Nullable NDArray bias);
}
