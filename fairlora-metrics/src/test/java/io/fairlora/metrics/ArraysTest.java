package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Arrays of DJL count as arrays of Java do, whatever their type and layout. */
class ArraysTest {
    private static final List<Group> GROUPS = Group.values("g", "a", "b", "c");
    private static final int N = 5000;
    private final int[] labels = new int[N];
    private final int[] predictions = new int[N];
    private final int[] groups = new int[N];
    private NDManager manager;

    @BeforeEach
    void draw() {
        manager = NDManager.newBaseManager("PyTorch");
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < N; i++) {
            labels[i] = random.nextInt(2);
            predictions[i] = random.nextInt(2);
            groups[i] = random.nextInt(3);
        }
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private ConfusionSnapshot expected() {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        confusion.add(labels, predictions, groups);
        return confusion.snapshot();
    }

    private NDArray array(int[] codes, DataType type) {
        return manager.create(codes).toType(type, true);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT32", "INT64", "INT8", "UINT8", "FLOAT32", "FLOAT64"})
    void everyTypeCounts(DataType type) {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        confusion.add(array(labels, type), array(predictions, type), array(groups, type));
        assertThat(confusion.snapshot()).isEqualTo(expected());
    }

    @Test
    void booleansAndColumnsCount() {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        confusion.add(
                array(labels, DataType.BOOLEAN),
                array(predictions, DataType.INT64).reshape(N, 1),
                array(groups, DataType.INT32).reshape(N, 1));
        assertThat(confusion.snapshot()).isEqualTo(expected());
    }

    @Test
    void aColumnOfAMatrixCounts() {
        NDArray matrix =
                array(labels, DataType.INT64)
                        .stack(array(predictions, DataType.INT64))
                        .stack(array(groups, DataType.INT64).expandDims(0).repeat(0, 2), 2)
                        .transpose(1, 0, 2);
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        confusion.add(matrix.get(":, 0, 0"), matrix.get(":, 1, 0"), matrix.get(":, 0, 1"));
        assertThat(confusion.snapshot()).isEqualTo(expected());
    }

    @ParameterizedTest
    @EnumSource(names = {"INT32", "INT64", "UINT8", "FLOAT32"})
    void countingOnTheDeviceGivesTheSame(DataType type) {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        long[] batch = new long[12];
        confusion.countOnDevice(
                array(labels, type), array(predictions, type), array(groups, type), batch);
        assertThat(batch).isEqualTo(expected().cellCounts());
    }

    @Test
    void countingOnTheDeviceNamesTheBadRow() {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        labels[4321] = 7;
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                confusion.countOnDevice(
                                        array(labels, DataType.INT32),
                                        array(predictions, DataType.INT32),
                                        array(groups, DataType.INT32),
                                        new long[12]))
                .withMessage("label at position 4321 is 7, expected 0 or 1");
    }

    @Test
    void badCodesAreNamed() {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        predictions[1234] = 2;
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                confusion.add(
                                        array(labels, DataType.INT64),
                                        array(predictions, DataType.INT64),
                                        array(groups, DataType.INT64)))
                .withMessage("prediction at position 1234 is 2, expected 0 or 1");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                confusion.add(
                                        manager.create(new float[] {0.5f}),
                                        manager.create(new float[] {1}),
                                        manager.create(new float[] {1})))
                .withMessage("label at position 0 is 0.5, expected an integer");
        assertThat(confusion.snapshot().count()).isZero();
    }

    @Test
    void countingLeavesNothingBehind() {
        NDArray y = array(labels, DataType.INT64);
        NDArray p = array(predictions, DataType.INT64);
        NDArray g = array(groups, DataType.INT64);
        NDArray w = manager.ones(new Shape(N));
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        int before = manager.getManagedArrays().size();
        confusion.add(y, p, g);
        confusion.add(y, p, g, w);
        confusion.countOnDevice(y, p, g, new long[12]);
        GroupScores.exact(GROUPS).add(y, w, g);
        assertThat(manager.getManagedArrays()).hasSize(before);
    }

    @Test
    void scoresCount() {
        double[] scores = Arrays.stream(predictions).mapToDouble(p -> p * 0.5 + 0.25).toArray();
        GroupScores expected = GroupScores.exact(GROUPS);
        expected.add(labels, scores, groups);
        GroupScores actual = GroupScores.exact(GROUPS);
        actual.add(
                array(labels, DataType.INT64),
                manager.create(scores).toType(DataType.FLOAT32, true),
                array(groups, DataType.INT64));
        assertThat(actual.snapshot()).isEqualTo(expected.snapshot());
    }
}
