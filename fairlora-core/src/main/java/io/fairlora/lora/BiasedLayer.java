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

    /**
     * Whether the layer computes what its frozen parameters say.
     *
     * @return false if its bias is replaced or it is changed otherwise
     */
    boolean isPlain();

    /**
     * Says that the elements of the layer's frozen parameters were overwritten in place, as merging
     * an adapter does: what was computed from them is computed anew, in this layer and all its
     * forks.
     *
     * <p>As for the writing itself, no thread may be applying the layer or a fork meanwhile.
     */
    void weightChanged();

    /**
     * Counts how often the frozen parameters were said to be overwritten, in this layer and its
     * forks.
     *
     * @return a number that grows with every {@link #weightChanged()}
     */
    long weightRevision();
}
