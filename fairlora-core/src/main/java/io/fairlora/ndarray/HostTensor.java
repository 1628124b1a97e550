package io.fairlora.ndarray;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * An immutable array of single-precision numbers in Java memory, in row-major order.
 *
 * <p>What is stored, sent to the other party or compared is held in this form, so that it needs no
 * owner; {@link #toNDArray} brings it onto a device.
 */
public final class HostTensor {

    private final Shape shape;
    private final float[] data;

    private HostTensor(float[] data, Shape shape) {
        if (shape.size() != data.length) {
            throw new IllegalArgumentException(
                    "shape " + shape + " has " + shape.size() + " elements, found " + data.length);
        }
        this.shape = shape;
        this.data = data;
    }

    /**
     * A tensor of the given numbers.
     *
     * @param data the elements in row-major order; copied
     * @param shape the dimensions
     * @return the tensor
     * @throws IllegalArgumentException if {@code shape} does not have {@code data.length} elements
     */
    public static HostTensor of(float[] data, long... shape) {
        return new HostTensor(data.clone(), new Shape(shape));
    }

    /**
     * Copies an array from its device.
     *
     * @param array an array of any floating type; converted to single precision
     * @return its elements
     */
    public static HostTensor copyOf(NDArray array) {
        if (array.getDataType() == DataType.FLOAT32) {
            return new HostTensor(array.toFloatArray(), array.getShape());
        }
        try (NDArray single = array.toType(DataType.FLOAT32, true)) {
            return new HostTensor(single.toFloatArray(), array.getShape());
        }
    }

    /**
     * The dimensions.
     *
     * @return the shape
     */
    public Shape shape() {
        return shape;
    }

    /**
     * The number of elements.
     *
     * @return the product of the dimensions
     */
    public int size() {
        return data.length;
    }

    /**
     * One element.
     *
     * @param index the position in row-major order, in {@code [0, size())}
     * @return the element
     */
    public float get(int index) {
        return data[index];
    }

    /**
     * The elements, readable only.
     *
     * @return a new view in row-major order
     */
    public FloatBuffer buffer() {
        return FloatBuffer.wrap(data).asReadOnlyBuffer();
    }

    /**
     * A copy of the elements.
     *
     * @return a new array in row-major order
     */
    public float[] toArray() {
        return data.clone();
    }

    /**
     * Brings the tensor onto a manager's device.
     *
     * @param manager the owner of the result
     * @return a new array of type {@code FLOAT32}
     */
    public NDArray toNDArray(NDManager manager) {
        return manager.create(FloatBuffer.wrap(data), shape);
    }

    /**
     * The same elements in other dimensions.
     *
     * @param other a shape with as many elements
     * @return a tensor over the same memory
     * @throws IllegalArgumentException if the number of elements differs
     */
    public HostTensor reshape(Shape other) {
        return new HostTensor(data, other);
    }

    /**
     * Whether every element is a finite number.
     *
     * @return false if any element is infinite or not a number
     */
    public boolean isFinite() {
        for (float value : data) {
            if (!Float.isFinite(value)) {
                return false;
            }
        }
        return true;
    }

    /**
     * The Euclidean (Frobenius) norm.
     *
     * @return the square root of the sum of squares, summed in double precision
     */
    public double norm() {
        double sum = 0;
        for (float value : data) {
            sum += (double) value * value;
        }
        return Math.sqrt(sum);
    }

    /**
     * Adds the shape and the elements to a digest, in little-endian order.
     *
     * @param digest the digest to update
     */
    public void update(MessageDigest digest) {
        digest.update(shape.toString().getBytes(StandardCharsets.UTF_8));
        ByteBuffer bytes =
                ByteBuffer.allocate(Math.multiplyExact(data.length, Float.BYTES))
                        .order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(data);
        digest.update(bytes);
    }

    /** Two tensors are equal if their shapes are and their elements have the same bits. */
    @Override
    public boolean equals(Object other) {
        return other instanceof HostTensor that
                && shape.equals(that.shape)
                && Arrays.equals(data, that.data);
    }

    @Override
    public int hashCode() {
        return 31 * shape.hashCode() + Arrays.hashCode(data);
    }

    @Override
    public String toString() {
        return "HostTensor" + shape;
    }
}
