package io.fairlora.vision.dataset;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class FaceDatasetTest {

    private static final FaceDataset FACES =
            FaceDataset.of(FileImages.of(Path.of("folder"), List.of("a.jpg", "b.jpg", "c.jpg")))
                    .withAttribute("outcome", List.of("deny", "grant"), new int[] {1, -1, 0})
                    .withAttribute("age", List.of(), new int[] {33, 70, -1});

    @Test
    void selectsRowsWithTheirLabels() {
        FaceDataset selected = FACES.select(new int[] {2, 0, 0});

        assertThat(selected.size()).isEqualTo(3);
        assertThat(selected.images().name(0)).isEqualTo("c.jpg");
        assertThat(selected.labels("outcome")).containsExactly(0, 1, 1);
        assertThat(selected.labels("age")).containsExactly(-1, 33, 33);
        assertThat(selected.task("outcome").label(1)).isEqualTo(1);
        assertThatThrownBy(() -> FACES.select(new int[] {3}))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void keepsTheFacesWhoseLabelsAreKnown() {
        assertThat(FACES.labelled("outcome").labels("outcome")).containsExactly(1, 0);
        assertThat(FACES.labelled("outcome", "age").labels("age")).containsExactly(33);
        assertThat(FACES.labelled().size()).isEqualTo(3);
    }

    @Test
    void doesNotGiveItsLabelsAway() {
        FACES.labels("outcome")[0] = 0;

        assertThat(FACES.labels("outcome")).containsExactly(1, -1, 0);
    }

    @Test
    void refusesAttributesThatDoNotFit() {
        assertThatThrownBy(() -> FACES.withAttribute("age", List.of(), new int[] {1, 2, 3}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("attribute age occurs twice");
        assertThatThrownBy(() -> FACES.withAttribute("x", List.of(), new int[] {1}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("3 images but 1 values of x");
        assertThatThrownBy(() -> FACES.withAttribute("x", List.of("a", "b"), new int[] {0, 1, 2}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("value 2 of x is 2, expected -1 to 1");
    }

    @Test
    void refusesOtherImagesOfAnotherNumber() {
        FileImages one = FileImages.of(List.of(Path.of("a.jpg")));

        assertThatThrownBy(() -> FACES.withImages(one))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("1 images but 3 values of outcome");
    }
}
