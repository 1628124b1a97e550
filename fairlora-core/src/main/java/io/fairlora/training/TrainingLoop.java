package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Trains a model's adapter and head on labelled images, from any step to any other.
 *
 * <p>Everything random is a function of seed and step, so a loop restored from {@link #state()}
 * goes on with the bits of one that was never interrupted.
 */
public final class TrainingLoop implements AutoCloseable {

    private final AdaptedModel model;
    private final TaskImages data;
    private final TrainingSettings settings;
    private final AdamW optimizer;
    private final CosineSchedule schedule;
    private final float[] weights;
    private final long stepsPerEpoch;
    private final long total;
    private long step;

    /** Where and when the training began in this process, for the time that is left. */
    private long begunAt = -1;

    private long begun;

    /**
     * A loop at step 0.
     *
     * @param model what is trained; it stays the caller's
     * @param data the examples, at least one
     * @param settings how
     * @throws IllegalArgumentException if there is no example, or all weights are 0
     */
    public TrainingLoop(AdaptedModel model, TaskImages data, TrainingSettings settings) {
        weights = weights(data, settings);
        this.model = model;
        this.data = data;
        this.settings = settings;
        model.setTrainable(true);
        optimizer =
                new AdamW(
                        model.backbone().manager(),
                        model.parameters(),
                        0.9,
                        0.999,
                        settings.weightDecay());
        stepsPerEpoch = (data.size() + settings.batchSize() - 1L) / settings.batchSize();
        total = stepsPerEpoch * settings.epochs();
        schedule =
                new CosineSchedule(
                        settings.learningRate(), Math.round(settings.warmup() * total), total);
    }

    private static float[] weights(TaskImages data, TrainingSettings settings) {
        checkArgument(data.size() > 0, "there is no training example");
        float[] weights = data.weights();
        double total = 0;
        for (float weight : weights) {
            total += weight;
        }
        checkArgument(total > 0, "all training examples have the weight 0");
        if (settings.balanceClasses()) {
            float[] balanced = LogisticRegression.balanced(data.labels(), data.classes().size());
            for (int i = 0; i < weights.length; i++) {
                weights[i] *= balanced[i];
            }
        }
        return weights;
    }

    /**
     * The steps taken.
     *
     * @return from 0 to {@link #totalSteps()}
     */
    public long step() {
        return step;
    }

    /**
     * The steps of the whole training.
     *
     * @return epochs times batches an epoch
     */
    public long totalSteps() {
        return total;
    }

    /**
     * The weight of every example in the loss, class weights included.
     *
     * @return a copy
     */
    public float[] exampleWeights() {
        return weights.clone();
    }

    /**
     * Trains.
     *
     * @param until the step to stop at, at most {@link #totalSteps()}
     * @param penalty what is added to the loss, or {@code null}
     * @param listener told after every step
     * @throws TrainingStoppedException if the thread is interrupted; the step under way is finished
     *     and the loop can go on from there
     * @throws ImageReadException if an image cannot be read
     * @throws ArithmeticException if the loss or its gradient is no longer finite; the step under
     *     way has then changed nothing
     */
    public void run(long until, @Nullable AdapterPenalty penalty, TrainingListener listener) {
        checkArgument(until <= total, "until must be at most %s, found %s", total, until);
        if (begunAt < 0) {
            begunAt = step;
            begun = System.nanoTime();
        }
        while (step < until) {
            int epoch = Math.toIntExact(step / stepsPerEpoch);
            BatchReader reader =
                    new BatchReader(
                            data.images().forEpoch(settings.seed(), epoch), model.backbone());
            List<int[]> batches =
                    PixelReader.batches(
                            EpochOrder.of(data.size(), settings.seed(), epoch),
                            settings.batchSize());
            int from = Math.toIntExact(step % stepsPerEpoch);
            int to = Math.toIntExact(Math.min(stepsPerEpoch, from + until - step));
            Iterator<BatchReader.Batch> read = reader.read(batches.subList(from, to));
            while (read.hasNext()) {
                double loss = takeStep(read.next(), penalty);
                double seconds = (System.nanoTime() - begun) / 1e9;
                long left = Math.round(1e3 * seconds / (step - begunAt) * (total - step));
                listener.onStep(
                        new TrainingListener.Progress(
                                step,
                                total,
                                epoch + 1,
                                settings.epochs(),
                                loss,
                                Duration.ofMillis(left)));
                if (Thread.interrupted()) {
                    throw new TrainingStoppedException(
                            "training stopped after step " + step + " of " + total);
                }
            }
        }
    }

    private double takeStep(BatchReader.Batch batch, @Nullable AdapterPenalty penalty) {
        boolean dropout = model.adapter().config().dropout() > 0;
        if (dropout) {
            model.adapter().startDropout(settings.seed() * 0x9E3779B97F4A7C15L + step);
        }
        double[] loss = new double[1];
        try {
            Scope.run(
                    () -> {
                        try (NDManager scope = model.backbone().manager().newSubManager()) {
                            NDArray value = GradientMode.ON.get(() -> loss(batch, scope, penalty));
                            loss[0] = HostTensor.copyOf(value).get(0);
                            checkFinite("loss", loss[0]);
                            Autograd.backward(value);
                        }
                    });
        } finally {
            if (dropout) {
                model.adapter().stopDropout();
            }
        }
        checkFinite("gradient norm", optimizer.clipGradients(settings.maxGradientNorm()));
        optimizer.step(schedule.at(step));
        step++;
        return loss[0];
    }

    private void checkFinite(String what, double value) {
        if (!Double.isFinite(value)) {
            optimizer.zeroGradients();
            throw new ArithmeticException(
                    "the "
                            + what
                            + " of step "
                            + (step + 1)
                            + " is "
                            + value
                            + ", lower the learning rate");
        }
    }

    private NDArray loss(
            BatchReader.Batch batch, NDManager scope, @Nullable AdapterPenalty penalty) {
        int[] rows = batch.rows();
        int[] labels = new int[rows.length];
        float[] rowWeights = new float[rows.length];
        for (int i = 0; i < rows.length; i++) {
            labels[i] = data.label(rows[i]);
            rowWeights[i] = weights[rows[i]];
        }
        NDArray logits = model.head().logits(batch.features(scope));
        NDArray loss = Losses.crossEntropy(logits, labels, rowWeights);
        return penalty == null ? loss : loss.add(penalty.of(model.adapter()));
    }

    /**
     * All of the loop's state: trained arrays and the optimizer's moments.
     *
     * @return copies by name
     */
    public Map<String, HostTensor> state() {
        Map<String, HostTensor> state = new LinkedHashMap<>();
        model.parameters().forEach((name, p) -> state.put(name, HostTensor.copyOf(p)));
        state.putAll(optimizer.state());
        return state;
    }

    /**
     * Goes back to a state saved before.
     *
     * @param steps the steps taken then
     * @param state what {@link #state()} gave
     * @throws IllegalArgumentException if something is missing or has another shape
     */
    public void restore(long steps, Map<String, HostTensor> state) {
        checkArgument(steps >= 0 && steps <= total, "step %s is not in 0..%s", steps, total);
        GradientMode.OFF.run(
                () ->
                        model.parameters()
                                .forEach(
                                        (name, p) -> {
                                            HostTensor saved = state.get(name);
                                            checkArgument(
                                                    saved != null
                                                            && saved.shape().equals(p.getShape()),
                                                    "saved state of %s must have shape %s, found"
                                                            + " %s",
                                                    name,
                                                    p.getShape(),
                                                    saved == null ? "nothing" : saved.shape());
                                            try (NDArray value =
                                                    saved.toNDArray(model.backbone().manager())) {
                                                value.copyTo(p);
                                            }
                                        }));
        optimizer.restore(steps, state);
        step = steps;
        begunAt = -1;
    }

    @Override
    public void close() {
        optimizer.close();
    }
}
