package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import com.fasterxml.jackson.databind.JsonNode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.training.LinearHead;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The classifier of a model such as Hugging Face's {@code ViTForImageClassification}, which {@link
 * VisionTransformer#load(Path, ai.djl.Device)} leaves aside.
 *
 * <p>The two classifiers of a distilled DeiT, whose logits are averaged, become one that reads both
 * tokens ({@link Pooling#CLS_DISTILLATION}).
 *
 * @param weights the linear layer from features to logits
 * @param labels the name of each class, in the order of the logits
 */
public record ClassifierHead(LinearHead.Weights weights, List<String> labels) {

    /** transformers' name, and timm's. */
    private static final List<String> SINGLE = List.of("classifier", "head");

    /** Two classifiers whose logits are averaged: transformers' names, and timm's. */
    private static final List<List<String>> DISTILLED =
            List.of(
                    List.of("cls_classifier", "distillation_classifier"),
                    List.of("head", "head_dist"));

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
     * Reads the classifier of a model, with the labels of {@code id2label}; without them the
     * classes are {@code LABEL_0} and so on, as transformers calls them.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @return the classifier; empty if the model has none
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if weight and bias of the classifier do not fit together, or
     *     {@code id2label} names another number of classes
     */
    public static Optional<ClassifierHead> read(Path path) throws IOException {
        ModelFiles files = ModelFiles.of(path);
        Optional<LinearHead.Weights> found;
        try (SafetensorsFile model = SafetensorsFile.open(files.weights())) {
            found = weights(files.weights(), model);
        }
        if (found.isEmpty()) {
            return Optional.empty();
        }
        LinearHead.Weights weights = found.get();
        List<String> labels = Files.exists(files.config()) ? labels(path) : List.of();
        checkArgument(
                labels.isEmpty() || labels.size() == weights.classes(),
                "%s names %s classes in id2label, the classifier beside it has %s",
                files.config(),
                labels.size(),
                weights.classes());
        return Optional.of(
                new ClassifierHead(weights, labels.isEmpty() ? weights.numberedLabels() : labels));
    }

    private static Optional<LinearHead.Weights> weights(Path file, SafetensorsFile model)
            throws IOException {
        for (List<String> pair : DISTILLED) {
            if (has(model, pair.get(1))) {
                LinearHead.Weights first = linear(file, model, pair.get(0));
                LinearHead.Weights second = linear(file, model, pair.get(1));
                checkArgument(
                        first.weight().shape().equals(second.weight().shape()),
                        "%s has classifiers of shapes %s and %s, expected the same",
                        file,
                        first.weight().shape(),
                        second.weight().shape());
                return Optional.of(mean(first, second));
            }
        }
        for (String module : SINGLE) {
            if (has(model, module)) {
                return Optional.of(linear(file, model, module));
            }
        }
        return Optional.empty();
    }

    private static boolean has(SafetensorsFile model, String module) {
        return model.names().contains(module + ".weight")
                || model.names().contains(module + ".bias");
    }

    private static LinearHead.Weights linear(Path file, SafetensorsFile model, String module)
            throws IOException {
        for (String name : List.of(module + ".weight", module + ".bias")) {
            checkArgument(
                    model.names().contains(name), "%s has a classifier without %s", file, name);
        }
        try {
            return new LinearHead.Weights(
                    model.read(module + ".weight"), model.read(module + ".bias"));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /** (x1 W1^T + b1 + x2 W2^T + b2) / 2 as one layer over x1 and x2 side by side. */
    private static LinearHead.Weights mean(LinearHead.Weights first, LinearHead.Weights second) {
        int classes = first.classes();
        int d = first.features();
        float[] weight = new float[classes * 2 * d];
        float[] bias = new float[classes];
        for (int c = 0; c < classes; c++) {
            for (int i = 0; i < d; i++) {
                weight[c * 2 * d + i] = first.weight().get(c * d + i) / 2;
                weight[c * 2 * d + d + i] = second.weight().get(c * d + i) / 2;
            }
            bias[c] = (first.bias().get(c) + second.bias().get(c)) / 2;
        }
        return new LinearHead.Weights(
                HostTensor.of(weight, classes, 2L * d), HostTensor.of(bias, classes));
    }

    /**
     * The names of the classes that a model's {@code config.json} gives, whether or not there is a
     * classifier.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @return the values of {@code id2label}, or timm's {@code label_names}, by their number; empty
     *     if there is none
     * @throws IOException if the file is missing or malformed
     * @throws IllegalArgumentException if the classes are not numbered from 0 on
     */
    public static List<String> labels(Path path) throws IOException {
        Path file = ModelFiles.of(path).config();
        JsonNode json = ModelFiles.json(file);
        if (TimmConfig.is(json)) {
            return TimmConfig.labels(json);
        }
        JsonNode names = json.path("id2label");
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
