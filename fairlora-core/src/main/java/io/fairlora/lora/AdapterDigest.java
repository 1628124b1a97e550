package io.fairlora.lora;

import io.fairlora.ndarray.HostTensor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What identifies an adapter: SHA-256 of what it computes. */
final class AdapterDigest {

    private AdapterDigest() {}

    static String of(LoraAdapter adapter) {
        MessageDigest digest = sha256();
        ByteBuffer eight = ByteBuffer.allocate(Long.BYTES);
        digest.update(eight.putLong(0, adapter.layers().size()).array());
        // Sorted, because adapters are equal whatever the order of their layers.
        new TreeMap<>(adapter.layers())
                .forEach(
                        (path, factors) -> {
                            update(digest, path);
                            digest.update(eight.putDouble(0, factors.scale()).array());
                            factors.a().update(digest);
                            factors.b().update(digest);
                            update(digest, "bias of B", factors.bias());
                            update(digest, "magnitude", factors.magnitude());
                            if (!factors.kind().isLinear()) {
                                update(digest, factors.kind().toString());
                            }
                        });
        LoraConfig config = adapter.config();
        if (config.initialization().changesBase()) {
            update(digest, config.initializationText());
        }
        new TreeMap<>(adapter.biases())
                .forEach((name, tensor) -> update(digest, "bias " + name, tensor));
        new TreeMap<>(adapter.savedModules())
                .forEach(
                        (name, tensor) -> {
                            update(digest, name);
                            tensor.update(digest);
                        });
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void update(MessageDigest digest, String name, @Nullable HostTensor tensor) {
        if (tensor != null) {
            update(digest, name);
            tensor.update(digest);
        }
    }

    private static void update(MessageDigest digest, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        // The length keeps one text's end from being another's beginning.
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array());
        digest.update(bytes);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
