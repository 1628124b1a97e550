package io.fairlora.training;

import io.fairlora.lora.InputSpec;

/**
 * A sequence of images, decoded when asked for. Safe for use from several threads.
 *
 * <p>Implementations hold no labels.
 */
public interface Images {

    /**
     * The number of images.
     *
     * @return at least 0
     */
    int size();

    /**
     * What a message calls an image, such as its file's name.
     *
     * @param index the image, in {@code [0, size())}
     * @return the name
     */
    String name(int index);

    /**
     * Decodes one image and brings it to the size asked for.
     *
     * @param index the image, in {@code [0, size())}
     * @param spec the size
     * @param target receives {@code spec.bytes()} unsigned bytes in the order channel (red, green,
     *     blue), row, column
     * @param offset where in {@code target} the first byte goes
     * @throws ImageReadException if the image cannot be read or decoded
     */
    void read(int index, InputSpec spec, byte[] target, int offset);

    /**
     * The images at the given positions, in that order.
     *
     * @param indices positions in this sequence; a position may occur more than once
     * @return a view of this sequence
     * @throws IndexOutOfBoundsException if a position is outside {@code [0, size())}
     */
    default Images select(int[] indices) {
        return new SelectedImages(this, indices);
    }

    /**
     * The images as an epoch of training sees them: of images that are augmented at random, another
     * draw for every epoch and example.
     *
     * @param seed the seed of the training
     * @param epoch the epoch, from 0
     * @return images of the same number and order, a function of seed and epoch alone; this object
     *     itself if every epoch sees the same pixels
     */
    default Images forEpoch(long seed, int epoch) {
        return this;
    }

    /**
     * How the pixels come about: whatever they depend on besides the images that {@link #name}
     * names, seed and epoch. A run that goes on from a checkpoint is refused if it is another than
     * that of the run begun.
     *
     * @return one line; two sequences over the same images with the same line give the same pixels
     */
    default String describe() {
        return "as they are";
    }
}
