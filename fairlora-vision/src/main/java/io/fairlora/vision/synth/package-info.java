/**
 * Procedural faces: images with known attributes, drawn from a seed, for trying and testing without
 * anybody's photograph.
 *
 * <p>Depends on {@code fairlora-core}'s image types and the JDK's Java2D only.
 */
@NullMarked
package io.fairlora.vision.synth;

import org.jspecify.annotations.NullMarked;
