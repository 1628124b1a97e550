package io.fairlora.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.vit.VisionTransformer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Images a second through a small vision transformer with an adapter of rank 8 on query and value:
 * inference, and whole steps of training adapter and head. To be read beside {@link
 * PlainDjlBenchmark}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 2, jvmArgsAppend = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
public class LoraBenchmark {

    /** In what the large matrix products are computed. */
    @Param public Precision precision = Precision.SINGLE;

    private final TaskImages data = RandomImages.of(8 * TinyVit.BATCH, TinyVit.IMAGE, 1);
    private final TaskImages batch = RandomImages.of(TinyVit.BATCH, TinyVit.IMAGE, 2);
    private final VisionTransformer backbone =
            VisionTransformer.random(TinyVit.CONFIG, DataType.FLOAT32, Device.cpu(), 1);
    private final AdaptedModel model;
    private final TrainingLoop loop;

    /** Makes backbone, adapter and head. */
    public LoraBenchmark() {
        model = new AdaptedModel(backbone, LoraConfig.builder().build(), 2, 1);
        // Long enough that no run comes to its end.
        TrainingSettings settings =
                TrainingSettings.DEFAULT.withEpochs(1_000_000).withBatchSize(TinyVit.BATCH);
        loop = new TrainingLoop(model, data, settings);
    }

    /** Chooses the precision. */
    @Setup(Level.Trial)
    public void setPrecision() {
        ((VisionTransformer) model.backbone()).setPrecision(precision);
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() {
        loop.close();
        model.close();
        backbone.close();
    }

    /**
     * Features of one batch, from pixels in Java and back.
     *
     * @return the features
     */
    @Benchmark
    @OperationsPerInvocation(TinyVit.BATCH)
    public HostTensor inference() {
        try (NDManager scope = backbone.manager().newSubManager()) {
            return HostTensor.copyOf(model.features(batch.images(), scope));
        }
    }

    /** One step: forward, backward, AdamW on adapter and head. */
    @Benchmark
    @OperationsPerInvocation(TinyVit.BATCH)
    public void trainingStep() {
        loop.run(loop.step() + 1, null, TrainingListener.NONE);
    }
}
