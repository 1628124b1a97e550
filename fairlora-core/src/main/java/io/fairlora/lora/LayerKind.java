package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.google.common.base.Splitter;
import io.fairlora.ndarray.HostTensor;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What a layer does with its weight. To an adapter every weight is a matrix W (out, in) that a
 * product B A is added to, with A (r, in) and B (out, r); the kind says how that matrix lies in the
 * weight, and how PEFT's files spell A and B:
 *
 * <ul>
 *   <li>linear: the weight is W; {@code lora_A.weight} (r, in), {@code lora_B.weight} (out, r)
 *   <li>convolution: the weight (out, channels, height, width) is W with its rows folded; {@code
 *       lora_A.weight} (r, channels, height, width), {@code lora_B.weight} (out, r, 1, 1): a
 *       convolution to r channels, then one of single pixels
 *   <li>embedding: the weight (in, out), a row an item, is W transposed; {@code lora_embedding_A}
 *       (r, in), {@code lora_embedding_B} (out, r)
 * </ul>
 *
 * @param form which of the three
 * @param window of a convolution the channels and sizes that one output sees, such as (3, 16, 16);
 *     of others empty
 */
public record LayerKind(Form form, Shape window) {

    /** A product with W. */
    public static final LayerKind LINEAR = new LayerKind(Form.LINEAR, new Shape());

    /** A choice of rows of W transposed. */
    public static final LayerKind EMBEDDING = new LayerKind(Form.EMBEDDING, new Shape());

    /** The ends of the names of the tensors that only some adapters have. */
    static final String BIAS_OF_B = "lora_B.bias";

    static final String MAGNITUDE = "lora_magnitude_vector";

    /** The three forms. */
    public enum Form {
        /** A product with W. */
        LINEAR,
        /** A product with W of every window of an image. */
        CONVOLUTION,
        /** A choice of rows of W transposed. */
        EMBEDDING
    }

    /** Refuses a convolution without a window and a window without a convolution. */
    public LayerKind {
        checkArgument(
                form == Form.CONVOLUTION
                        ? window.dimension() >= 2 && window.size() > 0
                        : window.dimension() == 0,
                "a layer of form %s cannot have the window %s",
                form,
                window);
    }

    /**
     * A convolution in one group.
     *
     * @param window the number of its input channels, then the sizes of its kernel
     * @return the kind
     */
    public static LayerKind convolution(long... window) {
        return new LayerKind(Form.CONVOLUTION, new Shape(window));
    }

    /** The kind of layer that a tensor of a file is A for. */
    static LayerKind ofStored(Shape a, boolean embedding) {
        if (embedding) {
            return EMBEDDING;
        }
        return a.dimension() > 2 ? new LayerKind(Form.CONVOLUTION, a.slice(1)) : LINEAR;
    }

    boolean isLinear() {
        return form == Form.LINEAR;
    }

    boolean isConvolution() {
        return form == Form.CONVOLUTION;
    }

    boolean isEmbedding() {
        return form == Form.EMBEDDING;
    }

    /** The end of the name of A. */
    String nameOfA() {
        return isEmbedding() ? "lora_embedding_A" : "lora_A";
    }

    /** The end of the name of B. */
    String nameOfB() {
        return isEmbedding() ? "lora_embedding_B" : "lora_B";
    }

    /** The end of a tensor's name in a file. */
    String inFile(String name) {
        return name.equals("lora_A") || name.equals("lora_B") ? name + ".weight" : name;
    }

    /** A tensor as files have it. */
    HostTensor stored(String name, HostTensor tensor) {
        if (!isConvolution() || name.equals(BIAS_OF_B)) {
            return tensor;
        }
        long[] ones = new long[window.dimension() - 1];
        Arrays.fill(ones, 1);
        Shape pixel = new Shape(ones);
        Shape own = tensor.shape();
        if (name.equals(MAGNITUDE)) {
            return tensor.reshape(new Shape(1).addAll(own).addAll(pixel));
        }
        return tensor.reshape(
                name.equals(nameOfA()) ? new Shape(own.get(0)).addAll(window) : own.addAll(pixel));
    }

    /** The number of columns of W in a weight of a shape. */
    long inputSize(Shape weight) {
        return weight.size() / outputSize(weight);
    }

    /** The number of rows of W in a weight of a shape. */
    long outputSize(Shape weight) {
        return weight.get(isEmbedding() ? weight.dimension() - 1 : 0);
    }

    /**
     * W as a view of a weight.
     *
     * @param owner the owner of the view, if it is not the weight itself
     */
    NDArray matrix(NDArray weight, NDManager owner) {
        Shape shape = weight.getShape();
        if (!isEmbedding() && shape.dimension() == 2) {
            return weight;
        }
        NDArray matrix = weight.reshape(asMatrix(shape));
        matrix.attach(owner);
        return isEmbedding() ? matrix.transpose() : matrix;
    }

    private Shape asMatrix(Shape weight) {
        long in = inputSize(weight);
        long out = outputSize(weight);
        return isEmbedding() ? new Shape(in, out) : new Shape(out, in);
    }

    /** A weight of a shape from its W. */
    NDArray weight(NDArray matrix, Shape shape) {
        NDArray rows = isEmbedding() ? matrix.transpose() : matrix;
        return rows.getShape().equals(shape) ? rows : rows.reshape(shape);
    }

    /**
     * Reads what {@link #toString} wrote.
     *
     * @param text such as {@code linear} or {@code convolution 3 16 16}
     * @return the kind
     * @throws IllegalArgumentException if it is no such text
     */
    public static LayerKind parse(String text) {
        List<String> words = Splitter.on(' ').splitToList(text);
        for (Form form : Form.values()) {
            if (form.name().toLowerCase(Locale.ROOT).equals(words.get(0))) {
                long[] window = words.stream().skip(1).mapToLong(Long::parseLong).toArray();
                return new LayerKind(form, new Shape(window));
            }
        }
        throw new IllegalArgumentException("'" + text + "' names no kind of layer");
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(form.name().toLowerCase(Locale.ROOT));
        for (long size : window.getShape()) {
            text.append(' ').append(size);
        }
        return text.toString();
    }
}
