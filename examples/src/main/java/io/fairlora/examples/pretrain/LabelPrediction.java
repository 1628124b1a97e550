package io.fairlora.examples.pretrain;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scalars;
import io.fairlora.vision.vit.VisionTransformer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Supervised pretraining: one linear classifier a label on the features, the mean of their
 * cross-entropies. An example without a label (-1) does not count for that label.
 */
final class LabelPrediction implements Objective {

    /** One label to predict: a class for every example, -1 where it has none. */
    @SuppressWarnings("ArrayRecordComponent") // read only, never compared
    record Target(String name, int classes, int[] labels) {}

    private final VisionTransformer backbone;
    private final List<Target> targets;
    private final NDManager manager;
    private final Map<String, NDArray> parameters = new LinkedHashMap<>();

    LabelPrediction(VisionTransformer backbone, List<Target> targets, long seed) {
        this.backbone = backbone;
        this.targets = List.copyOf(targets);
        manager = backbone.manager().newSubManager();
        RandomGenerator random = new SplittableRandom(seed);
        int d = backbone.featureSize();
        for (Target target : targets) {
            float[] weight = new float[target.classes() * d];
            for (int i = 0; i < weight.length; i++) {
                weight[i] = (float) (0.02 * random.nextGaussian());
            }
            parameters.put(
                    target.name() + ".weight",
                    HostTensor.of(weight, target.classes(), d).toNDArray(manager));
            parameters.put(target.name() + ".bias", manager.zeros(new Shape(target.classes())));
        }
    }

    @Override
    public Map<String, NDArray> parameters() {
        return parameters;
    }

    @Override
    public NDArray loss(NDArray pixels, int[] indices, RandomGenerator random) {
        NDManager scope = pixels.getManager();
        // Brightness and contrast of each image vary, so that neither stands in for skin tone.
        NDArray jittered = jitter(pixels, random);
        NDArray features = backbone.features(jittered);
        NDArray total = scope.zeros(new Shape());
        for (Target target : targets) {
            int[] labels = new int[indices.length];
            float[] weights = new float[indices.length];
            int counted = 0;
            for (int i = 0; i < indices.length; i++) {
                int label = target.labels()[indices[i]];
                labels[i] = Math.max(0, label);
                weights[i] = label < 0 ? 0 : 1;
                counted += label < 0 ? 0 : 1;
            }
            if (counted == 0) {
                continue;
            }
            NDArray logits =
                    Linear.linear(
                                    features,
                                    parameters.get(target.name() + ".weight"),
                                    parameters.get(target.name() + ".bias"))
                            .singletonOrThrow();
            NDArray oneHot = scope.create(labels).oneHot(target.classes());
            NDArray loss =
                    logits.logSoftmax(-1).mul(oneHot).sum(new int[] {1}).mul(scope.create(weights));
            total = total.sub(Scalars.multiply(loss.sum(), 1.0 / counted));
        }
        return Scalars.multiply(total, 1.0 / targets.size());
    }

    private static NDArray jitter(NDArray pixels, RandomGenerator random) {
        int batch = Math.toIntExact(pixels.getShape().get(0));
        float[] gain = new float[batch];
        float[] shift = new float[batch];
        for (int i = 0; i < batch; i++) {
            gain[i] = (float) random.nextDouble(0.7, 1.3);
            shift[i] = (float) random.nextDouble(-25, 25) + 127.5f * (1 - gain[i]);
        }
        NDManager scope = pixels.getManager();
        Shape each = new Shape(batch, 1, 1, 1);
        return pixels.toType(DataType.FLOAT32, false)
                .mul(scope.create(gain, each))
                .add(scope.create(shift, each))
                .clip(0, 255);
    }

    @Override
    public void close() {
        manager.close();
    }
}
