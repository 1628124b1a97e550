/**
 * Strategies side by side over several seeds: data for the two parties, one run, summary, table.
 *
 * <p>Uses {@code fairlora-vision}; {@code QuickStart} is its command line.
 */
@NullMarked
package io.fairlora.examples.study;

import org.jspecify.annotations.NullMarked;
