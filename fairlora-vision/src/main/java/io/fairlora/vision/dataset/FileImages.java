package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.InputSpec;
import io.fairlora.training.Images;
import io.fairlora.vision.transform.Framing;
import io.fairlora.vision.transform.ImageDecoder;
import io.fairlora.vision.transform.RgbImage;
import java.nio.file.Path;
import java.util.List;

/** Images in files: decoded, cropped if asked for, and resized whenever one is read. Immutable. */
public final class FileImages implements Images {

    private final Path folder;
    private final List<String> names;
    private final ImageDecoder decoder;
    private final double heightFraction;
    private final double widthFraction;

    private FileImages(
            Path folder,
            List<String> names,
            ImageDecoder decoder,
            double heightFraction,
            double widthFraction) {
        this.folder = folder;
        this.names = names;
        this.decoder = decoder;
        this.heightFraction = heightFraction;
        this.widthFraction = widthFraction;
    }

    /**
     * Files of one folder, turned upright as their Exif orientation says.
     *
     * @param folder the folder
     * @param names the files' paths relative to the folder, which also name them in messages
     * @return the images, in that order; no file is opened yet
     */
    public static FileImages of(Path folder, List<String> names) {
        return new FileImages(folder, List.copyOf(names), ImageDecoder.UPRIGHT, 1, 1);
    }

    /**
     * Any files, turned upright as their Exif orientation says.
     *
     * @param files the files, whose paths also name them in messages
     * @return the images, in that order; no file is opened yet
     */
    public static FileImages of(List<Path> files) {
        return of(Path.of(""), files.stream().map(Path::toString).toList());
    }

    /**
     * The same files decoded otherwise.
     *
     * @param other the decoder
     * @return the images
     */
    public FileImages withDecoder(ImageDecoder other) {
        return new FileImages(folder, names, other, heightFraction, widthFraction);
    }

    /**
     * The same files, each cut to its middle before it is resized.
     *
     * @param ofHeight the part of the rows to keep, in (0, 1]
     * @param ofWidth the part of the columns to keep, in (0, 1]
     * @return the images
     * @throws IllegalArgumentException if a fraction is outside (0, 1]
     */
    public FileImages withCentreCrop(double ofHeight, double ofWidth) {
        checkArgument(
                ofHeight > 0 && ofHeight <= 1 && ofWidth > 0 && ofWidth <= 1,
                "fractions must be above 0 and at most 1, found %s of the height and %s of the"
                        + " width",
                ofHeight,
                ofWidth);
        return new FileImages(folder, names, decoder, ofHeight, ofWidth);
    }

    @Override
    public int size() {
        return names.size();
    }

    @Override
    public String name(int index) {
        return names.get(index);
    }

    /**
     * The file of an image.
     *
     * @param index the image, in {@code [0, size())}
     * @return its path
     */
    public Path file(int index) {
        return folder.resolve(names.get(index));
    }

    @Override
    public void read(int index, InputSpec spec, byte[] target, int offset) {
        RgbImage image = decoder.decode(file(index)).centreCrop(heightFraction, widthFraction);
        Framing.apply(image, spec).copyPlanes(target, offset);
    }
}
