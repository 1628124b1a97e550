/**
 * The front door: {@link io.fairlora.FairLora} fits, {@link io.fairlora.FairClassifier} is the
 * result.
 *
 * <p>Depends on every other package of this module; none depends on it.
 */
@NullMarked
package io.fairlora;

import org.jspecify.annotations.NullMarked;
