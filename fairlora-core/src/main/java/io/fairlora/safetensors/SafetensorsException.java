package io.fairlora.safetensors;

import java.io.IOException;
import java.nio.file.Path;

/** A file is not a well-formed safetensors file; the message names it and says what was found. */
public class SafetensorsException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception about a file.
     *
     * @param file the file
     * @param problem what was found and what was expected
     */
    public SafetensorsException(Path file, String problem) {
        super(file + ": " + problem);
    }
}
