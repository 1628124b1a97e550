/**
 * Fairness metrics as evaluators of DJL, which a plain {@code Trainer} tracks as it does accuracy.
 *
 * <p>Depends on {@code io.fairlora.metrics} and {@code fairness}.
 */
@NullMarked
package io.fairlora.metrics.evaluator;

import org.jspecify.annotations.NullMarked;
