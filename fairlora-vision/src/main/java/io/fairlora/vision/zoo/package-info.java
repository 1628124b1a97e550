/**
 * Backbones that come with the library.
 *
 * <p>Depends on {@code vit}.
 */
@NullMarked
package io.fairlora.vision.zoo;

import org.jspecify.annotations.NullMarked;
