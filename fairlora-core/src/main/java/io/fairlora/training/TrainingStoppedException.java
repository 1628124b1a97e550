package io.fairlora.training;

/** The training thread was interrupted and stopped between two steps. */
public class TrainingStoppedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * An exception with a message.
     *
     * @param message says where the training stopped
     */
    public TrainingStoppedException(String message) {
        super(message);
    }
}
