package io.fairlora.party;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.ndarray.Autograd;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scope;
import io.fairlora.training.AdamW;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.BatchReader;
import io.fairlora.training.EpochOrder;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.training.Losses;
import io.fairlora.training.PixelReader;
import io.fairlora.training.TaskImages;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One counter-update: the auditor fits what it needs with the adapter as it came, then moves the
 * adapter a bounded way.
 */
final class CounterUpdate implements AutoCloseable {

    private final CounterUpdateRequest request;
    private final AdaptedModel model;
    private final Map<String, NDArray> parameters;
    private final Map<String, NDArray> start = new LinkedHashMap<>();
    private final NDManager manager;

    CounterUpdate(Backbone backbone, CounterUpdateRequest request) {
        this.request = request;
        model =
                new AdaptedModel(
                        backbone,
                        request.adapter(),
                        LinearHead.Weights.random(1, backbone.featureSize(), request.seed()));
        manager = model.backbone().manager().newSubManager();
        parameters = model.adapter().parameters();
        parameters.forEach(
                (name, p) -> {
                    NDArray copy = GradientMode.OFF.get(p::duplicate);
                    copy.attach(manager);
                    start.put(name, copy);
                });
    }

    LoraAdapter run(TaskImages data) {
        int[] labels = data.labels();
        int classes = data.classes().size();
        NDArray features = model.features(data.images(), manager);
        Target target =
                switch (request.objective()) {
                    case ASCENT -> new HeadTarget(head(features, labels, classes), false, labels);
                    case ENTROPY -> new HeadTarget(head(features, labels, classes), true, labels);
                    case ERASED_FEATURES -> new ErasedTarget(erased(features, labels, classes));
                };
        model.adapter().setTrainable(true);
        try (AdamW optimizer = new AdamW(manager, parameters, 0.9, 0.999, 0)) {
            BatchReader reader = new BatchReader(data.images(), model.backbone());
            int epoch = 0;
            int step = 0;
            while (step < request.steps()) {
                int[] order = EpochOrder.of(data.size(), request.seed() + request.round(), epoch++);
                int count = Math.min(order.length, (request.steps() - step) * request.batchSize());
                Iterator<BatchReader.Batch> batches =
                        reader.read(
                                PixelReader.batches(
                                        Arrays.copyOf(order, count), request.batchSize()));
                while (batches.hasNext()) {
                    descend(batches.next(), target);
                    optimizer.step(request.learningRate());
                    stayWithinRadius();
                    step++;
                }
            }
        }
        return model.adapter().toAdapter(request.adapter().provenance());
    }

    /** What the features of a batch are moved towards; a loss to be minimised. */
    private interface Target {
        NDArray loss(NDArray features, int[] rows);
    }

    @SuppressWarnings("ArrayRecordComponent") // read only, never compared
    private record HeadTarget(LinearHead head, boolean entropy, int[] labels) implements Target {
        @Override
        public NDArray loss(NDArray features, int[] rows) {
            NDArray logits = head.logits(features);
            if (entropy) {
                return Losses.entropy(logits).neg();
            }
            int[] batch = Arrays.stream(rows).map(row -> labels[row]).toArray();
            float[] ones = new float[rows.length];
            Arrays.fill(ones, 1);
            return Losses.crossEntropy(logits, batch, ones).neg();
        }
    }

    private record ErasedTarget(NDArray erased) implements Target {
        @Override
        public NDArray loss(NDArray features, int[] rows) {
            NDManager scope = features.getManager();
            NDArray wanted = erased.get(scope.create(rows));
            return features.sub(wanted).square().mean();
        }
    }

    private LinearHead head(NDArray features, int[] labels, int classes) {
        return new LinearHead(
                manager,
                LogisticRegression.fit(
                        features, labels, classes, LogisticRegression.balanced(labels, classes)),
                features.getDataType());
    }

    private NDArray erased(NDArray features, int[] labels, int classes) {
        LinearErasers.checkEnough(labels.length, model.backbone().featureSize());
        LinearEraser eraser =
                LinearEraser.fit(
                        features, labels, classes, LogisticRegression.balanced(labels, classes));
        return GradientMode.OFF.get(() -> eraser.apply(features, 1));
    }

    private void descend(BatchReader.Batch batch, Target target) {
        Scope.run(
                () -> {
                    try (NDManager scope = manager.newSubManager()) {
                        Autograd.backward(
                                GradientMode.ON.get(
                                        () -> target.loss(batch.features(scope), batch.rows())));
                    }
                });
    }

    /** Pulls the adapter back onto the ball around where it came from. */
    private void stayWithinRadius() {
        GradientMode.OFF.run(
                () ->
                        Scope.run(
                                () -> {
                                    double moved = 0;
                                    for (Map.Entry<String, NDArray> p : parameters.entrySet()) {
                                        NDArray from = from(p.getKey());
                                        moved += squaredNorm(p.getValue().sub(from));
                                    }
                                    double bound =
                                            request.radius() * request.adapter().factorNorm();
                                    if (moved > bound * bound) {
                                        double keep = bound / Math.sqrt(moved);
                                        parameters.forEach(
                                                (name, p) ->
                                                        p.subi(p.sub(from(name)).mul(1 - keep)));
                                    }
                                }));
    }

    private NDArray from(String name) {
        NDArray array = start.get(name);
        if (array == null) {
            throw new IllegalStateException("no parameter " + name);
        }
        return array;
    }

    private static double squaredNorm(NDArray array) {
        return HostTensor.copyOf(array.square().sum()).get(0);
    }

    @Override
    public void close() {
        manager.close();
        model.close();
    }
}
