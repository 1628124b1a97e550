package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.LinearHead;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The classifier of a Hugging Face {@code ViTForImageClassification}, which {@link
 * VisionTransformer#load} leaves aside.
 *
 * @param weights the linear layer from features to logits
 * @param labels the name of each class, in the order of the logits
 */
public record ClassifierHead(LinearHead.Weights weights, List<String> labels) {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFIG = "config.json";
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
     * Reads the classifier of a model directory, with the labels of {@code id2label}; without them
     * the classes are {@code LABEL_0} and so on, as transformers calls them.
     *
     * @param directory holds {@code config.json} and {@code model.safetensors}
     * @return the classifier; empty if the directory holds a model without one
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weight and bias of the classifier do not fit together, or
     *     {@code id2label} names another number of classes
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
        List<String> labels = labels(directory);
        checkArgument(
                labels.isEmpty() || labels.size() == weights.classes(),
                "%s names %s classes in id2label, the classifier beside it has %s",
                directory.resolve(CONFIG),
                labels.size(),
                weights.classes());
        return Optional.of(
                new ClassifierHead(weights, labels.isEmpty() ? weights.numberedLabels() : labels));
    }

    /**
     * The names of the classes that a model directory's {@code config.json} gives, whether or not
     * there is a classifier.
     *
     * @param directory holds {@code config.json}
     * @return the values of {@code id2label} by their number; empty if there is none
     * @throws IOException if the file is missing or malformed
     * @throws IllegalArgumentException if the classes are not numbered from 0 on
     */
    public static List<String> labels(Path directory) throws IOException {
        Path file = directory.resolve(CONFIG);
        JsonNode names;
        try {
            names = JSON.readTree(Files.readAllBytes(file)).path("id2label");
        } catch (JsonProcessingException e) {
            throw new IOException(file + " is not JSON: " + e.getOriginalMessage(), e);
        }
        List<String> labels = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            JsonNode name = names.get(Integer.toString(i));
            checkArgument(
                    name != null && name.isTextual(),
                    "%s has no name for class %s of %s in id2label",
                    file,
                    i,
                    names.size());
            labels.add(name.asText());
        }
        return List.copyOf(labels);
    }
}
