package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import org.jspecify.annotations.Nullable;

/**
 * The pixels a backbone asks for: three channels (red, green, blue), 8 bits each.
 *
 * @param height rows, at least 1
 * @param width columns, at least 1
 * @param interpolation how an image of another size is resized
 * @param crop what an image is resized to before its middle is cut out, or {@code null} if it is
 *     resized to exactly {@code height} and {@code width} without regard to its proportions
 */
public record InputSpec(
        int height, int width, Interpolation interpolation, @Nullable CentreCrop crop) {

    /** Refuses sizes below 1. */
    public InputSpec {
        checkArgument(height >= 1, "height must be at least 1, found %s", height);
        checkArgument(width >= 1, "width must be at least 1, found %s", width);
    }

    /**
     * An input to which an image is resized whole.
     *
     * @param height rows, at least 1
     * @param width columns, at least 1
     * @param interpolation how an image of another size is resized
     */
    public InputSpec(int height, int width, Interpolation interpolation) {
        this(height, width, interpolation, null);
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
