package io.fairlora.strategy;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraLayer;
import io.fairlora.ndarray.Scalars;
import io.fairlora.training.AdapterPenalty;
import java.util.Map;
import java.util.Optional;

/**
 * ORTH: the task's loss plus lambda times the overlap of the adapter with the auditor's, summed
 * over the adapted layers.
 *
 * <p>With B (out, r), A (r, in) and the auditor's B_S, A_S the overlap of a layer is, raw,
 *
 * <ul>
 *   <li>in input space {@code ||A A_S^T||_F^2},
 *   <li>in output space {@code ||B^T B_S||_F^2},
 *   <li>in weight space {@code <B A, B_S A_S>_F^2}, computed as {@code (sum of (B^T B_S) o (A
 *       A_S^T))^2} from r x r products alone;
 * </ul>
 *
 * normalised, it is divided by the product of the two squared norms ({@code ||A||^2 ||A_S||^2} and
 * so on), which makes the weight space's a squared cosine. O-LoRA (Wang et al. 2023, "Orthogonal
 * Subspace Learning for Language Model Continual Learning", equation 8) uses the input space with
 * the entries' absolute sum.
 *
 * @param space where overlap is measured
 * @param normalized whether by the norms
 * @param lambda the weight of the penalty, at least 0
 * @param auditorEpochs how long the auditor trains, in passes over its own data
 */
public record Orthogonality(Space space, boolean normalized, double lambda, int auditorEpochs)
        implements DebiasStrategy {

    private static final String SENSITIVE = "sensitive";

    /** Keeps a quotient finite where an adapter's B is still 0. */
    private static final double TINY = 1e-12;

    /** Where the overlap of two adapters is measured. */
    public enum Space {
        /** Between the rows of A: what the adapters read. */
        INPUT,
        /** Between the columns of B: what the adapters write. */
        OUTPUT,
        /** Between the products B A. */
        WEIGHT
    }

    /** Checks the ranges. */
    public Orthogonality {
        checkArgument(lambda >= 0, "lambda must be at least 0, found %s", lambda);
        checkArgument(
                auditorEpochs >= 1, "auditor epochs must be at least 1, found %s", auditorEpochs);
    }

    /**
     * A builder with the defaults.
     *
     * @return a new one
     */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return "ORTH";
    }

    @Override
    public void prepare(FineTuning run) {
        run.keep(SENSITIVE, SensitiveAdapters.request(run, auditorEpochs));
    }

    @Override
    public Optional<AdapterPenalty> penalty(FineTuning run) {
        return Optional.of(penalty(run.kept(SENSITIVE)));
    }

    /**
     * The penalty against a given adapter.
     *
     * @param sensitive the auditor's adapter
     * @return lambda times the overlap
     */
    public AdapterPenalty penalty(LoraAdapter sensitive) {
        return adapter -> {
            Map<String, LoraLayer.Adapter> layers = adapter.factors();
            NDArray total = null;
            for (Map.Entry<String, LoraLayer.Adapter> layer : layers.entrySet()) {
                NDArray overlap = overlap(layer.getValue(), sensitive.layer(layer.getKey()));
                total = total == null ? overlap : total.add(overlap);
            }
            if (total == null) {
                throw new IllegalStateException("the adapter has no layers");
            }
            return Scalars.multiply(total, lambda);
        };
    }

    /**
     * The overlap of two adapters in one layer, as this strategy measures it, unweighted.
     *
     * @param adapter the trainable adapter
     * @param path the layer
     * @param sensitive the auditor's adapter
     * @return a scalar, owned by the adapter's manager as is all that is made on the way; see
     *     {@link io.fairlora.ndarray.Scope}
     * @throws IllegalArgumentException if one of the adapters lacks the layer
     */
    public NDArray overlap(InjectedLora adapter, String path, LoraAdapter sensitive) {
        LoraLayer.Adapter factors = adapter.factors().get(path);
        checkArgument(factors != null, "the adapter has no layer %s", path);
        return overlap(factors, sensitive.layer(path));
    }

    private NDArray overlap(LoraLayer.Adapter own, LoraAdapter.Factors sensitive) {
        NDManager owner = own.a().getManager();
        NDArray a = own.a();
        NDArray b = own.b();
        NDArray sensitiveA = sensitive.a().toNDArray(owner).toType(a.getDataType(), false);
        NDArray sensitiveB = sensitive.b().toNDArray(owner).toType(b.getDataType(), false);
        return switch (space) {
            case INPUT -> quotient(inputGram(a, sensitiveA), a, sensitiveA);
            case OUTPUT -> quotient(outputGram(b, sensitiveB), b, sensitiveB);
            case WEIGHT -> {
                NDArray inner = inner(a, b, sensitiveA, sensitiveB);
                NDArray raw = inner.square();
                yield normalized
                        ? raw.div(
                                inner(a, b, a, b)
                                        .mul(inner(sensitiveA, sensitiveB, sensitiveA, sensitiveB))
                                        .add(TINY))
                        : raw;
            }
        };
    }

    private NDArray quotient(NDArray gram, NDArray own, NDArray other) {
        NDArray raw = gram.square().sum();
        return normalized ? raw.div(own.square().sum().mul(other.square().sum()).add(TINY)) : raw;
    }

    private static NDArray inputGram(NDArray a, NDArray otherA) {
        return a.matMul(otherA.transpose());
    }

    private static NDArray outputGram(NDArray b, NDArray otherB) {
        return b.transpose().matMul(otherB);
    }

    /**
     * The inner product of two products B A, which is trace((B^T C)(A D^T)^T) with the other C D.
     */
    private static NDArray inner(NDArray a, NDArray b, NDArray otherA, NDArray otherB) {
        return outputGram(b, otherB).mul(inputGram(a, otherA)).sum();
    }

    /** Builds an {@link Orthogonality}. */
    public static final class Builder {

        private Space space = Space.INPUT;
        private boolean normalized = true;
        private double lambda = 1;
        private int auditorEpochs = 3;

        private Builder() {}

        /**
         * Where overlap is measured.
         *
         * @param value {@link Space#INPUT} by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder space(Space value) {
            space = value;
            return this;
        }

        /**
         * Whether the overlap is divided by the norms.
         *
         * @param value true by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder normalized(boolean value) {
            normalized = value;
            return this;
        }

        /**
         * The weight of the penalty.
         *
         * @param value at least 0, 1 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder lambda(double value) {
            lambda = value;
            return this;
        }

        /**
         * How long the auditor trains.
         *
         * @param value passes over its own data, at least 1, 3 by default
         * @return this
         */
        @CanIgnoreReturnValue
        public Builder auditorEpochs(int value) {
            auditorEpochs = value;
            return this;
        }

        /**
         * Builds the strategy.
         *
         * @return it
         */
        public Orthogonality build() {
            return new Orthogonality(space, normalized, lambda, auditorEpochs);
        }
    }
}
