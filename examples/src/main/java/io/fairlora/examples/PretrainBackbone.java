package io.fairlora.examples;

import io.fairlora.examples.pretrain.Pretraining;
import io.fairlora.ndarray.Precision;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Pretrains the small backbone that the library ships, on FairFace and synthetic faces.
 *
 * <p>Writes a checkpoint after every epoch and goes on from it when started again.
 */
@Command(
        name = "PretrainBackbone",
        mixinStandardHelpOptions = true,
        description = "Pretrains a small vision transformer on FairFace and synthetic faces.")
public final class PretrainBackbone implements Callable<Integer> {

    @Option(
            names = "--fairface",
            required = true,
            paramLabel = "DIR",
            description = "FairFace: train/, val/ and its two label files.")
    private Path fairFace = Path.of("");

    @Option(
            names = "--objective",
            defaultValue = "MASKED",
            description = "One of ${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}).")
    private Pretraining.Kind objective = Pretraining.Kind.MASKED;

    @Option(
            names = "--synthetic",
            defaultValue = "10000",
            description = "How many synthetic faces to add (default ${DEFAULT-VALUE}).")
    private int synthetic;

    @Option(names = "--epochs", defaultValue = "100", description = "Default ${DEFAULT-VALUE}.")
    private int epochs;

    @Option(names = "--batch", defaultValue = "128", description = "Default ${DEFAULT-VALUE}.")
    private int batch;

    @Option(
            names = "--learning-rate",
            defaultValue = "1e-3",
            description = "Default ${DEFAULT-VALUE}.")
    private double learningRate;

    @Option(
            names = "--precision",
            defaultValue = "SINGLE",
            description = "One of ${COMPLETION-CANDIDATES} (default ${DEFAULT-VALUE}).")
    private Precision precision = Precision.SINGLE;

    @Option(names = "--seed", defaultValue = "1", description = "Default ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--out",
            required = true,
            paramLabel = "DIR",
            description = "Where the model and the checkpoint go.")
    private Path out = Path.of("");

    /**
     * Runs from the command line.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        System.exit(new CommandLine(new PretrainBackbone()).execute(args));
    }

    @Override
    public Integer call() throws Exception {
        new Pretraining(
                        objective,
                        new Pretraining.Settings(
                                synthetic, epochs, batch, learningRate, 0.05, precision, seed))
                .run(fairFace, out);
        return 0;
    }
}
