package io.fairlora.vision.hub;

import java.io.IOException;
import java.io.Serial;

/** A model cannot be had: it is in no cache, on no hub, or not what the hub says it is. */
public final class HubException extends IOException {

    @Serial private static final long serialVersionUID = 1L;

    HubException(String message) {
        super(message);
    }

    HubException(String message, Throwable cause) {
        super(message, cause);
    }
}
