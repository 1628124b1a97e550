package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.inference.Predictor;
import ai.djl.modality.Classifications;
import ai.djl.modality.cv.Image;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A transformer through DJL's own way to a model. */
class VitModelZooTest {

    @TempDir private Path folder;

    @BeforeEach
    void save() throws IOException {
        try (VisionTransformer vit =
                VisionTransformer.random(
                        VitConfig.of(16, 2, 2, 16, 8), DataType.FLOAT32, Device.cpu(), 1)) {
            vit.save(folder, false);
        }
    }

    private static NDArray pixels(NDManager scope) {
        return scope.arange(2 * 3 * 16 * 16).mod(251).reshape(new Shape(2, 3, 16, 16));
    }

    @Test
    void criteriaFindTheModelAndItsPredictorGivesTheFeatures() throws Exception {
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optModelZoo(VitModelZoo.of(folder))
                        .optDevice(Device.cpu())
                        .build();
        try (VisionTransformer vit = VisionTransformer.load(folder, Device.cpu());
                NDManager scope = vit.manager().newSubManager()) {
            HostTensor expected =
                    GradientMode.OFF.get(() -> HostTensor.copyOf(vit.features(pixels(scope))));
            NDManager manager;
            try (ZooModel<NDList, NDList> model = criteria.loadModel();
                    Predictor<NDList, NDList> predictor = model.newPredictor()) {
                assertThat(model.getBlock()).isInstanceOf(VisionTransformer.class);
                manager = ((VisionTransformer) model.getBlock()).manager();
                NDArray features = predictor.predict(new NDList(pixels(scope))).singletonOrThrow();
                assertThat(HostTensor.copyOf(features)).isEqualTo(expected);
            }
            assertThat(manager.isOpen()).isFalse();
        }
    }

    @Test
    void aTranslatorOfTheUsersIsUsed() throws Exception {
        Criteria<Float, Long> criteria =
                Criteria.builder()
                        .setTypes(Float.class, Long.class)
                        .optTranslator(
                                new NoBatchifyTranslator<Float, Long>() {
                                    @Override
                                    public NDList processInput(TranslatorContext ctx, Float grey) {
                                        return new NDList(
                                                ctx.getNDManager()
                                                        .full(new Shape(1, 3, 16, 16), grey));
                                    }

                                    @Override
                                    public Long processOutput(TranslatorContext ctx, NDList list) {
                                        return list.singletonOrThrow().getShape().get(1);
                                    }
                                })
                        .optModelZoo(
                                VitModelZoo.of(
                                        folder, LoadOptions.DEFAULT.withPooling(Pooling.CLS_MEAN)))
                        .optDevice(Device.cpu())
                        .build();
        try (ZooModel<Float, Long> model = criteria.loadModel();
                Predictor<Float, Long> predictor = model.newPredictor()) {
            assertThat(predictor.predict(128f)).isEqualTo(32);
        }
    }

    @Test
    void typesWithoutATranslatorAreRefused() {
        Criteria<Image, Classifications> criteria =
                Criteria.builder()
                        .setTypes(Image.class, Classifications.class)
                        .optModelZoo(VitModelZoo.of(folder))
                        .build();
        assertThatThrownBy(criteria::loadModel)
                .isInstanceOf(ModelNotFoundException.class)
                .hasRootCauseMessage(
                        "give the criteria a translator from ai.djl.modality.cv.Image to"
                                + " ai.djl.modality.Classifications");
    }

    @Test
    void aModelThatIsNotThereIsNamed() {
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optModelZoo(VitModelZoo.of(folder.resolve("absent")))
                        .build();
        assertThatThrownBy(criteria::loadModel)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("absent");
    }
}
