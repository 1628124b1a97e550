/**
 * The fairness report, an immutable value with its provenance, and its renderers.
 *
 * <p>Depends on {@code io.fairlora.metrics}, {@code fairness} and {@code interval}.
 */
@NullMarked
package io.fairlora.metrics.report;

import org.jspecify.annotations.NullMarked;
