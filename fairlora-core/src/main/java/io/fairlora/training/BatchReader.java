package io.fairlora.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.common.collect.Iterators;
import io.fairlora.lora.Backbone;
import java.util.Iterator;
import java.util.List;

/**
 * Brings batches of images to the features of one backbone: from kept hidden states where they fit,
 * otherwise from pixels, of which the next batch is decoded while one is in use.
 */
public final class BatchReader {

    /** Of 4 to 128, within 7 % of the fastest for backbones from 128 to 768 features. */
    private static final int CPU_INFERENCE = 32;

    /** Not measured: enough to keep a GPU busy. */
    private static final int GPU_INFERENCE = 128;

    private final Images images;
    private final Backbone backbone;

    /**
     * A reader for a backbone as it is now, its adapters in their places.
     *
     * @param images the images
     * @param backbone what computes the features; it stays the caller's
     */
    public BatchReader(Images images, Backbone backbone) {
        this.images = images;
        this.backbone = backbone;
    }

    /** How many images to take at a time where nothing is trained. */
    static int inferenceSize(Backbone backbone) {
        return backbone.device().isGpu() ? GPU_INFERENCE : CPU_INFERENCE;
    }

    /** A batch of images in Java memory. */
    public interface Batch {

        /**
         * Which images these are.
         *
         * @return the examples
         */
        int[] rows();

        /**
         * Computes the features of the batch.
         *
         * @param scope the owner of the result
         * @return features of shape (batch, D)
         */
        NDArray features(NDManager scope);
    }

    /**
     * Reads batches one after the other.
     *
     * @param batches the examples of each batch
     * @return the batches
     */
    public Iterator<Batch> read(List<int[]> batches) {
        if (images instanceof EncodedImages encoded && encoded.fit(backbone)) {
            return Iterators.transform(batches.iterator(), rows -> new Encoded(rows, encoded));
        }
        return Iterators.transform(
                new PixelReader(images, backbone.input()).read(batches), Decoded::new);
    }

    private final class Encoded implements Batch {

        private final int[] rows;
        private final EncodedImages encoded;

        Encoded(int[] rows, EncodedImages encoded) {
            this.rows = rows;
            this.encoded = encoded;
        }

        @Override
        public int[] rows() {
            return rows;
        }

        @Override
        public NDArray features(NDManager scope) {
            return encoded.features(rows, backbone, scope);
        }
    }

    private final class Decoded implements Batch {

        private final PixelReader.Pixels pixels;

        Decoded(PixelReader.Pixels pixels) {
            this.pixels = pixels;
        }

        @Override
        public int[] rows() {
            return pixels.rows();
        }

        @Override
        public NDArray features(NDManager scope) {
            return backbone.features(pixels.toNDArray(scope));
        }
    }
}
