package io.fairlora.vision.dataset;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.ForwardingImages;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.Augmentation;
import io.fairlora.vision.transform.RgbImage;
import java.util.SplittableRandom;

/**
 * Images that training sees augmented, and everything else as they are: only {@link #forEpoch}
 * changes them. What an example looks like is a function of seed, epoch and its position alone,
 * whatever the order, the batch and the thread that reads it. Immutable.
 */
public final class AugmentedImages extends ForwardingImages {

    private final Augmentation augmentation;

    private AugmentedImages(Images images, Augmentation augmentation) {
        super(images);
        this.augmentation = augmentation;
    }

    /**
     * Augments images in training.
     *
     * @param images the images; of {@link RgbImages} the image itself is augmented, of others the
     *     pixels at the size asked for
     * @param augmentation what is done to them
     * @return the images
     */
    public static AugmentedImages of(Images images, Augmentation augmentation) {
        return new AugmentedImages(images, augmentation);
    }

    @Override
    public Images forEpoch(long seed, int epoch) {
        return new Epoch(images().forEpoch(seed, epoch), augmentation, seed, epoch);
    }

    @Override
    public String describe() {
        return super.describe() + ", " + augmentation;
    }

    /** One epoch's draw. */
    private static final class Epoch extends ForwardingImages {

        private final Augmentation augmentation;
        private final long seed;
        private final int epoch;

        Epoch(Images images, Augmentation augmentation, long seed, int epoch) {
            super(images);
            this.augmentation = augmentation;
            this.seed = seed;
            this.epoch = epoch;
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            augmentation.apply(source(index, spec), spec, random(index)).copyPlanes(target, offset);
        }

        private RgbImage source(int index, InputSpec spec) {
            if (images() instanceof RgbImages whole) {
                return whole.image(index);
            }
            byte[] planes = new byte[spec.bytes()];
            images().read(index, spec, planes, 0);
            return RgbImage.ofPlanes(spec.width(), spec.height(), planes);
        }

        /** Neighbouring seeds, epochs and examples are kept apart by splitting, not by adding. */
        private SplittableRandom random(int index) {
            long ofEpoch = new SplittableRandom(seed).nextLong() + epoch;
            long ofExample = new SplittableRandom(ofEpoch).nextLong() + index;
            return new SplittableRandom(ofExample);
        }
    }
}
