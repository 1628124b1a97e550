package io.fairlora.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** What holds for every table of examples. */
class LawsTest {
    private static final FairnessOptions ANY_SIZE = FairnessOptions.DEFAULT.withMinimumGroupSize(0);
    private static final List<Group> GROUPS = Group.values("g", "a", "b", "c");

    record Row(int label, int prediction, int group, double weight, double score) {}

    @Provide
    Arbitrary<List<Row>> rows() {
        return Combinators.combine(
                        Arbitraries.integers().between(0, 1),
                        Arbitraries.integers().between(0, 1),
                        Arbitraries.integers().between(0, 2),
                        Arbitraries.doubles().between(0.01, 100),
                        Arbitraries.integers().between(0, 20).map(i -> i / 20.0))
                .as(Row::new)
                .list()
                .ofMinSize(1)
                .ofMaxSize(60);
    }

    private static GroupConfusion confusion(List<Row> rows, boolean weighted) {
        GroupConfusion confusion = GroupConfusion.binary(GROUPS);
        for (Row row : rows) {
            if (weighted) {
                confusion.add(row.label, row.prediction, row.group, row.weight);
            } else {
                confusion.add(row.label, row.prediction, row.group);
            }
        }
        return confusion;
    }

    private static GroupScores scores(List<Row> rows, boolean exact) {
        GroupScores scores = exact ? GroupScores.exact(GROUPS) : GroupScores.binned(GROUPS, 150);
        for (Row row : rows) {
            scores.add(row.label, row.score, row.group, row.weight);
        }
        return scores;
    }

    private static void assertSameFigures(ConfusionSnapshot a, ConfusionSnapshot b) {
        assertThat(a.groups()).isEqualTo(b.groups());
        assertThat(a.cellWeights()).containsExactly(b.cellWeights(), within(1e-12));
        for (Criterion criterion : Criterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                Figure x = criterion.measure(a, contrast, ANY_SIZE).figure();
                Figure y = criterion.measure(b, contrast, ANY_SIZE).figure();
                assertThat(x.reason()).isEqualTo(y.reason());
                assertThat(x.orElse(0)).isCloseTo(y.orElse(0), within(1e-12));
            }
        }
    }

    @Property(tries = 200)
    void mergingAnySplitEqualsTheWhole(
            @ForAll("rows") List<Row> rows, @ForAll boolean weighted, @ForAll Random random) {
        List<List<Row>> parts = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        rows.forEach(row -> parts.get(random.nextInt(3)).add(row));
        GroupConfusion left = confusion(parts.get(0), weighted);
        left.merge(confusion(parts.get(1), weighted));
        left.merge(confusion(parts.get(2), weighted));
        GroupConfusion right = confusion(parts.get(2), weighted);
        GroupConfusion inner = confusion(parts.get(1), weighted);
        inner.merge(confusion(parts.get(0), weighted));
        right.merge(inner);
        ConfusionSnapshot whole = confusion(rows, weighted).snapshot();
        assertThat(left.snapshot().cellCounts()).isEqualTo(whole.cellCounts());
        assertThat(left.snapshot().cellWeights()).isEqualTo(right.snapshot().cellWeights());
        assertThat(left.snapshot().cellWeights()).isEqualTo(whole.cellWeights());
    }

    @Property(tries = 200)
    void mergingScoresOfAnySplitEqualsTheWhole(
            @ForAll("rows") List<Row> rows, @ForAll boolean exact, @ForAll Random random) {
        List<List<Row>> parts = List.of(new ArrayList<>(), new ArrayList<>());
        rows.forEach(row -> parts.get(random.nextInt(2)).add(row));
        GroupScores left = scores(parts.get(0), exact);
        left.merge(scores(parts.get(1), exact));
        GroupScores right = scores(parts.get(1), exact);
        right.merge(scores(parts.get(0), exact));
        assertThat(left.snapshot()).isEqualTo(right.snapshot());
        assertThat(left.snapshot()).isEqualTo(scores(rows, exact).snapshot());
    }

    @Property(tries = 200)
    void orderOfRowsAndNamesOfGroupsChangeNothing(
            @ForAll("rows") List<Row> rows, @ForAll Random random) {
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, random);
        assertSameFigures(confusion(rows, true).snapshot(), confusion(shuffled, true).snapshot());

        GroupConfusion renamed = GroupConfusion.binary(Group.values("g", "z", "y", "x"));
        rows.forEach(r -> renamed.add(r.label, r.prediction, r.group, r.weight));
        for (Criterion criterion : Criterion.values()) {
            for (Contrast contrast : Contrast.values()) {
                Figure before =
                        criterion
                                .measure(confusion(rows, true).snapshot(), contrast, ANY_SIZE)
                                .figure();
                Figure after = criterion.measure(renamed.snapshot(), contrast, ANY_SIZE).figure();
                assertThat(before.isDefined()).isEqualTo(after.isDefined());
                assertThat(before.orElse(0)).isEqualTo(after.orElse(0));
            }
        }
    }

    @Property(tries = 100)
    void weightsOfOneEqualNoWeights(@ForAll("rows") List<Row> rows) {
        GroupConfusion ones = GroupConfusion.binary(GROUPS);
        rows.forEach(r -> ones.add(r.label, r.prediction, r.group, 1));
        assertSameFigures(ones.snapshot(), confusion(rows, false).snapshot());
    }

    @Property(tries = 100)
    void aWeightOfTwoEqualsTheRowTwice(@ForAll("rows") List<Row> rows) {
        GroupConfusion doubled = GroupConfusion.binary(GROUPS);
        GroupScores doubledScores = GroupScores.exact(GROUPS);
        List<Row> twice = new ArrayList<>();
        for (Row r : rows) {
            boolean two = r.weight > 50;
            doubled.add(r.label, r.prediction, r.group, two ? 2 : 1);
            doubledScores.add(r.label, r.score, r.group, two ? 2 : 1);
            Row plain = new Row(r.label, r.prediction, r.group, 1, r.score);
            twice.add(plain);
            if (two) {
                twice.add(plain);
            }
        }
        assertSameFigures(doubled.snapshot(), confusion(twice, false).snapshot());
        for (ScoreMeasure measure : ScoreMeasure.values()) {
            Figure a = doubledScores.snapshot().measure(measure);
            Figure b = scores(twice, true).snapshot().measure(measure);
            assertThat(a.isDefined()).isEqualTo(b.isDefined());
            assertThat(a.orElse(0)).isCloseTo(b.orElse(0), within(1e-12));
        }
    }

    @Property(tries = 50)
    void jsonAndSerializationKeepTheState(
            @ForAll("rows") List<Row> rows, @ForAll boolean weighted, @ForAll boolean exact)
            throws Exception {
        GroupConfusion confusion = confusion(rows, weighted);
        GroupScores scores = scores(rows, exact);
        assertThat(GroupConfusion.fromJson(confusion.toJson()).toJson())
                .isEqualTo(confusion.toJson());
        assertThat(GroupConfusion.fromJson(confusion.toJson()).snapshot())
                .isEqualTo(confusion.snapshot());
        assertThat(copy(confusion).snapshot()).isEqualTo(confusion.snapshot());
        assertThat(copy(confusion.snapshot())).isEqualTo(confusion.snapshot());
        assertThat(GroupScores.fromJson(scores.toJson()).snapshot()).isEqualTo(scores.snapshot());
        assertThat(copy(scores).snapshot()).isEqualTo(scores.snapshot());
        assertThat(copy(scores.snapshot())).isEqualTo(scores.snapshot());
    }

    @SuppressWarnings("unchecked")
    private static <T> T copy(T value) throws IOException, ClassNotFoundException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        try (ObjectInputStream in =
                new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            return (T) in.readObject();
        }
    }

    @Property(tries = 50)
    void multiClassTaskWithTwoClassesIsTheBinaryTask(@ForAll("rows") List<Row> rows) {
        GroupConfusion three = GroupConfusion.of(List.of("no", "yes", "never"), GROUPS);
        rows.forEach(r -> three.add(r.label, r.prediction, r.group));
        ConfusionSnapshot binary = confusion(rows, false).snapshot();
        ConfusionSnapshot rest = three.snapshot().oneVersusRest(1);
        assertSameFigures(rest, binary);
        assertThat(three.snapshot().rate(Rate.ACCURACY)).isEqualTo(binary.rate(Rate.ACCURACY));
    }

    @Property(tries = 100)
    void decisionsAtAThresholdAreThoseOfTheScores(@ForAll("rows") List<Row> rows) {
        GroupConfusion expected = GroupConfusion.binary(GROUPS);
        GroupScores scores = GroupScores.exact(GROUPS);
        for (Row r : rows) {
            expected.add(r.label, r.score >= 0.5 ? 1 : 0, r.group);
            scores.add(r.label, r.score, r.group);
        }
        assertThat(scores.snapshot().at(0.5)).isEqualTo(expected.snapshot());
    }
}
