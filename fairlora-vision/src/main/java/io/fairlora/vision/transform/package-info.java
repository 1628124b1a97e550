/**
 * From an image file to the pixels a model sees, as Pillow does it.
 *
 * <p>Knows neither models nor data sets. Depends on {@code lora} for the size asked for and on
 * {@code training} for its exception.
 */
@NullMarked
package io.fairlora.vision.transform;

import org.jspecify.annotations.NullMarked;
