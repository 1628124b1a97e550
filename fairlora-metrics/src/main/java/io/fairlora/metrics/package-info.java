/**
 * Accumulators of predictions by group, their immutable snapshots and the rates computed from them.
 *
 * <p>Every figure comes from a snapshot, never from raw data. Depends on DJL's {@code api}, Guava,
 * Jackson and Commons Statistics only.
 */
@NullMarked
package io.fairlora.metrics;

import org.jspecify.annotations.NullMarked;
