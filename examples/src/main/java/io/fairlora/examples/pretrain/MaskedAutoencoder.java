package io.fairlora.examples.pretrain;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.core.Linear;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Scalars;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.vit.VitConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Masked autoencoding (He et al. 2021, "Masked Autoencoders Are Scalable Vision Learners"): three
 * quarters of the patches are hidden, the encoder sees the rest, a light decoder predicts the
 * hidden ones, each normalised by its own mean and deviation.
 *
 * <p>One addition for a class token that is worth reading in a small model: from it alone a linear
 * map predicts the whole image at a quarter of its size. The mask is drawn once a batch.
 */
final class MaskedAutoencoder implements Objective {

    private static final double MASKED = 0.75;
    private static final int DECODER_SIZE = 64;
    private static final int SHRINK = 4;

    private final VisionTransformer encoder;
    private final VisionTransformer decoder;
    private final NDManager manager;
    private final Map<String, NDArray> parameters = new LinkedHashMap<>();
    private final RandomGenerator init;

    MaskedAutoencoder(VisionTransformer encoder, long seed) {
        this.encoder = encoder;
        manager = encoder.manager().newSubManager();
        VitConfig config = encoder.config();
        // The decoder borrows the transformer's layers; its own patch projection stays unused.
        decoder =
                VisionTransformer.random(
                        VitConfig.of(DECODER_SIZE, 2, 4, config.imageHeight(), config.patchSize()),
                        DataType.FLOAT32,
                        Device.cpu(),
                        seed + 1);
        init = new SplittableRandom(seed);
        int d = config.hiddenSize();
        int patch = 3 * config.patchSize() * config.patchSize();
        int small = 3 * (config.imageHeight() / SHRINK) * (config.imageWidth() / SHRINK);
        add("narrow.weight", DECODER_SIZE, d);
        add("mask_token", 1, 1, DECODER_SIZE);
        add("positions", 1, config.patches(), DECODER_SIZE);
        add("pixels.weight", patch, DECODER_SIZE);
        add("pixels.bias", patch);
        add("summary.weight", small, d);
        add("summary.bias", small);
        decoder.weights()
                .forEach(
                        (name, p) -> {
                            if (!name.contains("patch_embeddings")) {
                                parameters.put("decoder." + name, p.getArray());
                            }
                        });
    }

    private void add(String name, long... shape) {
        float[] values = new float[Math.toIntExact(new Shape(shape).size())];
        if (!name.endsWith("bias")) {
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) (0.02 * init.nextGaussian());
            }
        }
        parameters.put(name, HostTensor.of(values, shape).toNDArray(manager));
    }

    private NDArray get(String name) {
        return Objects.requireNonNull(parameters.get(name), name);
    }

    @Override
    public Map<String, NDArray> parameters() {
        return parameters;
    }

    @Override
    public NDArray loss(NDArray pixels, int[] indices, RandomGenerator random) {
        NDManager scope = pixels.getManager();
        int n = encoder.config().patches();
        int[] order = permutation(n, random);
        int visibleCount = (int) Math.round(n * (1 - MASKED));
        NDArray visible = scope.create(Arrays.copyOf(order, visibleCount));
        NDArray hidden = scope.create(Arrays.copyOfRange(order, visibleCount, n));
        NDArray patches = encoder.patches(pixels);
        NDArray tokens = encoder.embed(patches).get(new NDIndex(":, {}", visible));
        NDArray encoded = encoder.encode(tokens);

        NDArray narrow = Linear.linear(encoded, get("narrow.weight")).singletonOrThrow();
        NDArray positions = get("positions");
        NDArray seen = narrow.get(":, 1:").add(positions.get(scope, new NDIndex(":, {}", visible)));
        NDArray blank =
                scope.zeros(new Shape(pixels.getShape().get(0), n - visibleCount, DECODER_SIZE))
                        .add(get("mask_token"))
                        .add(positions.get(scope, new NDIndex(":, {}", hidden)));
        NDArray decoded = decoder.encode(NDArrays.concat(new NDList(seen, blank), 1));
        NDArray predicted =
                Linear.linear(
                                decoded.get(new NDIndex(":, {}:", 1 + visibleCount)),
                                get("pixels.weight"),
                                get("pixels.bias"))
                        .singletonOrThrow();
        NDArray target = patches.get(new NDIndex(":, {}", hidden));
        NDArray centred = target.sub(target.mean(new int[] {-1}, true));
        NDArray normal = centred.div(centred.square().mean(new int[] {-1}, true).add(1e-6).sqrt());
        NDArray patchLoss = predicted.sub(normal).square().mean();

        NDArray summary =
                Linear.linear(encoded.get(":, 0"), get("summary.weight"), get("summary.bias"))
                        .singletonOrThrow();
        NDArray summaryLoss = summary.sub(shrunk(pixels)).square().mean();
        return patchLoss.add(Scalars.multiply(summaryLoss, 2));
    }

    private NDArray shrunk(NDArray pixels) {
        Shape s = pixels.getShape();
        long h = s.get(2) / SHRINK;
        long w = s.get(3) / SHRINK;
        return pixels.toType(DataType.FLOAT32, false)
                .div(127.5)
                .sub(1)
                .reshape(s.get(0), 3, h, SHRINK, w, SHRINK)
                .mean(new int[] {5})
                .mean(new int[] {3})
                .reshape(s.get(0), 3 * h * w);
    }

    private static int[] permutation(int n, RandomGenerator random) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    @Override
    public void close() {
        decoder.close();
        manager.close();
    }
}
