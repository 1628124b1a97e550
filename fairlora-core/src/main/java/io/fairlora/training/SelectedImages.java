package io.fairlora.training;

import io.fairlora.lora.InputSpec;
import java.util.Objects;

/** A view of other images through an array of positions. */
final class SelectedImages implements Images {

    private final Images images;
    private final int[] indices;

    SelectedImages(Images images, int[] indices) {
        for (int index : indices) {
            Objects.checkIndex(index, images.size());
        }
        this.images = images;
        this.indices = indices.clone();
    }

    @Override
    public int size() {
        return indices.length;
    }

    @Override
    public String name(int index) {
        return images.name(indices[index]);
    }

    @Override
    public void read(int index, InputSpec spec, byte[] target, int offset) {
        images.read(indices[index], spec, target, offset);
    }

    @Override
    public String describe() {
        return images.describe();
    }

    @Override
    public Images forEpoch(long seed, int epoch) {
        Images drawn = images.forEpoch(seed, epoch);
        return drawn.equals(images) ? this : new SelectedImages(drawn, indices);
    }
}
