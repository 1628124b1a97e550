package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * A frozen backbone, one trainable adapter in it, and a head: what one party trains.
 *
 * <p>Owns a fork of the backbone, so that two models over the same weights do not see each other's
 * adapters. Not safe for use from several threads.
 */
public final class AdaptedModel implements AutoCloseable {

    private final Backbone backbone;
    private final List<InjectedLora> frozen = new ArrayList<>();
    private final InjectedLora adapter;
    private final LinearHead head;

    /**
     * A model with a fresh adapter, which changes no output yet, and a random head.
     *
     * @param backbone the backbone, which stays the caller's
     * @param config the adapter's configuration
     * @param classes the number of classes of the head
     * @param seed the seed of adapter and head
     * @throws IllegalArgumentException if the configuration chooses no layer
     */
    public AdaptedModel(Backbone backbone, LoraConfig config, int classes, long seed) {
        this.backbone = backbone.fork();
        try {
            adapter = LoraInjector.inject(this.backbone, config, "trained", seed);
            head =
                    new LinearHead(
                            this.backbone.manager(),
                            LinearHead.Weights.random(classes, backbone.featureSize(), ~seed),
                            dataType(adapter));
        } catch (RuntimeException e) {
            this.backbone.close();
            throw e;
        }
    }

    /**
     * A model with a given adapter and head.
     *
     * @param backbone the backbone, which stays the caller's
     * @param adapter the adapter, which becomes the trainable one
     * @param weights the head's weights
     * @throws IllegalArgumentException if the adapter or the head does not fit the backbone or is
     *     not finite
     */
    public AdaptedModel(Backbone backbone, LoraAdapter adapter, LinearHead.Weights weights) {
        checkArgument(
                weights.features() == backbone.featureSize(),
                "the head reads %s features, the backbone has %s",
                weights.features(),
                backbone.featureSize());
        checkArgument(
                weights.weight().isFinite() && weights.bias().isFinite(),
                "the head has elements that are not finite");
        this.backbone = backbone.fork();
        try {
            this.adapter = LoraInjector.attach(this.backbone, adapter, "trained", 1, true);
            head = new LinearHead(this.backbone.manager(), weights, dataType(this.adapter));
        } catch (RuntimeException e) {
            this.backbone.close();
            throw e;
        }
    }

    private static DataType dataType(InjectedLora adapter) {
        return adapter.parameters().values().iterator().next().getDataType();
    }

    /**
     * Adds an adapter that stays as it is while the model's own is trained.
     *
     * @param name a name of its own
     * @param frozenAdapter the adapter
     */
    public void addFrozen(String name, LoraAdapter frozenAdapter) {
        frozen.add(LoraInjector.attach(backbone, frozenAdapter, name, 1, false));
    }

    /**
     * The backbone under all adapters.
     *
     * @return this model's fork
     */
    public Backbone backbone() {
        return backbone;
    }

    /**
     * The trainable adapter.
     *
     * @return it
     */
    public InjectedLora adapter() {
        return adapter;
    }

    /**
     * The head.
     *
     * @return it
     */
    public LinearHead head() {
        return head;
    }

    /**
     * Everything trainable, by name.
     *
     * @return the adapter's arrays and the head's
     */
    public Map<String, NDArray> parameters() {
        Map<String, NDArray> parameters = new LinkedHashMap<>(adapter.parameters());
        parameters.putAll(head.parameters());
        return parameters;
    }

    /**
     * Makes adapter and head receive gradients, or not.
     *
     * @param trainable whether they do
     */
    public void setTrainable(boolean trainable) {
        adapter.setTrainable(trainable);
        head.setTrainable(trainable);
    }

    /**
     * Computes the features of many images under the model's adapters, without recording gradients.
     *
     * @param images the images
     * @param parent the owner of the result
     * @return features (images, D)
     */
    public NDArray features(Images images, NDManager parent) {
        return features(backbone, images, parent);
    }

    /**
     * Computes the features of many images, without recording gradients.
     *
     * @param backbone a backbone with whatever adapters its layers carry
     * @param images the images
     * @param parent the owner of the result
     * @return features (images, D)
     */
    public static NDArray features(Backbone backbone, Images images, NDManager parent) {
        if (images.size() == 0) {
            return parent.zeros(new Shape(0, backbone.featureSize()));
        }
        int[] all = IntStream.range(0, images.size()).toArray();
        Iterator<BatchReader.Batch> batches =
                new BatchReader(images, backbone)
                        .read(PixelReader.batches(all, BatchReader.inferenceSize(backbone)));
        return GradientMode.OFF.get(
                () -> {
                    try (NDManager collected = parent.newSubManager()) {
                        NDList parts = new NDList();
                        while (batches.hasNext()) {
                            try (NDManager scope = collected.newSubManager()) {
                                NDArray part = batches.next().features(scope);
                                part.attach(collected);
                                parts.add(part);
                            }
                        }
                        NDArray joined = NDArrays.concat(parts, 0);
                        joined.attach(parent);
                        return joined;
                    }
                });
    }

    /**
     * Predicts the classes of many images.
     *
     * @param images the images
     * @return the probability of every class, of shape (images, classes)
     */
    public HostTensor probabilities(Images images) {
        try (NDManager scope = backbone.manager().newSubManager()) {
            NDArray features = features(images, scope);
            return GradientMode.OFF.get(() -> HostTensor.copyOf(head.logits(features).softmax(-1)));
        }
    }

    /**
     * Predicts the classes of pixels that are on the device.
     *
     * @param pixels (batch, 3, height, width) as the backbone takes them
     * @return the probability of every class, of shape (batch, classes), in the pixels' manager
     */
    public NDArray probabilities(NDArray pixels) {
        return GradientMode.OFF.get(() -> head.logits(backbone.features(pixels)).softmax(-1));
    }

    @Override
    public void close() {
        head.close();
        adapter.close();
        frozen.forEach(InjectedLora::close);
        backbone.close();
    }
}
