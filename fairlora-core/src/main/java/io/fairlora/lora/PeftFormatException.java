package io.fairlora.lora;

import java.io.IOException;
import java.nio.file.Path;

/** A directory holds no adapter that can be read; the message names the file and the fault. */
public class PeftFormatException extends IOException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception about a file.
     *
     * @param file the file
     * @param problem what was found and what was expected
     */
    public PeftFormatException(Path file, String problem) {
        super(file + ": " + problem);
    }
}
