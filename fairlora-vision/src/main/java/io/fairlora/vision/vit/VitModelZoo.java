package io.fairlora.vision.vit;

import ai.djl.Application;
import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDList;
import ai.djl.repository.MRL;
import ai.djl.repository.Repository;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelLoader;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ModelZoo;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.DefaultTranslatorFactory;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * One vision transformer as a zoo of DJL's, so that {@link Criteria} find it:
 *
 * <pre>{@code
 * Criteria<NDList, NDList> criteria =
 *         Criteria.builder()
 *                 .setTypes(NDList.class, NDList.class)
 *                 .optModelZoo(VitModelZoo.of(directory))
 *                 .build();
 * try (ZooModel<NDList, NDList> model = criteria.loadModel();
 *         Predictor<NDList, NDList> predictor = model.newPredictor()) {
 *     NDArray features = predictor.predict(new NDList(pixels)).singletonOrThrow();
 * }
 * }</pre>
 *
 * <p>The model's block is a {@link VisionTransformer}, which takes pixels (batch, 3, height, width)
 * in 0..255 and gives features; {@code NDList} passes them as they are, other types need a
 * translator. Closing the model closes the transformer. As any transformer, it is not safe for use
 * from several threads.
 */
public final class VitModelZoo extends ModelZoo {

    private static final String GROUP = "io.fairlora";
    private static final String ENGINE = "PyTorch";

    private VitModelZoo(Path path, LoadOptions options) {
        addModel(new Loader(path, options));
    }

    /**
     * The zoo of one model.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @return the zoo; nothing is read yet
     */
    public static VitModelZoo of(Path path) {
        return of(path, LoadOptions.DEFAULT);
    }

    /**
     * The zoo of one model.
     *
     * @param path a directory, or a file of weights beside its {@code config.json}
     * @param options what is to be other than the files say
     * @return the zoo; nothing is read yet
     */
    public static VitModelZoo of(Path path, LoadOptions options) {
        return new VitModelZoo(path, options);
    }

    @Override
    public String getGroupId() {
        return GROUP;
    }

    @Override
    public Set<String> getSupportedEngines() {
        return Set.of(ENGINE);
    }

    private record Loader(Path path, LoadOptions options) implements ModelLoader {

        @Override
        public String getGroupId() {
            return GROUP;
        }

        @Override
        public String getArtifactId() {
            return String.valueOf(path.getFileName());
        }

        @Override
        public Application getApplication() {
            return Application.CV.IMAGE_CLASSIFICATION;
        }

        @Override
        public MRL getMrl() {
            Repository repository = Repository.newInstance(getArtifactId(), path);
            return MRL.undefined(repository, GROUP, getArtifactId());
        }

        @Override
        public <I, O> ZooModel<I, O> loadModel(Criteria<I, O> criteria)
                throws IOException, ModelNotFoundException {
            Class<I> input = criteria.getInputClass();
            Class<O> output = criteria.getOutputClass();
            boolean arrays = input == NDList.class && output == NDList.class;
            // DJL's own factory would make an image translator of other pixels than ours.
            TranslatorFactory given = criteria.getTranslatorFactory();
            TranslatorFactory factory =
                    given == null && arrays ? new DefaultTranslatorFactory() : given;
            if (factory == null || !factory.isSupported(input, output)) {
                throw new ModelNotFoundException(
                        "give the criteria a translator from "
                                + input.getName()
                                + " to "
                                + output.getName());
            }
            Device asked = criteria.getDevice();
            Device device = asked == null ? Engine.getEngine(ENGINE).defaultDevice() : asked;
            VisionTransformer vit = VisionTransformer.load(path, device, options);
            Model model = Model.newInstance(getArtifactId(), device, ENGINE);
            model.setBlock(vit);
            try {
                Map<String, Object> arguments = criteria.getArguments();
                Translator<I, O> translator =
                        factory.newInstance(
                                input, output, model, arguments == null ? Map.of() : arguments);
                return new VitModel<>(model, translator, vit);
            } catch (TranslateException e) {
                model.close();
                vit.close();
                throw new ModelNotFoundException("the translator cannot be made", e);
            } catch (RuntimeException e) {
                model.close();
                vit.close();
                throw e;
            }
        }

        @Override
        public <I, O> boolean isDownloaded(Criteria<I, O> criteria) {
            return Files.exists(path);
        }

        @Override
        public <I, O> void downloadModel(Criteria<I, O> criteria, Progress progress)
                throws ModelNotFoundException {
            if (!Files.exists(path)) {
                throw new ModelNotFoundException(path + " does not exist");
            }
        }
    }

    /** A model that owns its transformer. */
    private static final class VitModel<I, O> extends ZooModel<I, O> {

        private final VisionTransformer vit;

        VitModel(Model model, Translator<I, O> translator, VisionTransformer vit) {
            super(model, translator);
            this.vit = vit;
        }

        @Override
        public void close() {
            super.close();
            vit.close();
        }
    }
}
