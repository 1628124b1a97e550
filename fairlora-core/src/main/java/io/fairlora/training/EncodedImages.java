package io.fairlora.training;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LayeredBackbone;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Images together with what the lower layers of a backbone make of each, computed once and kept in
 * memory in single precision.
 *
 * <p>Training, audits and predictions take the hidden states in place of the pixels wherever the
 * backbone has no adapter below the layer and its weights are those that computed them; in any
 * other place they read the images. The results are the same up to rounding, which depends on how
 * the images are grouped into batches.
 */
public final class EncodedImages extends ForwardingImages {

    private final Object stem;
    private final int layer;
    private final Shape each;
    private final float[][] states;

    private EncodedImages(Images images, Object stem, int layer, Shape each, float[][] states) {
        super(images);
        this.stem = stem;
        this.layer = layer;
        this.each = each;
        this.states = states;
    }

    /**
     * Computes the hidden states of all images.
     *
     * @param images the images
     * @param backbone its layers below {@code layer} carry no adapter
     * @param layer the lowest layer that is to be adapted, in [1, {@code backbone.layers()}]
     * @param maxBytes the memory that the hidden states may take
     * @param listener told the number of images done, after every batch
     * @return the images with their hidden states
     * @throws IllegalArgumentException if the backbone has no such layer, carries an adapter below
     *     it, is not of single precision, or the hidden states need more memory than allowed
     * @throws ImageReadException if an image cannot be read
     */
    public static EncodedImages of(
            Images images,
            LayeredBackbone backbone,
            int layer,
            long maxBytes,
            IntConsumer listener) {
        checkArgument(
                layer >= 1 && layer <= backbone.layers(),
                "layer must be in 1..%s, found %s",
                backbone.layers(),
                layer);
        Object stem = backbone.stem(layer);
        checkArgument(
                stem.equals(backbone.stem(layer)), "a layer below %s carries an adapter", layer);
        int[] all = IntStream.range(0, images.size()).toArray();
        Iterator<PixelReader.Pixels> batches =
                new PixelReader(images, backbone.input())
                        .read(PixelReader.batches(all, BatchReader.inferenceSize(backbone)));
        float[][] states = new float[images.size()][];
        Shape each = new Shape();
        int done = 0;
        while (batches.hasNext()) {
            HostTensor batch = hidden(backbone, batches.next(), layer);
            each = batch.shape().slice(1);
            int size = Math.toIntExact(each.size());
            checkArgument(
                    (long) images.size() * size * Float.BYTES <= maxBytes,
                    "the hidden states of %s images take %s bytes, allowed are %s",
                    images.size(),
                    (long) images.size() * size * Float.BYTES,
                    maxBytes);
            FloatBuffer values = batch.buffer();
            while (values.hasRemaining()) {
                states[done] = new float[size];
                values.get(states[done++]);
            }
            listener.accept(done);
        }
        return new EncodedImages(images, stem, layer, each, states);
    }

    /**
     * The memory that the hidden states of one image take. Runs the lower layers once.
     *
     * @param backbone as {@link #of} takes it
     * @param layer the lowest layer that is to be adapted, in [1, {@code backbone.layers()}]
     * @return bytes
     */
    public static long bytesPerImage(LayeredBackbone backbone, int layer) {
        InputSpec spec = backbone.input();
        PixelReader.Pixels black =
                new PixelReader.Pixels(new int[] {0}, new byte[spec.bytes()], spec);
        return hidden(backbone, black, layer).shape().size() * Float.BYTES;
    }

    private static HostTensor hidden(
            LayeredBackbone backbone, PixelReader.Pixels batch, int layer) {
        return GradientMode.OFF.get(
                () -> {
                    try (NDManager scope = backbone.manager().newSubManager()) {
                        NDArray hidden = backbone.hidden(batch.toNDArray(scope), layer);
                        checkArgument(
                                hidden.getDataType() == DataType.FLOAT32,
                                "hidden states are kept in type float32, the backbone's are of"
                                        + " type %s",
                                hidden.getDataType());
                        return HostTensor.copyOf(hidden);
                    }
                });
    }

    /** Whether the backbone would make the same hidden states. */
    boolean fit(Backbone backbone) {
        return backbone instanceof LayeredBackbone layered
                && layer <= layered.layers()
                && layered.stem(layer).equals(stem);
    }

    /** The features of a batch, for a backbone that {@linkplain #fit fits}. */
    NDArray features(int[] rows, Backbone backbone, NDManager scope) {
        int size = Math.toIntExact(each.size());
        FloatBuffer joined = FloatBuffer.allocate(Math.multiplyExact(rows.length, size));
        for (int row : rows) {
            joined.put(states[row]);
        }
        NDArray hidden = scope.create(joined.flip(), new Shape(rows.length).addAll(each));
        return ((LayeredBackbone) backbone).featuresFrom(hidden, layer);
    }

    @Override
    public EncodedImages select(int[] indices) {
        return new EncodedImages(
                images().select(indices),
                stem,
                layer,
                each,
                Arrays.stream(indices).mapToObj(i -> states[i]).toArray(float[][]::new));
    }
}
