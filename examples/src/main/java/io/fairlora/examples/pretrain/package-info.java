/**
 * Pretraining of the small embedded backbone: masked autoencoding, or labels for comparison.
 *
 * <p>Uses {@code fairlora-vision}; nothing uses it.
 */
@NullMarked
package io.fairlora.examples.pretrain;

import org.jspecify.annotations.NullMarked;
