package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.AdapterPenalty;
import io.fairlora.training.LogisticRegression;
import io.fairlora.training.TaskImages;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingLoop;
import io.fairlora.training.TrainingSettings;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The solution developer's side of a run: its task data, the model it trains, and what it accepts
 * from the auditor. Holds no sensitive attribute and has no way to ask for one.
 *
 * <p>Not safe for use from several threads.
 */
public final class SolutionDeveloper implements AutoCloseable {

    private static final String BASE = "base";

    private final TaskImages data;
    private final AdaptedModel model;
    private final TrainingLoop loop;
    private final Map<String, String> provenance;
    private @Nullable LoraAdapter base;
    private @Nullable LinearEraser eraser;
    private double eraserStrength;

    /**
     * A developer about to start.
     *
     * @param backbone the backbone, which stays the caller's
     * @param data the task's images and labels
     * @param config the adapter's configuration
     * @param settings how it is trained; its seed also makes adapter and head
     * @param provenance what the adapter's card says of how it came to be
     * @throws IllegalArgumentException if there is no example, all weights are 0, or the
     *     configuration chooses no layer
     */
    public SolutionDeveloper(
            Backbone backbone,
            TaskImages data,
            LoraConfig config,
            TrainingSettings settings,
            Map<String, String> provenance) {
        this.data = data;
        this.provenance = new LinkedHashMap<>(provenance);
        model = new AdaptedModel(backbone, config, data.classes().size(), settings.seed());
        try {
            loop = new TrainingLoop(model, data, settings);
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /**
     * Puts an adapter under the one being trained, for good: the backbone is then W0 + s B A of it.
     *
     * @param adapter the adapter; a negative scale subtracts
     * @throws IllegalStateException if there is one already
     */
    public void setBase(LoraAdapter adapter) {
        if (base != null) {
            throw new IllegalStateException("there is an adapter under the trained one already");
        }
        model.addFrozen(BASE, adapter);
        base = adapter;
    }

    /**
     * Trains on the task.
     *
     * @param step the step to stop at, at most {@link #totalSteps()}
     * @param penalty what is added to the loss, or {@code null}
     * @param listener told after every step
     * @see TrainingLoop#run
     */
    public void trainUntil(long step, @Nullable AdapterPenalty penalty, TrainingListener listener) {
        loop.run(step, penalty, listener);
    }

    /**
     * The steps taken on the task.
     *
     * @return from 0 to {@link #totalSteps()}
     */
    public long step() {
        return loop.step();
    }

    /**
     * The steps of the whole training.
     *
     * @return at least 1
     */
    public long totalSteps() {
        return loop.totalSteps();
    }

    /**
     * The length of the backbone's feature vectors.
     *
     * @return D
     */
    public int featureSize() {
        return model.backbone().featureSize();
    }

    /**
     * The adapter being trained, as it is handed over: without the one under it and without the
     * head.
     *
     * @return a copy
     */
    public LoraAdapter handOver() {
        return model.adapter().toAdapter(Map.of());
    }

    /**
     * Checks an adapter that the auditor trained for the sensitive attribute.
     *
     * @param sensitive the auditor's adapter
     * @return it
     * @throws IllegalArgumentException if it has not the form of the developer's own, is not
     *     finite, or its norm is out of bounds
     */
    public LoraAdapter checkSensitive(LoraAdapter sensitive) {
        return Received.sameForm(sensitive, handOver());
    }

    /**
     * Takes the adapter back from the auditor.
     *
     * @param moved the adapter moved
     * @throws IllegalArgumentException if it has not the form of the one handed over, is not
     *     finite, or its norm is out of bounds; then nothing has changed
     */
    public void takeBack(LoraAdapter moved) {
        model.adapter().assign(Received.sameForm(moved, handOver()));
    }

    /**
     * Fits the head anew on the features as they now are, by logistic regression over all task
     * examples with their weights in the loss.
     */
    public void refitHead() {
        try (NDManager scope = model.backbone().manager().newSubManager()) {
            NDArray features = erased(model.features(data.images(), scope));
            model.head()
                    .assign(
                            LogisticRegression.fit(
                                    features,
                                    data.labels(),
                                    data.classes().size(),
                                    loop.exampleWeights()));
        }
    }

    private NDArray erased(NDArray features) {
        LinearEraser applied = eraser;
        return applied == null
                ? features
                : GradientMode.OFF.get(() -> applied.apply(features, eraserStrength));
    }

    /**
     * Applies an eraser to the features from now on.
     *
     * @param received the auditor's eraser
     * @param strength how much of it, in [0, 1]
     * @throws IllegalArgumentException if it does not fit the features or is not finite
     */
    public void setEraser(LinearEraser received, double strength) {
        checkArgument(
                strength >= 0 && strength <= 1, "strength must be in [0, 1], found %s", strength);
        eraser = Received.fits(received, model.backbone().featureSize());
        eraserStrength = strength;
    }

    /**
     * The whole adapter that a served model carries: the trained one and the one under it.
     *
     * @return a copy
     */
    public LoraAdapter adapter() {
        LoraAdapter trained = model.adapter().toAdapter(provenance);
        return base == null ? trained : AdapterMath.add(base, trained).withProvenance(provenance);
    }

    /**
     * The classifier as it now is.
     *
     * @param name what reports call it
     * @return a value
     */
    public Candidate candidate(String name) {
        return new Candidate(
                name,
                adapter(),
                model.head().weights(),
                data.classes(),
                eraser,
                eraser == null ? 0 : eraserStrength);
    }

    /**
     * How well the model does on other task data.
     *
     * @param other images and labels of the same classes
     * @return the balanced accuracy, in [0, 1]
     * @throws IllegalArgumentException if the classes are others
     */
    public double balancedAccuracy(TaskImages other) {
        checkArgument(
                other.classes().equals(data.classes()),
                "the data has the classes %s, the task has %s",
                other.classes(),
                data.classes());
        try (NDManager scope = model.backbone().manager().newSubManager()) {
            NDArray features = erased(model.features(other.images(), scope));
            int[] predictions =
                    GradientMode.OFF.get(
                            () ->
                                    LogisticRegression.argMax(
                                            HostTensor.copyOf(model.head().logits(features))));
            return LogisticRegression.balancedAccuracy(
                    other.labels(), predictions, other.classes().size());
        }
    }

    /**
     * The training's state, for a checkpoint.
     *
     * @return trained arrays and moments by name
     */
    public Map<String, HostTensor> state() {
        return loop.state();
    }

    /**
     * Goes back to a state saved before.
     *
     * @param step the steps taken then
     * @param state what {@link #state()} gave
     */
    public void restore(long step, Map<String, HostTensor> state) {
        loop.restore(step, state);
    }

    @Override
    public void close() {
        loop.close();
        model.close();
    }
}
