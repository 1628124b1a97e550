package io.fairlora.vision.vit;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.safetensors.SafetensorsFile;
import io.fairlora.vision.vit.PositionGrid.Grid;
import io.fairlora.vision.vit.WeightNames.Part;
import io.fairlora.vision.vit.WeightNames.Place;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** An open file of weights and the configuration that goes with it. */
final class Checkpoint {

    private final Path path;
    private final SafetensorsFile file;
    private final VitConfig config;
    private final WeightNames names;

    Checkpoint(Path path, SafetensorsFile file, VitConfig config) {
        this.path = path;
        this.file = file;
        this.config = config;
        names = WeightNames.detect(config.family(), file.names());
    }

    /** The names of the file, with another prefix if one is wanted. */
    WeightNames names(Optional<String> prefix) {
        return new WeightNames(prefix.orElse(names.prefix()), names.layout());
    }

    /**
     * Sets the weights of a model, whose configuration may differ from the file's in the size of
     * the images and in the pooling.
     */
    void readInto(VisionTransformer vit, NDManager manager) throws IOException {
        checkFits(vit);
        for (Map.Entry<String, Parameter> weight : vit.weights().entrySet()) {
            Parameter parameter = weight.getValue();
            HostTensor values = read(inFile(vit, weight.getKey()));
            if (weight.getKey().equals(vit.names().path(Part.POSITIONS))) {
                values = positions(values, vit.config());
            }
            VisionTransformer.setWeight(
                    parameter, values.toNDArray(manager).reshape(parameter.getShape()));
        }
    }

    private String inFile(VisionTransformer vit, String name) {
        return names.prefix() + name.substring(vit.names().prefix().length());
    }

    private HostTensor read(String name) throws IOException {
        Place place = names.place(name);
        HostTensor whole = file.read(place.tensor());
        return place.parts() == 1 ? whole : part(whole, place);
    }

    private static HostTensor part(HostTensor whole, Place place) {
        long[] shape = whole.shape().getShape().clone();
        shape[0] /= place.parts();
        int size = whole.size() / place.parts();
        float[] values = new float[size];
        whole.buffer().position(place.part() * size).get(values);
        return HostTensor.of(values, shape);
    }

    private HostTensor positions(HostTensor values, VitConfig wanted) {
        int prefix = config.stem().positions();
        return PositionGrid.resize(
                values.reshape(positionShape()),
                prefix,
                Grid.of(config),
                Grid.of(wanted),
                config.family().antialiasesPositions());
    }

    private Shape positionShape() {
        return new Shape(1, config.stem().positions() + config.patches(), config.hiddenSize());
    }

    private void checkFits(VisionTransformer vit) {
        List<String> problems = new ArrayList<>();
        Set<String> used = new LinkedHashSet<>();
        vit.weights()
                .forEach(
                        (name, parameter) -> {
                            Place place = names.place(inFile(vit, name));
                            used.add(place.tensor());
                            check(place, expected(vit, name, parameter), problems);
                        });
        for (String name : file.names()) {
            boolean aside = name.endsWith("mask_token") || name.endsWith("position_ids");
            if (names.isWithin(name) && !used.contains(name) && !aside) {
                problems.add(name + " is unexpected");
            }
        }
        if (!problems.isEmpty()) {
            throw new IllegalArgumentException(
                    path
                            + " does not fit its "
                            + ModelFiles.CONFIG
                            + ": "
                            + String.join("; ", problems));
        }
    }

    private Shape expected(VisionTransformer vit, String name, Parameter parameter) {
        Shape own =
                name.equals(vit.names().path(Part.POSITIONS))
                        ? positionShape()
                        : parameter.getShape();
        return stored(config, vit.names(), name, own);
    }

    private void check(Place place, Shape part, List<String> problems) {
        if (!file.names().contains(place.tensor())) {
            if (place.part() == 0) {
                problems.add(place.tensor() + " is missing");
            }
            return;
        }
        long[] shape = part.getShape().clone();
        shape[0] *= place.parts();
        Shape expected = new Shape(shape);
        Shape found = file.info(place.tensor()).shape();
        if (!found.equals(expected) && place.part() == 0) {
            problems.add(place.tensor() + " has shape " + found + ", expected " + expected);
        }
    }

    /** The tensors of a file that holds the weights of a model, by name. */
    static Map<String, HostTensor> tensors(VisionTransformer vit) {
        Map<String, HostTensor> tensors = new LinkedHashMap<>();
        vit.weights()
                .forEach(
                        (name, parameter) -> {
                            HostTensor own = HostTensor.copyOf(parameter.getArray());
                            Shape shape = stored(vit.config(), vit.names(), name, own.shape());
                            tensors.merge(
                                    vit.names().place(name).tensor(),
                                    own.reshape(shape),
                                    Checkpoint::stack);
                        });
        return tensors;
    }

    /** Puts the rows of one tensor below those of another. */
    private static HostTensor stack(HostTensor upper, HostTensor lower) {
        float[] values = Arrays.copyOf(upper.toArray(), upper.size() + lower.size());
        lower.buffer().get(values, upper.size(), lower.size());
        long[] shape = upper.shape().getShape().clone();
        shape[0] += lower.shape().get(0);
        return HostTensor.of(values, shape);
    }

    /**
     * The shape in a file: the projection of the patches is stored as a convolution's weight, and
     * CLIP's class token and positions without a dimension for the batch.
     */
    static Shape stored(VitConfig config, WeightNames names, String name, Shape own) {
        boolean tower = names.layout() == WeightNames.Layout.TOWER;
        if (tower && name.equals(names.path(Part.CLASS_TOKEN))) {
            return new Shape(config.hiddenSize());
        }
        if (tower && name.equals(names.path(Part.POSITIONS))) {
            return own.slice(1);
        }
        if (!name.equals(names.path(Part.PATCHES) + ".weight")) {
            return own;
        }
        int p = config.patchSize();
        return new Shape(config.hiddenSize(), 3, p, p);
    }
}
