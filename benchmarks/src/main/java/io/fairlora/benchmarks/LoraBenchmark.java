package io.fairlora.benchmarks;

import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.Precision;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;

/**
 * An adapter of rank 8 on query and value of all layers. To be read beside {@link
 * PlainDjlBenchmark}.
 */
public class LoraBenchmark extends AdapterBenchmark {

    /** In what the large matrix products are computed. */
    @Param public Precision precision = Precision.SINGLE;

    /** Makes backbone, adapter and head. */
    public LoraBenchmark() {
        super(LoraConfig.builder().build());
    }

    /** Chooses the precision. */
    @Setup(Level.Trial)
    public void setPrecision() {
        transformer().setPrecision(precision);
    }
}
