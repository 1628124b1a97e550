package io.fairlora.training;

import org.jspecify.annotations.Nullable;

/** An image could not be read or decoded; the message names it and says what was found. */
public class ImageReadException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception with a message.
     *
     * @param message names the image, what was found and what was expected
     * @param cause what went wrong below, if anything
     */
    public ImageReadException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
