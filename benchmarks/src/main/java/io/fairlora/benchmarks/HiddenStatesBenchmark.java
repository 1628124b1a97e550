package io.fairlora.benchmarks;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.EncodedImages;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import io.fairlora.training.TrainingSettings;
import io.fairlora.vision.vit.VisionTransformer;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
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
 * Images a second where adapters sit on the upper half of the layers only: from pixels, and from
 * what the lower half made of the images once.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 2, jvmArgsAppend = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
public class HiddenStatesBenchmark {

    /** Whether the hidden states are kept. */
    @Param({"false", "true"})
    public boolean kept;

    private final VisionTransformer backbone =
            VisionTransformer.random(TinyVit.CONFIG, DataType.FLOAT32, Device.cpu(), 1);
    private final AdaptedModel model;
    private TaskImages data = RandomImages.of(8 * TinyVit.BATCH, TinyVit.IMAGE, 1);
    private TrainingLoop loop;

    /** Makes backbone, adapter and head. */
    public HiddenStatesBenchmark() {
        int layers = TinyVit.CONFIG.layers();
        LoraConfig upper =
                LoraConfig.builder()
                        .layersToTransform(IntStream.range(layers / 2, layers).toArray())
                        .build();
        model = new AdaptedModel(backbone, upper, 2, 1);
        loop = loop();
    }

    private TrainingLoop loop() {
        // Long enough that no run comes to its end.
        return new TrainingLoop(
                model,
                data,
                TrainingSettings.DEFAULT.withEpochs(1_000_000).withBatchSize(TinyVit.BATCH));
    }

    /** Computes the hidden states, if they are to be kept. */
    @Setup(Level.Trial)
    public void encode() {
        if (kept) {
            EncodedImages encoded =
                    EncodedImages.of(
                            data.images(),
                            backbone,
                            TinyVit.CONFIG.layers() / 2,
                            1L << 30,
                            done -> {});
            data = TaskImages.of(encoded, data.labels(), data.classes());
            loop.close();
            loop = loop();
        }
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() {
        loop.close();
        model.close();
        backbone.close();
    }

    /**
     * Features of several batches, from Java and back.
     *
     * @return the features
     */
    @Benchmark
    @OperationsPerInvocation(8 * TinyVit.BATCH)
    public HostTensor inference() {
        try (NDManager scope = backbone.manager().newSubManager()) {
            return HostTensor.copyOf(model.features(data.images(), scope));
        }
    }

    /** One step: forward, backward, AdamW on adapter and head. */
    @Benchmark
    @OperationsPerInvocation(TinyVit.BATCH)
    public void trainingStep() {
        loop.run(loop.step() + 1, null, TrainingListener.NONE);
    }
}
