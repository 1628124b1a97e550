package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2) with the
 * arithmetic of PyTorch's, and moments that can be saved and restored:
 *
 * <pre>
 * p = p (1 - lr decay)
 * m = beta1 m + (1 - beta1) g
 * v = beta2 v + (1 - beta2) g^2
 * p = p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
 * </pre>
 *
 * <p>Arrays of one dimension (biases, norms) are not decayed. A parameter that no gradient has
 * reached is left alone, as PyTorch does.
 */
public final class AdamW implements AutoCloseable {

    private static final double EPS = 1e-8;

    private final NDManager manager;
    private final double beta1;
    private final double beta2;
    private final double decay;
    private final Map<String, Slot> slots = new LinkedHashMap<>();
    private long step;

    private record Slot(NDArray parameter, NDArray mean, NDArray variance) {}

    /**
     * An optimizer with moments 0.
     *
     * @param parent the owner of the moments
     * @param parameters the leaves to move, by name; they stay the caller's
     * @param beta1 the decay of the mean, in [0, 1)
     * @param beta2 the decay of the variance, in [0, 1)
     * @param decay the weight decay, at least 0
     */
    public AdamW(
            NDManager parent,
            Map<String, NDArray> parameters,
            double beta1,
            double beta2,
            double decay) {
        checkArgument(beta1 >= 0 && beta1 < 1, "beta1 must be in [0, 1), found %s", beta1);
        checkArgument(beta2 >= 0 && beta2 < 1, "beta2 must be in [0, 1), found %s", beta2);
        checkArgument(decay >= 0, "weight decay must be at least 0, found %s", decay);
        this.manager = parent.newSubManager();
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.decay = decay;
        parameters.forEach((name, p) -> slots.put(name, new Slot(p, zeros(p), zeros(p))));
    }

    private NDArray zeros(NDArray like) {
        NDArray zeros = manager.zeros(like.getShape(), like.getDataType());
        // It outlives a scope that happens to be open.
        NDScope.unregister(zeros);
        return zeros;
    }

    /**
     * Moves every parameter against its accumulated gradient and sets the gradients to zero.
     *
     * @param learningRate the learning rate of this step
     */
    public void step(double learningRate) {
        step++;
        GradientMode.OFF.run(() -> Scope.run(() -> moveAll(learningRate)));
    }

    private void moveAll(double learningRate) {
        for (Slot slot : slots.values()) {
            NDArray g = Autograd.gradient(slot.parameter());
            if (g != null) {
                move(slot, g, learningRate);
                Autograd.zeroGradient(slot.parameter());
            }
        }
    }

    private void move(Slot slot, NDArray g, double learningRate) {
        NDArray p = slot.parameter();
        if (decay > 0 && p.getShape().dimension() > 1) {
            p.muli(1 - learningRate * decay);
        }
        slot.mean().muli(beta1).addi(g.mul(1 - beta1));
        slot.variance().muli(beta2).addi(g.mul(g).muli(1 - beta2));
        NDArray root =
                slot.variance()
                        .sqrt()
                        .divi(Math.sqrt(1 - Math.pow(beta2, (double) step)))
                        .addi(EPS);
        p.subi(slot.mean().div(root).muli(learningRate / (1 - Math.pow(beta1, (double) step))));
    }

    /**
     * Scales the accumulated gradients down so that their joint Euclidean norm is at most a bound.
     *
     * @param bound positive; infinite leaves the gradients alone
     * @return the norm before; if it is not finite, the gradients are left alone
     */
    @CanIgnoreReturnValue
    public double clipGradients(double bound) {
        double[] norm = new double[1];
        GradientMode.OFF.run(() -> Scope.run(() -> norm[0] = clip(bound)));
        return norm[0];
    }

    private double clip(double bound) {
        NDList gradients = new NDList();
        NDList squares = new NDList();
        for (Slot slot : slots.values()) {
            NDArray g = Autograd.gradient(slot.parameter());
            if (g != null) {
                gradients.add(g);
                squares.add(g.square().sum());
            }
        }
        if (squares.isEmpty()) {
            return 0;
        }
        double norm = Math.sqrt(HostTensor.copyOf(NDArrays.stack(squares).sum()).get(0));
        if (norm > bound && Double.isFinite(norm)) {
            gradients.forEach(g -> g.muli(bound / norm));
        }
        return norm;
    }

    /** Sets the accumulated gradients to zero. */
    public void zeroGradients() {
        for (Slot slot : slots.values()) {
            Autograd.zeroGradient(slot.parameter());
        }
    }

    /**
     * The number of steps taken.
     *
     * @return at least 0
     */
    public long steps() {
        return step;
    }

    /**
     * The moments, which together with {@link #steps()} are all of the optimizer's state.
     *
     * @return copies, named {@code NAME.mean} and {@code NAME.variance}
     */
    public Map<String, HostTensor> state() {
        Map<String, HostTensor> state = new LinkedHashMap<>();
        slots.forEach(
                (name, slot) -> {
                    state.put(name + ".mean", HostTensor.copyOf(slot.mean()));
                    state.put(name + ".variance", HostTensor.copyOf(slot.variance()));
                });
        return state;
    }

    /**
     * Goes back to a state saved before.
     *
     * @param steps the number of steps taken then
     * @param state what {@link #state()} gave; other names in it are ignored
     * @throws IllegalArgumentException if a moment is missing or has another shape
     */
    public void restore(long steps, Map<String, HostTensor> state) {
        slots.forEach(
                (name, slot) -> {
                    set(slot.mean(), name + ".mean", state);
                    set(slot.variance(), name + ".variance", state);
                });
        step = steps;
    }

    private void set(NDArray target, String name, Map<String, HostTensor> state) {
        HostTensor saved = state.get(name);
        checkArgument(
                saved != null && saved.shape().equals(target.getShape()),
                "optimizer state %s must have shape %s, found %s",
                name,
                target.getShape(),
                saved == null ? "nothing" : saved.shape());
        try (NDArray value = saved.toNDArray(manager)) {
            value.copyTo(target);
        }
    }

    @Override
    public void close() {
        manager.close();
    }
}
