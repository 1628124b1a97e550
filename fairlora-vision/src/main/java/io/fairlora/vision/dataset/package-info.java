/**
 * Face data sets with labels for tasks and sensitive attributes, and biased subsampling of them.
 *
 * <p>Knows no model. Depends on {@code vision.transform} for pixels and on {@code training} for the
 * types that go to a party.
 */
@NullMarked
package io.fairlora.vision.dataset;

import org.jspecify.annotations.NullMarked;
