package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

/**
 * The pixels a backbone asks for: three channels (red, green, blue), 8 bits each.
 *
 * @param height rows, at least 1
 * @param width columns, at least 1
 * @param interpolation how an image of another size is resized
 */
public record InputSpec(int height, int width, Interpolation interpolation) {

    /** Refuses sizes below 1. */
    public InputSpec {
        checkArgument(height >= 1, "height must be at least 1, found %s", height);
        checkArgument(width >= 1, "width must be at least 1, found %s", width);
    }

    /**
     * The number of bytes of one image.
     *
     * @return {@code 3 * height * width}
     */
    public int bytes() {
        return 3 * height * width;
    }
}
