package io.fairlora.vision.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.fairlora.training.AdaptedModel;
import io.fairlora.training.LinearHead;
import io.fairlora.training.LogisticRegression;
import io.fairlora.vision.synth.FaceAttribute;
import io.fairlora.vision.synth.SynthFaces;
import io.fairlora.vision.vit.VisionTransformer;
import java.io.IOException;
import java.net.URL;
import org.junit.jupiter.api.Test;

class ZooTest {

    @Test
    void theEmbeddedBackboneIsSmallAndKnowsFaces() throws IOException {
        URL weights = Zoo.class.getResource("tiny-vit/model.safetensors");
        assertThat(weights).isNotNull();
        assertThat(weights.openConnection().getContentLengthLong()).isBetween(1L, 10_000_000L);
        try (VisionTransformer vit = Zoo.tinyVit(Device.cpu());
                NDManager scope = vit.manager().newSubManager()) {
            assertThat(vit.input().height()).isEqualTo(64);
            FaceAttribute skin = FaceAttribute.SKIN_TONE;
            SynthFaces known = SynthFaces.builder().setSize(400).optSeed(71).build();
            SynthFaces unseen = SynthFaces.builder().setSize(300).optSeed(72).build();
            NDArray features = AdaptedModel.features(vit, known.images(), scope);
            LinearHead.Weights probe =
                    LogisticRegression.fit(
                            features,
                            known.labels(skin),
                            2,
                            LogisticRegression.balanced(known.labels(skin), 2));
            NDArray others = AdaptedModel.features(vit, unseen.images(), scope);
            assertThat(
                            LogisticRegression.balancedAccuracy(
                                    unseen.labels(skin),
                                    LogisticRegression.predict(probe, others),
                                    2))
                    .isGreaterThan(0.9);
        }
    }

    @Test
    void theCardSaysOnWhatItWasTrained() {
        assertThat(Zoo.tinyVitCard())
                .contains("FairFace")
                .contains("CC BY 4.0")
                .contains("synthetic faces")
                .contains("linear probe");
    }
}
