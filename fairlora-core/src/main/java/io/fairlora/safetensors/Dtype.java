package io.fairlora.safetensors;

/** The element types of the format that can be read; all are widened to single precision. */
public enum Dtype {
    /** One byte an element: 0 is read as 0, anything else as 1. */
    BOOL(1),
    /** Unsigned, 8 bits. */
    U8(1),
    /** Signed, 8 bits. */
    I8(1),
    /** Unsigned, 16 bits. */
    U16(2),
    /** Signed, 16 bits. */
    I16(2),
    /** Unsigned, 32 bits; rounded to single precision. */
    U32(4),
    /** Signed, 32 bits; rounded to single precision. */
    I32(4),
    /** Unsigned, 64 bits; rounded to single precision. */
    U64(8),
    /** Signed, 64 bits; rounded to single precision. */
    I64(8),
    /** IEEE 754 half precision: 5 bits of exponent, 10 of fraction. */
    F16(2),
    /** The upper half of a single-precision number: 8 bits of exponent, 7 of fraction. */
    BF16(2),
    /** IEEE 754 single precision. */
    F32(4),
    /** IEEE 754 double precision; rounded to single precision. */
    F64(8);

    private final int bytes;

    Dtype(int bytes) {
        this.bytes = bytes;
    }

    /**
     * The size of one element.
     *
     * @return 1, 2, 4 or 8
     */
    public int bytes() {
        return bytes;
    }
}
