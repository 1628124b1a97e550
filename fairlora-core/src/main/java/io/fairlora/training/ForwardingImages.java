package io.fairlora.training;

import io.fairlora.lora.InputSpec;

/** Images that are those of another sequence, but for what a subclass changes. */
public abstract class ForwardingImages implements Images {

    private final Images images;

    /**
     * Images over others.
     *
     * @param images the others
     */
    protected ForwardingImages(Images images) {
        this.images = images;
    }

    /**
     * The images underneath.
     *
     * @return those given
     */
    protected final Images images() {
        return images;
    }

    @Override
    public final int size() {
        return images.size();
    }

    @Override
    public final String name(int index) {
        return images.name(index);
    }

    @Override
    public void read(int index, InputSpec spec, byte[] target, int offset) {
        images.read(index, spec, target, offset);
    }

    /**
     * {@inheritDoc}
     *
     * @return that of the images underneath; a subclass that changes pixels says so
     */
    @Override
    public String describe() {
        return images.describe();
    }

    /**
     * {@inheritDoc}
     *
     * @return of images that are augmented those of the epoch, without what this class does to the
     *     images as they are
     */
    @Override
    public Images forEpoch(long seed, int epoch) {
        Images drawn = images.forEpoch(seed, epoch);
        return drawn.equals(images) ? this : drawn;
    }
}
