/** Timings of this library side by side with what it is compared to. */
@NullMarked
package io.fairlora.benchmarks;

import org.jspecify.annotations.NullMarked;
