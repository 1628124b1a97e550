package io.fairlora.examples;

import io.fairlora.party.RefusedException;
import io.fairlora.training.ImageReadException;
import io.fairlora.training.TrainingStoppedException;
import io.fairlora.vision.dataset.DatasetException;
import java.io.IOException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.ParseResult;

/** Prints what is wrong with the input as one sentence; a defect keeps its trace. */
final class OneSentence implements IExecutionExceptionHandler {

    @Override
    public int handleExecutionException(Exception e, CommandLine commandLine, ParseResult result)
            throws Exception {
        if (e instanceof IllegalArgumentException
                || e instanceof IOException
                || e instanceof DatasetException
                || e instanceof ImageReadException
                || e instanceof RefusedException
                || e instanceof TrainingStoppedException) {
            commandLine.getErr().println("error: " + e.getMessage());
            return CommandLine.ExitCode.SOFTWARE;
        }
        if (e instanceof InterruptedException) {
            commandLine.getErr().printf("%nstopped%n");
            return CommandLine.ExitCode.SOFTWARE;
        }
        throw e;
    }
}
