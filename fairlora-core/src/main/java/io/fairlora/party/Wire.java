package io.fairlora.party;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.metrics.report.JsonFormat;
import io.fairlora.ndarray.HostTensor;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a message, one way for each kind: what a transcript counts and digests.
 *
 * <p>Text is UTF-8 after its length; tensors are their shape and their elements, big-endian.
 */
final class Wire {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);

    private Wire() {}

    static byte[] of(AuditorDescription description) {
        Wire wire = new Wire();
        wire.text(description.attribute()).texts(description.values());
        wire.text(description.backboneDigest()).text("" + description.offersEraser());
        return wire.bytes.toByteArray();
    }

    static byte[] of(SensitiveAdapterRequest request) {
        return new Wire()
                .text(request.config().toString())
                .text(request.settings().toString())
                .bytes
                .toByteArray();
    }

    static byte[] of(CounterUpdateRequest request) {
        Wire wire = new Wire().adapter(request.adapter()).text(request.objective().name());
        wire.text(
                String.join(
                        " ",
                        "" + request.steps(),
                        "" + request.batchSize(),
                        "" + request.learningRate(),
                        "" + request.radius(),
                        "" + request.round(),
                        "" + request.seed()));
        return wire.bytes.toByteArray();
    }

    static byte[] of(EraserRequest request) {
        return new Wire()
                .adapter(request.adapter())
                .text("" + request.givenTask())
                .bytes
                .toByteArray();
    }

    static byte[] of(LoraAdapter adapter) {
        return new Wire().adapter(adapter).bytes.toByteArray();
    }

    static byte[] of(LinearEraser eraser) {
        return new Wire()
                .tensor(eraser.u())
                .tensor(eraser.v())
                .tensor(eraser.shift())
                .bytes
                .toByteArray();
    }

    static byte[] of(Candidate candidate) {
        Wire wire = new Wire().text(candidate.name()).adapter(candidate.adapter());
        wire.tensor(candidate.head().weight()).tensor(candidate.head().bias());
        wire.texts(candidate.classes()).text("" + candidate.eraserStrength());
        LinearEraser eraser = candidate.eraser();
        if (eraser != null) {
            wire.tensor(eraser.u()).tensor(eraser.v()).tensor(eraser.shift());
        }
        return wire.bytes.toByteArray();
    }

    static byte[] of(FairnessReport report) {
        return JsonFormat.write(report).getBytes(StandardCharsets.UTF_8);
    }

    private Wire adapter(LoraAdapter adapter) {
        text(adapter.config().toString());
        for (Map.Entry<String, LoraAdapter.Factors> layer : adapter.layers().entrySet()) {
            text(layer.getKey()).text("" + layer.getValue().scale());
            tensor(layer.getValue().a()).tensor(layer.getValue().b());
            optional("bias of B", layer.getValue().bias());
            optional("magnitude", layer.getValue().magnitude());
        }
        adapter.biases().forEach((name, tensor) -> text(name).tensor(tensor));
        adapter.savedModules().forEach((name, tensor) -> text(name).tensor(tensor));
        adapter.provenance().forEach((key, value) -> text(key).text(value));
        return this;
    }

    private void optional(String name, @Nullable HostTensor tensor) {
        if (tensor != null) {
            text(name).tensor(tensor);
        }
    }

    private Wire texts(List<String> texts) {
        texts.forEach(this::text);
        return this;
    }

    private Wire text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        try {
            out.writeInt(utf8.length);
            out.write(utf8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    private Wire tensor(HostTensor tensor) {
        text(tensor.shape().toString());
        try {
            for (int i = 0; i < tensor.size(); i++) {
                out.writeFloat(tensor.get(i));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }
}
