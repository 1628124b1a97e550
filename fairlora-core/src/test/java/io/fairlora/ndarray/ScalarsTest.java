package io.fairlora.ndarray;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ScalarsTest {

    @ParameterizedTest
    @EnumSource(
            value = DataType.class,
            names = {"FLOAT32", "FLOAT64"})
    void multipliesInTheTypeOfTheArray(DataType type) {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            NDArray x = manager.create(new float[] {1, -2}).toType(type, false);
            NDArray y = Scalars.multiply(x, 0.25);
            assertThat(y.getDataType()).isEqualTo(type);
            assertThat(HostTensor.copyOf(y).toArray()).containsExactly(0.25f, -0.5f);
        }
    }

    /** What DJL's own {@code mul(Number)} does not survive. */
    @Test
    void gradientsSurviveAGarbageCollectionBeforeTheBackwardPass() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            NDArray x = manager.ones(new Shape(3));
            x.setRequiresGradient(true);
            int terms = 500;
            NDArray loss =
                    GradientMode.ON.get(
                            () -> {
                                NDArray sum = Scalars.multiply(x, 3).sum();
                                for (int i = 1; i < terms; i++) {
                                    sum = sum.add(Scalars.multiply(x, 3).sum());
                                }
                                return sum;
                            });
            collectAndOverwrite();
            Autograd.backward(loss);
            try (NDArray gradient = Autograd.gradient(x)) {
                assertThat(HostTensor.copyOf(gradient).toArray())
                        .containsExactly(3f * terms, 3f * terms, 3f * terms);
            }
        }
    }

    private static void collectAndOverwrite() {
        List<ByteBuffer> buffers = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            System.gc();
            for (int i = 0; i < 20_000; i++) {
                ByteBuffer buffer = ByteBuffer.allocateDirect(8);
                buffer.putLong(0, -1L);
                buffers.add(buffer);
            }
        }
        assertThat(buffers).isNotEmpty();
    }
}
