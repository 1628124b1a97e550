package io.fairlora.lora;

import ai.djl.ndarray.NDArray;
import io.fairlora.ndarray.FrozenLinear;
import org.jspecify.annotations.Nullable;

/** The bfloat16 copy of a weight, made on demand, one for all layers over the same weight. */
final class RoundedWeight {

    private @Nullable FrozenLinear copy;
    private @Nullable NDArray copied;
    private long revision;

    synchronized FrozenLinear get(NDArray weight, @Nullable NDArray bias) {
        FrozenLinear found = copy;
        if (found == null || copied != weight) {
            drop();
            found = FrozenLinear.of(weight, bias);
            copy = found;
            copied = weight;
        }
        return found;
    }

    /** Notes that the weight was overwritten. */
    synchronized void changed() {
        revision++;
        drop();
    }

    /** How often the weight was overwritten. */
    synchronized long revision() {
        return revision;
    }

    private void drop() {
        if (copy != null) {
            copy.close();
            copy = null;
            copied = null;
        }
    }
}
