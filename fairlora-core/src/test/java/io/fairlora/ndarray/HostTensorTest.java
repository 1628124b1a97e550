package io.fairlora.ndarray;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.training.Handles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.junit.jupiter.api.Test;

class HostTensorTest {

    private static final float[] NUMBERS = {1, -2, 3.5f, 0, -0f, 6};

    @Test
    void aTensorGoesToTheDeviceAndBackToTheBit() {
        HostTensor tensor = HostTensor.of(NUMBERS, 2, 3);
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            NDArray array = tensor.toNDArray(manager);
            assertThat(array.getShape()).isEqualTo(new Shape(2, 3));
            assertThat(array.getDataType()).isEqualTo(DataType.FLOAT32);
            assertThat(HostTensor.copyOf(array)).isEqualTo(tensor);
            NDArray doubles = array.toType(DataType.FLOAT64, true);
            int handles = Handles.of(manager);
            assertThat(HostTensor.copyOf(doubles)).isEqualTo(tensor);
            assertThat(Handles.of(manager)).isEqualTo(handles);
        }
    }

    @Test
    void aTensorDoesNotFollowWhatItWasMadeFrom() {
        float[] numbers = NUMBERS.clone();
        HostTensor tensor = HostTensor.of(numbers, 6);
        numbers[0] = 99;
        tensor.toArray()[1] = 99;
        assertThat(tensor.toArray()).isEqualTo(NUMBERS);
        assertThatThrownBy(() -> tensor.buffer().put(0, 9))
                .isInstanceOf(ReadOnlyBufferException.class);
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            NDArray array = tensor.toNDArray(manager);
            array.addi(1);
            assertThat(tensor.toArray()).isEqualTo(NUMBERS);
            HostTensor copy = HostTensor.copyOf(array);
            array.addi(1);
            assertThat(copy.get(0)).isEqualTo(2);
        }
    }

    @Test
    void equalityIsThatOfShapeAndBits() {
        HostTensor tensor = HostTensor.of(NUMBERS, 2, 3);
        assertThat(tensor)
                .isEqualTo(HostTensor.of(NUMBERS, 2, 3))
                .hasSameHashCodeAs(HostTensor.of(NUMBERS, 2, 3))
                .isNotEqualTo(tensor.reshape(new Shape(3, 2)));
        assertThat(HostTensor.of(new float[] {0}, 1))
                .isNotEqualTo(HostTensor.of(new float[] {-0f}, 1));
        assertThat(HostTensor.of(new float[] {Float.NaN}, 1))
                .isEqualTo(HostTensor.of(new float[] {Float.NaN}, 1));
    }

    @Test
    void normAndFiniteness() {
        assertThat(HostTensor.of(new float[] {3, 4}, 2).norm()).isEqualTo(5);
        // Squares that single precision could not hold.
        assertThat(HostTensor.of(new float[] {3e30f, 4e30f}, 2).norm())
                .isCloseTo(5e30, within(1e24));
        assertThat(HostTensor.of(NUMBERS, 6).isFinite()).isTrue();
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            assertThat(HostTensor.of(new float[] {1, bad}, 2).isFinite()).isFalse();
        }
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        assertThatThrownBy(() -> HostTensor.of(NUMBERS, 2, 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("shape (2, 2) has 4 elements, found 6");
        assertThatThrownBy(() -> HostTensor.of(NUMBERS, 6).reshape(new Shape(5)))
                .hasMessage("shape (5) has 5 elements, found 6");
    }

    @Test
    void theDigestIsThatOfShapeAndLittleEndianElements() throws NoSuchAlgorithmException {
        MessageDigest found = MessageDigest.getInstance("SHA-256");
        HostTensor.of(NUMBERS, 2, 3).update(found);
        MessageDigest expected = MessageDigest.getInstance("SHA-256");
        expected.update("(2, 3)".getBytes(StandardCharsets.UTF_8));
        ByteBuffer bytes = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
        for (float number : NUMBERS) {
            bytes.putFloat(number);
        }
        expected.update(bytes.array());
        assertThat(found.digest()).isEqualTo(expected.digest());
    }
}
