package io.fairlora.examples;

import ai.djl.Device;
import io.fairlora.vision.vit.VisionTransformer;
import io.fairlora.vision.zoo.Zoo;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option of every example that takes a backbone. */
final class BackboneOption {

    @Option(
            names = "--backbone",
            paramLabel = "DIR",
            description = "A Hugging Face ViT directory instead of the embedded backbone.")
    private @Nullable Path directory;

    VisionTransformer load() throws IOException {
        return directory == null
                ? Zoo.tinyVit(Device.cpu())
                : VisionTransformer.load(directory, Device.cpu());
    }
}
