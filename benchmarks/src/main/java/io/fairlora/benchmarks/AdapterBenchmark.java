package io.fairlora.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.vit.VisionTransformer;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
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
 * Images a second through a small vision transformer with an adapter: inference, and whole steps of
 * training adapter and head.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 2, jvmArgs = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
public abstract class AdapterBenchmark {

    private final VisionTransformer backbone =
            VisionTransformer.random(TinyVit.CONFIG, DataType.FLOAT32, Device.cpu(), 1);
    private final AdaptedModel model;
    private TaskImages data = RandomImages.of(8 * TinyVit.BATCH, TinyVit.IMAGE, 1);
    private TaskImages batch = RandomImages.of(TinyVit.BATCH, TinyVit.IMAGE, 2);
    private TrainingLoop loop;

    AdapterBenchmark(LoraConfig config) {
        model = new AdaptedModel(backbone, config, 2, 1);
        loop = loop();
    }

    private TrainingLoop loop() {
        // Long enough that no run comes to its end.
        return new TrainingLoop(
                model,
                data,
                TrainingSettings.DEFAULT.withEpochs(1_000_000).withBatchSize(TinyVit.BATCH));
    }

    /** The transformer under the adapter. */
    final VisionTransformer transformer() {
        return (VisionTransformer) model.backbone();
    }

    /** Keeps the images in another form. */
    final void keep(UnaryOperator<Images> form) {
        data = TaskImages.of(form.apply(data.images()), data.labels(), data.classes());
        batch = TaskImages.of(form.apply(batch.images()), batch.labels(), batch.classes());
        loop.close();
        loop = loop();
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() {
        loop.close();
        model.close();
        backbone.close();
    }

    /**
     * Features of one batch, from Java and back.
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
