/**
 * Fairness criteria as differences and ratios between groups, and inequality over individuals.
 *
 * <p>Depends on {@code io.fairlora.metrics} and {@code interval}.
 */
@NullMarked
package io.fairlora.metrics.fairness;

import org.jspecify.annotations.NullMarked;
