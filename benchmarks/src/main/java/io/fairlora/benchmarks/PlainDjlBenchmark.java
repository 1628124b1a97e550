package io.fairlora.benchmarks;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Images a second through the same transformer made of DJL's own {@code Linear}: inference, and
 * whole steps of DJL's {@code Trainer} on all weights, which is what DJL offers without adapters.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 2, jvmArgs = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
public class PlainDjlBenchmark {

    private final Model model = Model.newInstance("plain", "PyTorch");
    private final Trainer trainer;
    private final ParameterStore store;
    private final HostTensor patches;
    private final Loss loss = Loss.softmaxCrossEntropyLoss();

    /** Makes the network and one batch of noise. */
    public PlainDjlBenchmark() {
        model.setBlock(new PlainTransformer(2));
        trainer =
                model.newTrainer(
                        new DefaultTrainingConfig(loss)
                                .optOptimizer(
                                        Optimizer.adamW()
                                                .optLearningRateTracker(Tracker.fixed(1e-4f))
                                                .build()));
        trainer.initialize(PlainTransformer.input(TinyVit.BATCH));
        store = new ParameterStore(model.getNDManager(), false);
        Random random = new Random(1);
        float[] noise = new float[(int) PlainTransformer.input(TinyVit.BATCH).size()];
        for (int i = 0; i < noise.length; i++) {
            noise[i] = (float) random.nextGaussian();
        }
        patches = HostTensor.of(noise, PlainTransformer.input(TinyVit.BATCH).getShape());
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() {
        trainer.close();
        model.close();
    }

    /**
     * Logits of one batch, from patches in Java and back.
     *
     * @return the logits
     */
    @Benchmark
    @OperationsPerInvocation(TinyVit.BATCH)
    public HostTensor inference() {
        return GradientMode.OFF.get(
                () -> {
                    try (NDManager scope = model.getNDManager().newSubManager()) {
                        NDList input = new NDList(patches.toNDArray(scope));
                        return HostTensor.copyOf(
                                model.getBlock().forward(store, input, false).head());
                    }
                });
    }

    /** One step: forward, backward, AdamW on all weights. */
    @Benchmark
    @OperationsPerInvocation(TinyVit.BATCH)
    public void trainingStep() {
        try (NDManager scope = model.getNDManager().newSubManager();
                GradientCollector collector = trainer.newGradientCollector()) {
            NDList logits = trainer.forward(new NDList(patches.toNDArray(scope)));
            int[] classes = new int[TinyVit.BATCH];
            for (int i = 0; i < classes.length; i++) {
                classes[i] = i % 2;
            }
            NDArray value = loss.evaluate(new NDList(scope.create(classes)), logits);
            collector.backward(value);
        }
        trainer.step();
    }
}
