package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class GroupTest {

    @Test
    void ordersDigitsAsNumbers() {
        List<Group> groups = Group.values("age", "10", "9", "(-inf, 9)", "[100, inf)", "[20, 100)");
        assertThat(groups.stream().sorted().map(Group::label))
                .containsExactly("(-inf, 9)", "9", "10", "[20, 100)", "[100, inf)");
    }

    @Test
    void intersectionsKnowTheirAttributes() {
        Group group = Group.of("sex", "F", "race", "Black");
        assertThat(group).hasToString("sex=F, race=Black");
        assertThat(group.attributes()).containsEntry("race", "Black");
        assertThat(
                        Group.cross(
                                Group.values("sex", "F", "M"),
                                Group.values("race", "Black", "White")))
                .hasSize(4)
                .startsWith(group);
    }

    @Test
    void binsAreHalfOpen() {
        Bins bins = Bins.of("age", 18, 40.5);
        assertThat(bins.groups())
                .isEqualTo(Group.values("age", "(-inf, 18)", "[18, 40.5)", "[40.5, inf)"));
        assertThat(bins.codesOf(-3, 17.99, 18, 40, 40.5, Double.POSITIVE_INFINITY))
                .containsExactly(0, 0, 1, 1, 2, 2);
    }

    @Test
    void unknownGroupsAreAddedAsTheyTurnUp() {
        GroupConfusion confusion = GroupConfusion.binary(List.of());
        confusion.add(1, 1, confusion.codeOf(Group.of("sex", "M")));
        confusion.add(0, 1, confusion.codeOf(Group.of("sex", "F")), 2);
        confusion.add(1, 1, confusion.codeOf(Group.of("sex", "M")));
        ConfusionSnapshot snapshot = confusion.snapshot();
        assertThat(snapshot.groups()).isEqualTo(Group.values("sex", "F", "M"));
        assertThat(snapshot.count(Group.of("sex", "M"), 1, 1)).isEqualTo(2);
        assertThat(snapshot.weight(Group.of("sex", "F"), 0, 1)).isEqualTo(2);
    }
}
