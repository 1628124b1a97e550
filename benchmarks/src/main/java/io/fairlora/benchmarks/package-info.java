/**
 * Timings of the library side by side with what they are compared to.
 *
 * <p>May depend on every module; nothing depends on it.
 */
@NullMarked
package io.fairlora.benchmarks;

import org.jspecify.annotations.NullMarked;
