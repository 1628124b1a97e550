package io.fairlora.lora;

/** How an image is brought to another size; both antialias when they shrink, as Pillow does. */
public enum Interpolation {
    /** Triangle filter, support 1: Pillow's {@code BILINEAR}. */
    BILINEAR,
    /** Cubic convolution with a = -0.5, support 2: Pillow's {@code BICUBIC}. */
    BICUBIC
}
