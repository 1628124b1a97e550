package io.fairlora.vision.inference;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.modality.Classifications;
import ai.djl.modality.cv.Image;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.LambdaBlock;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.fairlora.FairClassifier;
import io.fairlora.lora.InputSpec;
import io.fairlora.vision.transform.Framing;
import io.fairlora.vision.transform.RgbImage;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A classifier as DJL's {@code Predictor}.
 *
 * <pre>{@code
 * try (ImagePredictor predictor = ImagePredictor.of(classifier)) {
 *     Classifications classes =
 *             predictor.predict(ImageFactory.getInstance().fromFile(Path.of("face.jpg")));
 *     System.out.println(classes.best());
 * }
 * }</pre>
 *
 * <p>An image is brought to the classifier's size as in training. What DJL decodes may differ from
 * what {@link io.fairlora.vision.dataset.FileImages} decodes: its factory applies colour profiles,
 * and turns no image upright. Not safe for use from several threads, as no predictor is.
 */
public final class ImagePredictor extends Predictor<Image, Classifications> {

    private static final String ENGINE = "PyTorch";

    private ImagePredictor(Model model, Translator<Image, Classifications> translator) {
        super(model, translator, model.getNDManager().getDevice(), false);
    }

    /**
     * A predictor over a classifier.
     *
     * @param classifier it stays the caller's, who closes it after the predictor
     * @return a predictor, which the caller closes
     */
    public static ImagePredictor of(FairClassifier classifier) {
        Model model = Model.newInstance("classifier", classifier.device(), ENGINE);
        model.setBlock(
                new LambdaBlock(
                        pixels -> new NDList(classifier.probabilities(pixels.singletonOrThrow())),
                        "classifier"));
        return new ImagePredictor(
                model, new ImageTranslator(classifier.input(), classifier.classes()));
    }

    /** Images to pixels in the classifier's size; probabilities to named classes. */
    private record ImageTranslator(InputSpec input, List<String> classes)
            implements Translator<Image, Classifications> {

        @Override
        public NDList processInput(TranslatorContext context, Image image) {
            if (!(image.getWrappedImage() instanceof BufferedImage decoded)) {
                throw new IllegalArgumentException(
                        "the image wraps a "
                                + image.getWrappedImage().getClass().getName()
                                + ", expected the java.awt.image.BufferedImage of DJL's default"
                                + " image factory");
            }
            byte[] planes = new byte[input.bytes()];
            Framing.applyToPlanes(RgbImage.of(decoded), input, planes, 0);
            return new NDList(
                    context.getNDManager()
                            .create(
                                    ByteBuffer.wrap(planes),
                                    new Shape(3, input.height(), input.width()),
                                    DataType.UINT8));
        }

        @Override
        public Classifications processOutput(TranslatorContext context, NDList probabilities) {
            return new Classifications(classes, probabilities.singletonOrThrow());
        }
    }

    @Override
    public void close() {
        super.close();
        model.close();
    }
}
