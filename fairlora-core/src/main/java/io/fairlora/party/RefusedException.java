package io.fairlora.party;

/** A party declines what the other asked for; the message says why. */
public class RefusedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception with a message.
     *
     * @param message what was asked, and why it is declined
     */
    public RefusedException(String message) {
        super(message);
    }
}
