package io.fairlora.vision.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.metric.Metrics;
import ai.djl.modality.Classifications;
import ai.djl.modality.cv.BufferedImageFactory;
import ai.djl.modality.cv.Image;
import ai.djl.ndarray.types.DataType;
import ai.djl.translate.TranslateException;
import io.fairlora.FairClassifier;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.party.Candidate;
import io.fairlora.training.LinearHead;
import io.fairlora.vision.dataset.FileImages;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.vit.VitConfig;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImagePredictorTest {

    private static final List<String> CLASSES = List.of("glum", "merry", "asleep");

    private final VisionTransformer vit =
            VisionTransformer.random(
                    VitConfig.of(32, 2, 4, 32, 8), DataType.FLOAT32, Device.cpu(), 1);
    private FairClassifier classifier;

    @BeforeEach
    void makeClassifier() {
        LoraAdapter adapter;
        try (VisionTransformer fork = vit.fork();
                InjectedLora lora =
                        LoraInjector.inject(fork, LoraConfig.builder().build(), "fresh", 3)) {
            adapter = lora.toAdapter(Map.of());
        }
        LinearHead.Weights head = LinearHead.Weights.random(3, vit.featureSize(), 5);
        classifier =
                new FairClassifier(vit, new Candidate("mood", adapter, head, CLASSES, null, 0));
    }

    @AfterEach
    void close() {
        classifier.close();
        vit.close();
    }

    private static BufferedImage noise(int type, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        BufferedImage image = new BufferedImage(40 + seed, 50, type);
        for (int y = 0; y < 50; y++) {
            for (int x = 0; x < 40 + seed; x++) {
                image.setRGB(x, y, random.nextInt());
            }
        }
        return image;
    }

    @Test
    void predictsWhatTheClassifierPredictsOfTheFiles(@TempDir Path folder) throws Exception {
        int[] types = {
            BufferedImage.TYPE_INT_RGB,
            BufferedImage.TYPE_3BYTE_BGR,
            BufferedImage.TYPE_INT_ARGB,
            BufferedImage.TYPE_4BYTE_ABGR,
            BufferedImage.TYPE_BYTE_GRAY
        };
        List<Path> files = new ArrayList<>();
        List<Image> images = new ArrayList<>();
        for (int i = 0; i < types.length; i++) {
            BufferedImage image = noise(types[i], i);
            files.add(folder.resolve(i + ".png"));
            ImageIO.write(image, "png", files.get(i).toFile());
            images.add(new BufferedImageFactory().fromImage(image));
        }
        HostTensor expected = classifier.probabilities(FileImages.of(files));

        try (ImagePredictor predictor = ImagePredictor.of(classifier)) {
            List<Classifications> together = predictor.batchPredict(images);
            for (int i = 0; i < types.length; i++) {
                Classifications alone = predictor.predict(images.get(i));
                for (int c = 0; c < 3; c++) {
                    double probability = expected.get(3 * i + c);
                    assertThat(alone.get(CLASSES.get(c)).getProbability())
                            .as("%s of image %s", CLASSES.get(c), i)
                            .isCloseTo(probability, within(1e-6));
                    assertThat(together.get(i).get(CLASSES.get(c)).getProbability())
                            .isCloseTo(probability, within(1e-6));
                }
                int best = classifier.predict(FileImages.of(files))[i];
                assertThat(alone.best().getClassName()).isEqualTo(CLASSES.get(best));
            }
        }
    }

    @Test
    void leavesNothingBehindAndFillsMetrics() throws Exception {
        Image image = new BufferedImageFactory().fromImage(noise(BufferedImage.TYPE_INT_RGB, 3));
        int before = vit.manager().getManagedArrays().size();
        try (ImagePredictor predictor = ImagePredictor.of(classifier)) {
            Metrics metrics = new Metrics();
            predictor.setMetrics(metrics);
            predictor.predict(image);
            int after = vit.manager().getManagedArrays().size();
            IntStream.range(0, 5)
                    .forEach(i -> assertThat(silently(predictor, image).items()).hasSize(3));
            assertThat(vit.manager().getManagedArrays()).hasSize(after);
            assertThat(metrics.getMetric("Inference")).hasSize(6);
        }
        assertThat(vit.manager().getManagedArrays()).hasSize(before);
    }

    private static Classifications silently(ImagePredictor predictor, Image image) {
        try {
            return predictor.predict(image);
        } catch (TranslateException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void refusesAnImageOfAnotherFactory() throws IOException {
        Image foreign =
                (Image)
                        Proxy.newProxyInstance(
                                Image.class.getClassLoader(),
                                new Class<?>[] {Image.class},
                                (proxy, method, arguments) -> "wrapped");
        try (ImagePredictor predictor = ImagePredictor.of(classifier)) {
            assertThatThrownBy(() -> predictor.predict(foreign))
                    .isInstanceOf(TranslateException.class)
                    .cause()
                    .hasMessage(
                            "the image wraps a java.lang.String, expected the"
                                    + " java.awt.image.BufferedImage of DJL's default image"
                                    + " factory");
        }
    }
}
