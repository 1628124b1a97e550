/** Runnable mains to copy from; each prints for people and can write JSON for programs. */
@NullMarked
package io.fairlora.examples;

import org.jspecify.annotations.NullMarked;
