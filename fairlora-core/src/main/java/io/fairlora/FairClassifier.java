package io.fairlora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.ImmutableList;
import io.fairlora.lora.AdapterMath;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.InputSpec;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.ModelCard;
import io.fairlora.lora.PeftFormat;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.Candidate;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.Images;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.training.TaskImages;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The result of a run: an adapter and a head on a frozen backbone.
 *
 * <p>Not safe for use from several threads. Must be closed before the backbone.
 */
public final class FairClassifier implements AutoCloseable {

    private static final String WEIGHT = "classifier.weight";
    private static final String BIAS = "classifier.bias";
    private static final String CLASSES = "classes";
    private static final String NAME = "name";
    private static final String BACKBONE = "backbone";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Candidate candidate;
    private final AdaptedModel model;
    private final Map<String, String> notes = new LinkedHashMap<>();

    /**
     * A classifier from its parts.
     *
     * @param backbone the backbone, which stays the caller's
     * @param candidate adapter, head and classes
     */
    public FairClassifier(Backbone backbone, Candidate candidate) {
        this.candidate = candidate;
        model = new AdaptedModel(backbone, candidate.adapter(), candidate.servedHead());
    }

    /**
     * What an auditor needs to measure this classifier.
     *
     * @return adapter, head and classes; no data
     */
    public Candidate candidate() {
        return candidate;
    }

    /**
     * The names of the classes.
     *
     * @return immutable, in the order of the head's outputs
     */
    public List<String> classes() {
        return ImmutableList.copyOf(candidate.classes());
    }

    /**
     * The pixels that {@link #probabilities(NDArray)} takes.
     *
     * @return the backbone's
     */
    public InputSpec input() {
        return model.backbone().input();
    }

    /**
     * Where the classifier computes.
     *
     * @return the backbone's device
     */
    public Device device() {
        return model.backbone().device();
    }

    /**
     * Predicts probabilities of pixels on the classifier's device, without recording gradients.
     *
     * @param pixels {@code UINT8} of shape (batch, 3, height, width) in the size of {@link
     *     #input()}
     * @return shape (batch, classes), rows sum to 1; it belongs to the pixels' manager, as do
     *     arrays made on the way: give them a manager of their own and close it
     */
    public NDArray probabilities(NDArray pixels) {
        return model.probabilities(pixels);
    }

    /**
     * Predicts probabilities.
     *
     * @param images the images, of any size
     * @return shape (images, classes), rows sum to 1
     */
    public HostTensor probabilities(Images images) {
        return model.probabilities(images);
    }

    /**
     * Predicts classes.
     *
     * @param images the images, of any size
     * @return the most probable class of each, a position in {@link #classes()}
     */
    public int[] predict(Images images) {
        return LogisticRegression.argMax(probabilities(images));
    }

    /**
     * How well the classifier does.
     *
     * @param data images and labels of the same classes
     * @return the mean over the classes of the part of their images that is predicted right
     * @throws IllegalArgumentException if the classes are others, or there is no image
     */
    public double balancedAccuracy(TaskImages data) {
        checkArgument(
                data.classes().equals(candidate.classes()),
                "the data has the classes %s, the classifier has %s",
                data.classes(),
                candidate.classes());
        checkArgument(data.size() > 0, "there is no image to measure on");
        return LogisticRegression.balancedAccuracy(
                data.labels(), predict(data.images()), data.classes().size());
    }

    /**
     * Adds a line to what the saved card says of how the classifier came to be.
     *
     * @param key a short name
     * @param value free-form
     */
    void note(String key, String value) {
        notes.put(key, value);
    }

    /**
     * Writes a directory that PEFT reads: configuration, adapter, the head as a saved module {@code
     * classifier} with the eraser folded in, and a card.
     *
     * @param directory made if absent; what is there is replaced only once everything is written
     * @throws IOException if it cannot be written
     */
    public void save(Path directory) throws IOException {
        save(directory, null);
    }

    /**
     * Writes a directory that PEFT reads, with the auditor's figures on its card.
     *
     * @param directory made if absent
     * @param report the auditor's report, or {@code null}
     * @throws IOException if it cannot be written
     */
    public void save(Path directory, @Nullable FairnessReport report) throws IOException {
        save(directory, report, "");
    }

    /**
     * Writes a directory that PEFT reads, which also says where the backbone is to be found.
     *
     * @param directory made if absent
     * @param report the auditor's report, or {@code null}
     * @param baseModel the backbone's name or directory, as PEFT is to find it; one line, empty if
     *     it is not to be said
     * @throws IOException if it cannot be written
     */
    public void save(Path directory, @Nullable FairnessReport report, String baseModel)
            throws IOException {
        save(directory, report, baseModel, "");
    }

    /**
     * Writes a directory that PEFT reads onto a classifier although the backbone's own file holds
     * none: the layers of such a file are named without what precedes them in a classifier, and
     * PEFT takes an adapter whose names it does not find for an untrained one.
     *
     * @param directory made if absent
     * @param report the auditor's report, or {@code null}
     * @param baseModel the backbone's name or directory, as PEFT is to find it; one line, empty if
     *     it is not to be said
     * @param prefix what precedes the names of layers in a classifier, such as {@code "vit."} in
     *     Hugging Face's ViT; names that begin with it are left as they are
     * @throws IOException if it cannot be written
     */
    public void save(
            Path directory, @Nullable FairnessReport report, String baseModel, String prefix)
            throws IOException {
        LinearHead.Weights head = candidate.servedHead();
        Map<String, String> provenance = new LinkedHashMap<>(candidate.adapter().provenance());
        provenance.putAll(notes);
        provenance.put(NAME, candidate.name());
        provenance.put(CLASSES, JSON.writeValueAsString(candidate.classes()));
        LoraAdapter adapter =
                prefixed(candidate.adapter(), prefix)
                        .withSavedModules(Map.of(WEIGHT, head.weight(), BIAS, head.bias()))
                        .withProvenance(provenance);
        ModelCard card = ModelCard.of(baseModel);
        if (report != null) {
            card = card.withSection("## Fairness\n\n```\n" + report + "```\n");
        }
        PeftFormat.write(directory, adapter, card);
    }

    private static LoraAdapter prefixed(LoraAdapter adapter, String prefix) {
        return new LoraAdapter(
                adapter.config(),
                prefixed(adapter.layers(), prefix),
                prefixed(adapter.biases(), prefix),
                adapter.savedModules(),
                adapter.provenance());
    }

    private static <T> Map<String, T> prefixed(Map<String, T> named, String prefix) {
        Map<String, T> renamed = new LinkedHashMap<>();
        named.forEach(
                (name, value) ->
                        renamed.put(name.startsWith(prefix) ? name : prefix + name, value));
        return renamed;
    }

    /**
     * Reads what {@link #save(Path)} wrote, or any PEFT directory with a saved {@code classifier}.
     *
     * @param directory the directory
     * @param backbone the backbone it was trained on, which stays the caller's
     * @return the classifier, which the caller closes before the backbone
     * @throws IOException if a file is missing or malformed
     * @throws IllegalArgumentException if the adapter has no classifier, does not fit the backbone,
     *     or says that it was trained on another
     */
    public static FairClassifier load(Path directory, Backbone backbone) throws IOException {
        LoraAdapter adapter = PeftFormat.read(directory, backbone);
        String trainedOn = adapter.provenance().get(BACKBONE);
        checkArgument(
                trainedOn == null || trainedOn.equals(backbone.digest()),
                "%s was trained on the backbone %s, found %s",
                directory,
                trainedOn,
                backbone.digest());
        HostTensor weight = adapter.savedModules().get(WEIGHT);
        HostTensor bias = adapter.savedModules().get(BIAS);
        checkArgument(
                weight != null && bias != null,
                "%s has no classifier, found the modules %s",
                directory,
                adapter.savedModules().keySet());
        LinearHead.Weights head = new LinearHead.Weights(weight, bias);
        Map<String, String> provenance = adapter.provenance();
        return new FairClassifier(
                backbone,
                new Candidate(
                        provenance.getOrDefault(NAME, String.valueOf(directory.getFileName())),
                        adapter.withSavedModules(Map.of()),
                        head,
                        classes(directory, provenance.get(CLASSES), head),
                        null,
                        0));
    }

    private static List<String> classes(
            Path directory, @Nullable String json, LinearHead.Weights head) throws IOException {
        if (json == null) {
            return head.numberedLabels();
        }
        try {
            return JSON.readValue(json, new TypeReference<List<String>>() {});
        } catch (JsonProcessingException e) {
            throw new IOException(
                    directory + " names its classes as " + json + ", expected a JSON list", e);
        }
    }

    /**
     * Merges the adapter into a backbone's weights for good, so that serving costs no more than the
     * plain backbone and a head.
     *
     * @param target a backbone with the weights this classifier was trained on; changed in place,
     *     with everything that shares its weights
     * @return the head to apply to its features
     * @throws IllegalArgumentException if the adapter was trained on another backbone or does not
     *     fit, or a weight would not be finite; then no weight has changed
     */
    public LinearHead.Weights mergeInto(Backbone target) {
        String trainedOn = candidate.adapter().provenance().get(BACKBONE);
        checkArgument(
                trainedOn == null || trainedOn.equals(target.digest()),
                "the classifier was trained on the backbone %s, found %s",
                trainedOn,
                target.digest());
        AdapterMath.merge(target, candidate.adapter());
        return candidate.servedHead();
    }

    @Override
    public void close() {
        model.close();
    }
}
