package io.fairlora.vision.transform;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.fairlora.lora.InputSpec;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Random changes that make every epoch see other pixels, in torchvision's order: a crop of random
 * size and shape, a mirror image, RandAugment, colour jitter. Immutable.
 *
 * <p>The distributions are torchvision's and the pixels of each change Pillow's, but the draws are
 * our own: a function of the generator alone, so that a training that is resumed sees the same
 * bits.
 */
public final class Augmentation {

    /** A crop of 0.08 to 1 of the area, and a mirror image of every second example. */
    public static final Augmentation STANDARD =
            builder().randomResizedCrop(0.08, 1).horizontalFlip(0.5).build();

    private static final int CROP_ATTEMPTS = 10;
    private static final double NARROWEST = 3 / 4.0;
    private static final double WIDEST = 4 / 3.0;

    private final double @Nullable [] area;
    private final double flip;
    private final int operations;
    private final int magnitude;
    private final double brightness;
    private final double contrast;
    private final double saturation;
    private final double hue;

    private Augmentation(Builder builder) {
        area = builder.area;
        flip = builder.flip;
        operations = builder.operations;
        magnitude = builder.magnitude;
        brightness = builder.brightness;
        contrast = builder.contrast;
        saturation = builder.saturation;
        hue = builder.hue;
    }

    /**
     * Starts with no change at all.
     *
     * @return a builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Changes an image and brings it to a size.
     *
     * @param image the image
     * @param spec the size; where a random crop is asked for, its own crop is not made
     * @param random what decides; used up by a number of draws that depends on the image's size
     * @return an image of {@code spec.height()} rows and {@code spec.width()} columns
     */
    public RgbImage apply(RgbImage image, InputSpec spec, SplittableRandom random) {
        RgbImage changed =
                area == null
                        ? Framing.apply(image, spec)
                        : Resize.resize(
                                randomCrop(image, area, random),
                                spec.height(),
                                spec.width(),
                                spec.interpolation());
        if (flip > 0 && random.nextDouble() < flip) {
            changed = GeometricOps.flip(changed);
        }
        for (int i = 0; i < operations; i++) {
            changed = randAugment(changed, random);
        }
        return jitter(changed, random);
    }

    /** torchvision's {@code RandomResizedCrop.get_params} with the shapes 3/4 to 4/3. */
    private static RgbImage randomCrop(RgbImage image, double[] area, SplittableRandom random) {
        double pixels = (double) image.width() * image.height();
        for (int attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
            double target = pixels * between(random, area[0], area[1]);
            double ratio = Math.exp(between(random, Math.log(NARROWEST), Math.log(WIDEST)));
            int width = (int) Math.rint(Math.sqrt(target * ratio));
            int height = (int) Math.rint(Math.sqrt(target / ratio));
            if (width >= 1 && width <= image.width() && height >= 1 && height <= image.height()) {
                int top = random.nextInt(image.height() - height + 1);
                int left = random.nextInt(image.width() - width + 1);
                return image.crop(left, top, width, height);
            }
        }
        double ratio = (double) image.width() / image.height();
        int width = image.width();
        int height = image.height();
        if (ratio < NARROWEST) {
            height = (int) Math.rint(width / NARROWEST);
        } else if (ratio > WIDEST) {
            width = (int) Math.rint(height * WIDEST);
        }
        return image.crop(
                (image.width() - width) / 2, (image.height() - height) / 2, width, height);
    }

    private static double between(SplittableRandom random, double from, double to) {
        return from + (to - from) * random.nextDouble();
    }

    /**
     * torchvision's {@code ColorJitter}: brightness, contrast, saturation and hue in random order.
     */
    private RgbImage jitter(RgbImage image, SplittableRandom random) {
        if (brightness == 0 && contrast == 0 && saturation == 0 && hue == 0) {
            return image;
        }
        int[] order = {0, 1, 2, 3};
        for (int i = 3; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int other = order[i];
            order[i] = order[j];
            order[j] = other;
        }
        RgbImage changed = image;
        for (int kind : order) {
            double strength = List.of(brightness, contrast, saturation, hue).get(kind);
            if (strength == 0) {
                continue;
            }
            double drawn = between(random, -strength, strength);
            float factor = (float) Math.max(0, 1 + drawn);
            changed =
                    switch (kind) {
                        case 0 -> ColourOps.brightness(changed, factor);
                        case 1 -> ColourOps.contrast(changed, factor);
                        case 2 -> ColourOps.saturation(changed, factor);
                        default -> ColourOps.hue(changed, drawn);
                    };
        }
        return changed;
    }

    private RgbImage randAugment(RgbImage image, SplittableRandom random) {
        RandAugmentOp[] all = RandAugmentOp.values();
        RandAugmentOp drawn = all[random.nextInt(all.length)];
        return drawn.apply(image, magnitude, random.nextBoolean());
    }

    /** Says what is drawn, so that a run can tell another apart. */
    @Override
    public String toString() {
        return String.format(
                "Augmentation[area=%s, flip=%s, randAugment=%s x %s, jitter=%s]",
                area == null ? "all" : area[0] + ".." + area[1],
                flip,
                operations,
                magnitude,
                List.of(brightness, contrast, saturation, hue));
    }

    /** Builds an {@link Augmentation}. */
    public static final class Builder {

        private double @Nullable [] area;
        private double flip;
        private int operations;
        private int magnitude;
        private double brightness;
        private double contrast;
        private double saturation;
        private double hue;

        private Builder() {}

        /**
         * A crop of random size and shape, resized to the size asked for; torchvision's default is
         * 0.08 to 1, faces are better kept with 0.5 to 1.
         *
         * @param smallest the least part of the area, above 0
         * @param largest the greatest part of the area, at most 1
         * @return this
         * @throws IllegalArgumentException if they are not {@code 0 < smallest <= largest <= 1}
         */
        @CanIgnoreReturnValue
        public Builder randomResizedCrop(double smallest, double largest) {
            checkArgument(
                    smallest > 0 && smallest <= largest && largest <= 1,
                    "the area of a crop must be 0 < smallest <= largest <= 1, found %s and %s",
                    smallest,
                    largest);
            area = new double[] {smallest, largest};
            return this;
        }

        /**
         * The mirror image.
         *
         * @param probability how often, in [0, 1]
         * @return this
         * @throws IllegalArgumentException if it is outside [0, 1]
         */
        @CanIgnoreReturnValue
        public Builder horizontalFlip(double probability) {
            checkArgument(
                    probability >= 0 && probability <= 1,
                    "the probability of a flip must be in [0, 1], found %s",
                    probability);
            flip = probability;
            return this;
        }

        /**
         * Colour jitter. The first three are multiplied by a factor drawn from {@code [max(0, 1 -
         * s), 1 + s]}, the hue is turned by a part of the circle drawn from {@code [-s, s]}.
         *
         * @param ofBrightness at least 0
         * @param ofContrast at least 0
         * @param ofSaturation at least 0
         * @param ofHue in [0, 0.5]
         * @return this
         * @throws IllegalArgumentException if one is out of range
         */
        @CanIgnoreReturnValue
        public Builder colourJitter(
                double ofBrightness, double ofContrast, double ofSaturation, double ofHue) {
            checkArgument(
                    ofBrightness >= 0
                            && ofContrast >= 0
                            && ofSaturation >= 0
                            && ofHue >= 0
                            && ofHue <= 0.5,
                    "jitter must be at least 0 and that of the hue at most 0.5, found %s, %s, %s,"
                            + " %s",
                    ofBrightness,
                    ofContrast,
                    ofSaturation,
                    ofHue);
            brightness = ofBrightness;
            contrast = ofContrast;
            saturation = ofSaturation;
            hue = ofHue;
            return this;
        }

        /**
         * RandAugment (Cubuk et al., 2020) with torchvision's 14 operations: none, shears and moves
         * along both axes, rotation, brightness, saturation, contrast, sharpness, posterize,
         * solarize, autocontrast and equalize; what comes in from outside the image is black.
         *
         * @param count how many operations an example gets, at least 0; the paper's is 2
         * @param strength from 0 to 30; torchvision's default is 9
         * @return this
         * @throws IllegalArgumentException if one is out of range
         */
        @CanIgnoreReturnValue
        public Builder randAugment(int count, int strength) {
            checkArgument(count >= 0, "operations must be at least 0, found %s", count);
            checkArgument(
                    strength >= 0 && strength <= RandAugmentOp.GREATEST,
                    "the magnitude must be in [0, 30], found %s",
                    strength);
            operations = count;
            magnitude = strength;
            return this;
        }

        /**
         * Builds it.
         *
         * @return the augmentation
         */
        public Augmentation build() {
            return new Augmentation(this);
        }
    }
}
