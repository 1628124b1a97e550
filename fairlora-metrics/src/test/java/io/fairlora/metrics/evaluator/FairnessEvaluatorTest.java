package io.fairlora.metrics.evaluator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.IndexEvaluator;
import ai.djl.training.listener.EpochTrainingListener;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.loss.IndexLoss;
import ai.djl.training.loss.Loss;
import io.fairlora.metrics.Group;
import io.fairlora.metrics.fairness.Contrast;
import io.fairlora.metrics.fairness.Criterion;
import io.fairlora.metrics.fairness.FairnessOptions;
import java.util.List;
import org.junit.jupiter.api.Test;

class FairnessEvaluatorTest {
    private static final List<Group> GROUPS = Group.values("sex", "female", "male");
    private static final FairnessOptions ANY_SIZE = FairnessOptions.DEFAULT.withMinimumGroupSize(0);

    private static FairnessEvaluator evaluator(Criterion criterion) {
        return FairnessEvaluator.builder()
                .setCriterion(criterion)
                .setGroups(GROUPS)
                .optOptions(ANY_SIZE)
                .build();
    }

    @Test
    void aPlainTrainerTracksIt() throws Exception {
        try (Model model = Model.newInstance("linear", "PyTorch")) {
            // A trainer refuses gradients that add up to 0, as those of a softmax's layer may.
            model.setBlock(
                    new SequentialBlock()
                            .add(Linear.builder().setUnits(3).build())
                            .add(Activation::tanh)
                            .add(Linear.builder().setUnits(2).build()));
            NDManager manager = model.getNDManager();
            int n = 256;
            NDArray x = manager.randomNormal(new Shape(n, 4));
            NDArray y = x.get(":, 0").gt(0).toType(DataType.INT64, true);
            NDArray s = x.get(":, 1").gt(0).toType(DataType.INT64, true);
            ArrayDataset data =
                    new ArrayDataset.Builder()
                            .setData(x)
                            .optLabels(y, s)
                            .setSampling(32, false)
                            .build();
            FairnessEvaluator parity = evaluator(Criterion.DEMOGRAPHIC_PARITY);
            DefaultTrainingConfig config =
                    new DefaultTrainingConfig(new IndexLoss(Loss.softmaxCrossEntropyLoss(), 0))
                            .addEvaluator(new IndexEvaluator(new Accuracy(), 0))
                            .addEvaluator(parity)
                            .addTrainingListeners(
                                    new EpochTrainingListener(), new EvaluatorTrainingListener());
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.setMetrics(new Metrics());
                trainer.initialize(new Shape(32, 4));
                EasyTrain.fit(trainer, 2, data, data);
                Metrics metrics = trainer.getMetrics();
                assertThat(metrics.hasMetric("train_epoch_demographic_parity_difference")).isTrue();
                assertThat(
                                metrics.latestMetric("validate_epoch_demographic_parity_difference")
                                        .getValue()
                                        .doubleValue())
                        .isBetween(0.0, 1.0);
                assertThat(metrics.hasMetric("train_epoch_Accuracy")).isTrue();
            }
        }
    }

    @Test
    void accumulatesOverBatchesExactly() {
        try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
            FairnessEvaluator evaluator = evaluator(Criterion.EQUAL_OPPORTUNITY);
            evaluator.addAccumulator("k");
            NDList labels =
                    new NDList(
                            manager.create(new int[] {1, 1, 1, 1}),
                            manager.create(new int[] {0, 0, 1, 1}));
            evaluator.updateAccumulator(
                    "k", labels, new NDList(manager.create(new float[] {.9f, .1f, .9f, .9f})));
            assertThat(evaluator.getAccumulator("k")).isEqualTo(0.5f);
            NDArray logits = manager.create(new float[][] {{0, 1}, {0, 1}, {0, 1}, {1, 0}});
            evaluator.updateAccumulator("k", labels, new NDList(logits));
            // TPR 3/4 in both groups.
            assertThat(evaluator.getAccumulator("k")).isEqualTo(0f);
            assertThat(evaluator.evaluate(labels, new NDList(logits)).getFloat())
                    .isCloseTo(0.5f, within(1e-6f));
            evaluator.resetAccumulator("k");
            assertThat(evaluator.getAccumulator("k")).isNaN();
        }
    }

    @Test
    void namesFollowTheCriterion() {
        FairnessEvaluator ratio =
                FairnessEvaluator.builder()
                        .setCriterion(Criterion.EQUALIZED_ODDS)
                        .setGroups(GROUPS)
                        .optContrast(Contrast.RATIO)
                        .build();
        assertThat(ratio.getName()).isEqualTo("equalized_odds_ratio");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> ratio.getAccumulator("x"))
                .withMessage("no accumulator x, expected one of []");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> FairnessEvaluator.builder().build())
                .withMessage(
                        "setCriterion was not called, expected a criterion and at least one group");
    }
}
