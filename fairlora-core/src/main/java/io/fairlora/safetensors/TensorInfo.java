package io.fairlora.safetensors;

import ai.djl.ndarray.types.Shape;

/**
 * What a file's header says about one tensor.
 *
 * @param dtype the type of the elements in the file
 * @param shape the dimensions; empty for a scalar
 * @param begin where the elements begin, in bytes from the end of the header
 * @param end where they end, exclusive
 */
public record TensorInfo(Dtype dtype, Shape shape, long begin, long end) {}
