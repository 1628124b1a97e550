/**
 * The solution developer, the fairness auditor, and the only things that cross between them.
 *
 * <p>Sensitive labels live in types that have no public accessor; what arrives from the other side
 * is checked as hostile input. Depends on {@code training}, {@code lora}, {@code ndarray} and
 * {@code fairlora-metrics}; knows no strategy.
 */
@NullMarked
package io.fairlora.party;

import org.jspecify.annotations.NullMarked;
