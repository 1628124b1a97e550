package io.fairlora.vision.dataset;

import org.jspecify.annotations.Nullable;

/** A data set on disk cannot be used; the message names the file, what was found and expected. */
public class DatasetException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception with a message.
     *
     * @param message names the file or folder, what was found and what was expected
     * @param cause what went wrong below, if anything
     */
    public DatasetException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /**
     * An exception with a message.
     *
     * @param message names the file or folder, what was found and what was expected
     */
    public DatasetException(String message) {
        this(message, null);
    }
}
