/**
 * How a run is made fair: the paper's strategies (ERM, UNL, ADV, ORTH, ENT) and two more (DISTILL,
 * ERASE), each an immutable value.
 *
 * <p>Depends on {@code party}, {@code training} and {@code lora}.
 */
@NullMarked
package io.fairlora.strategy;

import org.jspecify.annotations.NullMarked;
