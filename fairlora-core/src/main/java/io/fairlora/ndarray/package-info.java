/**
 * Everything the library needs to know about DJL's PyTorch engine: gradient mode, ownership of
 * native memory, copies between device and host.
 *
 * <p>The only package that imports {@code ai.djl.pytorch} or copies an array to the host. Depends
 * on no other package of the library; any may depend on it.
 */
@NullMarked
package io.fairlora.ndarray;

import org.jspecify.annotations.NullMarked;
