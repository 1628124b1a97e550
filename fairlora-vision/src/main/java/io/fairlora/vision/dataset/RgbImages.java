package io.fairlora.vision.dataset;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.Framing;
import io.fairlora.vision.transform.RgbImage;

/** Images that can be had at their own size, too. */
public interface RgbImages extends Images {

    /**
     * One image at its own size.
     *
     * @param index the image, in {@code [0, size())}
     * @return the image
     * @throws ImageReadException if it cannot be read or decoded
     */
    RgbImage image(int index);

    @Override
    default void read(int index, InputSpec spec, byte[] target, int offset) {
        Framing.applyToPlanes(image(index), spec, target, offset);
    }
}
