/**
 * The safetensors file format: a strict streaming reader and an atomic writer.
 *
 * <p>Depends on {@code ndarray}.
 */
@NullMarked
package io.fairlora.safetensors;

import org.jspecify.annotations.NullMarked;
