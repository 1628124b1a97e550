package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.ForwardingImages;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.Images;
import java.util.Objects;
import java.util.function.IntConsumer;

/**
 * Images read once, for one size, and kept in memory. Asked for another size it reads the images
 * anew, so the pixels are those of the wrapped images in any case.
 */
public final class CachedImages extends ForwardingImages {

    private final InputSpec spec;
    private final byte[][] pixels;

    private CachedImages(Images images, InputSpec spec, byte[][] pixels) {
        super(images);
        this.spec = spec;
        this.pixels = pixels;
    }

    /**
     * Reads all images.
     *
     * @param images the images
     * @param spec the size to keep
     * @param threads how many threads read, at least 1
     * @param maxBytes the memory the pixels may take: {@code images.size() * spec.bytes()} at most
     * @param listener told the number of images read so far, one call after the other from the
     *     reading threads, each number from 1 to {@code images.size()} once and in order
     * @return the cache
     * @throws ImageReadException if an image cannot be read
     * @throws IllegalArgumentException if the images need more memory than allowed, or there is no
     *     thread
     */
    public static CachedImages read(
            Images images, InputSpec spec, int threads, long maxBytes, IntConsumer listener) {
        checkArgument(threads >= 1, "threads must be at least 1, found %s", threads);
        long bytes = (long) images.size() * spec.bytes();
        checkArgument(
                bytes <= maxBytes,
                "%s images of %s x %s pixels take %s bytes, allowed are %s",
                images.size(),
                spec.height(),
                spec.width(),
                bytes,
                maxBytes);
        byte[][] pixels = new byte[images.size()][];
        ParallelReads.run(
                pixels.length,
                threads,
                i -> {
                    byte[] image = new byte[spec.bytes()];
                    images.read(i, spec, image, 0);
                    pixels[i] = image;
                },
                listener);
        return new CachedImages(images, spec, pixels);
    }

    @Override
    public void read(int index, InputSpec asked, byte[] target, int offset) {
        Objects.checkIndex(index, pixels.length);
        if (asked.equals(spec)) {
            System.arraycopy(pixels[index], 0, target, offset, spec.bytes());
        } else {
            super.read(index, asked, target, offset);
        }
    }
}
