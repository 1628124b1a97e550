package io.fairlora.vision.vit;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.fairlora.ndarray.HostTensor;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** What the weights of a new transformer are. */
final class RandomWeights {

    private static final double DEVIATION = 0.02;

    private RandomWeights() {}

    static VisionTransformer transformer(
            VitConfig config, DataType dataType, Device device, long seed) {
        NDManager manager = NDManager.newBaseManager(device, "PyTorch");
        VisionTransformer vit =
                new VisionTransformer(
                        config,
                        VitPreprocessing.DEFAULT,
                        WeightNames.of(config.family()),
                        dataType,
                        manager);
        RandomGenerator random = new SplittableRandom(seed);
        vit.weights()
                .forEach(
                        (name, parameter) -> {
                            Shape shape = parameter.getShape();
                            float[] values = new float[Math.toIntExact(shape.size())];
                            for (int i = 0; i < values.length; i++) {
                                values[i] = initial(parameter.getType(), random);
                            }
                            NDArray single =
                                    HostTensor.of(values, shape.getShape()).toNDArray(manager);
                            VisionTransformer.setWeight(parameter, single.toType(dataType, false));
                        });
        return vit;
    }

    private static float initial(Parameter.Type type, RandomGenerator random) {
        return switch (type) {
            case GAMMA -> 1;
            case BETA, BIAS -> 0;
            default -> {
                double z;
                do {
                    z = random.nextGaussian();
                } while (Math.abs(z) > 2);
                yield (float) (DEVIATION * z);
            }
        };
    }
}
