/**
 * Confidence intervals, resampling and tests.
 *
 * <p>Depends on {@code io.fairlora.metrics}.
 */
@NullMarked
package io.fairlora.metrics.interval;

import org.jspecify.annotations.NullMarked;
