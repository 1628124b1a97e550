/**
 * Models by the name they have on the Hugging Face hub: found in its local cache, which other
 * libraries share, and downloaded into it where the caller allows it.
 *
 * <p>Knows files only; depends on nothing else of this library.
 */
@NullMarked
package io.fairlora.vision.hub;

import org.jspecify.annotations.NullMarked;
