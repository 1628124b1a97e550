package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.LinearHead;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The classifier of a Hugging Face {@code ViTForImageClassification}, which {@link
 * VisionTransformer#load} leaves aside.
 *
 * @param weights the linear layer from features to logits
 * @param labels the name of each class, in the order of the logits
 */
public record ClassifierHead(LinearHead.Weights weights, List<String> labels) {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String WEIGHT = "classifier.weight";
    private static final String BIAS = "classifier.bias";

    /** Checks that every class has a label. */
    public ClassifierHead {
        labels = List.copyOf(labels);
        checkArgument(
                labels.size() == weights.classes(),
                "a classifier of %s classes has %s labels",
                weights.classes(),
                labels.size());
    }

    /**
     * Reads the classifier of a model directory, with the labels of {@code id2label}; classes that
     * {@code config.json} does not name are {@code LABEL_0} and so on, as transformers calls them.
     *
     * @param directory holds {@code config.json} and {@code model.safetensors}
     * @return the classifier; empty if the directory holds a model without one
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weight and bias of the classifier do not fit together
     */
    public static Optional<ClassifierHead> read(Path directory) throws IOException {
        Path file = directory.resolve("model.safetensors");
        LinearHead.Weights weights;
        try (SafetensorsFile model = SafetensorsFile.open(file)) {
            if (!model.names().contains(WEIGHT) && !model.names().contains(BIAS)) {
                return Optional.empty();
            }
            for (String name : List.of(WEIGHT, BIAS)) {
                checkArgument(
                        model.names().contains(name), "%s has a classifier without %s", file, name);
            }
            try {
                weights = new LinearHead.Weights(model.read(WEIGHT), model.read(BIAS));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
            }
        }
        JsonNode names = JSON.readTree(directory.resolve("config.json").toFile()).path("id2label");
        return Optional.of(
                new ClassifierHead(
                        weights,
                        IntStream.range(0, weights.classes())
                                .mapToObj(i -> names.path("" + i).asText("LABEL_" + i))
                                .toList()));
    }
}
