/**
 * Fairness reports as a web page with charts.
 *
 * <p>Depends on {@code io.fairlora.metrics.report}.
 */
@NullMarked
package io.fairlora.report;

import org.jspecify.annotations.NullMarked;
