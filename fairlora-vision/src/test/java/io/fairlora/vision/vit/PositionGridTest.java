package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.ndarray.HostTensor;
import io.fairlora.vision.vit.PositionGrid.Grid;
import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Laws of the interpolation; its agreement with PyTorch is in the golden tests of the models. */
class PositionGridTest {

    @Property(tries = 200)
    void weightsAddUpToOneAndWhatComesBeforeIsKept(
            @ForAll @IntRange(min = 1, max = 9) int rows,
            @ForAll @IntRange(min = 1, max = 9) int columns,
            @ForAll @IntRange(min = 1, max = 12) int newRows,
            @ForAll @IntRange(min = 1, max = 12) int newColumns,
            @ForAll @IntRange(min = 0, max = 2) int prefix,
            @ForAll boolean antialias) {
        int d = 3;
        float[] values = new float[(prefix + rows * columns) * d];
        Arrays.fill(values, 7);
        Arrays.fill(values, 0, prefix * d, -2);
        HostTensor resized =
                PositionGrid.resize(
                        HostTensor.of(values, 1, prefix + rows * columns, d),
                        prefix,
                        new Grid(rows, columns),
                        new Grid(newRows, newColumns),
                        antialias);
        assertThat(resized.shape().getShape()).containsExactly(1, prefix + newRows * newColumns, d);
        for (int i = 0; i < resized.size(); i++) {
            assertThat(resized.get(i)).isCloseTo(i < prefix * d ? -2 : 7, within(1e-5f));
        }
    }

    @Property(tries = 100)
    void columnsAreTreatedAsRowsAre(
            @ForAll @IntRange(min = 1, max = 7) int from,
            @ForAll @IntRange(min = 1, max = 9) int to,
            @ForAll boolean antialias,
            @ForAll long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] values = new float[from];
        for (int i = 0; i < from; i++) {
            values[i] = (float) random.nextDouble();
        }
        HostTensor line = HostTensor.of(values, 1, from, 1);
        HostTensor column =
                PositionGrid.resize(line, 0, new Grid(from, 1), new Grid(to, 1), antialias);
        HostTensor row =
                PositionGrid.resize(line, 0, new Grid(1, from), new Grid(1, to), antialias);
        for (int i = 0; i < to; i++) {
            assertThat(row.get(i)).isCloseTo(column.get(i), within(1e-5f));
        }
    }

    @Test
    void theSameGridIsLeftAlone() {
        HostTensor positions = HostTensor.of(new float[] {1, 2, 3, 4, 5}, 1, 5, 1);
        Grid grid = new Grid(2, 2);
        assertThat(PositionGrid.resize(positions, 1, grid, grid, true)).isSameAs(positions);
    }

    @Test
    void aNumberOfPositionsThatIsNotTheGridsIsRefused() {
        HostTensor positions = HostTensor.of(new float[5], 1, 5, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                PositionGrid.resize(
                                        positions, 0, new Grid(2, 2), new Grid(3, 3), false))
                .withMessage("expected 4 positions, found 5");
    }
}
