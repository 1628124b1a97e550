package io.fairlora.vision.vit;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.AdapterSet;
import io.fairlora.lora.Initialization;
import io.fairlora.lora.InjectedLora;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import io.fairlora.lora.LoraInjector;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.HostTensor;
import io.fairlora.ndarray.Precision;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One adapter an image through all layers of a transformer, the last of which reads one token. */
class MixedBatchTest {

    private static LoraAdapter adapter(VisionTransformer vit, LoraConfig config) {
        SplittableRandom random = new SplittableRandom(4);
        try (InjectedLora lora = LoraInjector.inject(vit, config, "random", 3)) {
            for (NDArray array : lora.parameters().values()) {
                float[] noise = new float[Math.toIntExact(array.size())];
                for (int i = 0; i < noise.length; i++) {
                    noise[i] = (float) (0.1 * random.nextGaussian());
                }
                NDArray step = array.getManager().create(noise, array.getShape());
                GradientMode.OFF.run(() -> array.addi(step));
            }
            return lora.toAdapter(Map.of());
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyImageHasTheFeaturesOfItsAdapterAlone(Precision precision) {
        LoraConfig plain = LoraConfig.builder().rank(4).build();
        LoraConfig dora = plain.toBuilder().rank(2).dora(true).allLinear().build();
        LoraConfig pissa = plain.toBuilder().initialization(Initialization.PISSA).build();
        VitConfig shape = VitConfig.of(64, 3, 4, 32, 8);
        byte[] bytes = new byte[4 * 3 * 32 * 32];
        new SplittableRandom(2).nextBytes(bytes);
        try (VisionTransformer vit =
                        VisionTransformer.random(shape, DataType.FLOAT32, Device.cpu(), 1);
                NDManager scope = NDManager.newBaseManager("PyTorch")) {
            // Weights as small as those of a fresh model would hide what the layers compute.
            vit.loraLayers().values().forEach(linear -> linear.weight().getArray().muli(5));
            vit.setPrecision(precision);
            NDArray pixels =
                    scope.create(ByteBuffer.wrap(bytes), new Shape(4, 3, 32, 32), DataType.UINT8);
            try (AdapterSet adapters = AdapterSet.on(vit)) {
                adapters.add("plain", adapter(vit, plain));
                adapters.add("dora", adapter(vit, dora));
                adapters.add("pissa", adapter(vit, pissa));
                adapters.setScale("plain", -1);
                List<String> names = List.of("dora", AdapterSet.BASE, "plain", "pissa");
                HostTensor mixed = HostTensor.copyOf(adapters.features(pixels, names));
                for (int i = 0; i < names.size(); i++) {
                    if (names.get(i).equals(AdapterSet.BASE)) {
                        adapters.activate();
                    } else {
                        adapters.activate(names.get(i));
                    }
                    HostTensor alone = HostTensor.copyOf(adapters.features(pixels));
                    double tolerance = precision == Precision.SINGLE ? 1e-4 : 0.1;
                    for (int j = 0; j < vit.featureSize(); j++) {
                        int at = i * vit.featureSize() + j;
                        assertThat((double) Math.abs(mixed.get(at) - alone.get(at)))
                                .as(names.get(i))
                                .isLessThan(tolerance);
                    }
                }
            }
        }
    }
}
