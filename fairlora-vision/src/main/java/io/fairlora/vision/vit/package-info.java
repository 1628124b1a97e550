/**
 * The vision transformer (Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words") as a DJL block:
 * configuration, forward pass, and its files as Hugging Face writes them.
 *
 * <p>Depends on {@code fairlora-core} only.
 */
@NullMarked
package io.fairlora.vision.vit;

import org.jspecify.annotations.NullMarked;
