/**
 * Classifiers behind DJL's own inference types: images in, classes out.
 *
 * <p>Depends on the core's classifier and on {@code dataset} and {@code transform}; nothing in this
 * library depends on it.
 */
@NullMarked
package io.fairlora.vision.inference;

import org.jspecify.annotations.NullMarked;
