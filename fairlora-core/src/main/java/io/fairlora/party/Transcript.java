package io.fairlora.party;

import com.google.common.hash.Hashing;
import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.report.FairnessReport;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Wraps an auditor and records everything that crosses between the parties, in both directions:
 * what kind, how many bytes, which digest.
 */
public final class Transcript implements FairnessAuditor {

    private final FairnessAuditor auditor;
    private final Sink sink;
    private final List<Message> messages = new ArrayList<>();

    /** Who sends a message. */
    public enum Sender {
        /** The solution developer. */
        DEVELOPER,
        /** The fairness auditor. */
        AUDITOR
    }

    /**
     * One message.
     *
     * @param sender who sent it
     * @param kind what it is, such as {@code CounterUpdateRequest} or {@code LoraAdapter}
     * @param bytes its length
     * @param sha256 the digest of its bytes, 64 hexadecimal digits
     */
    public record Message(Sender sender, String kind, long bytes, String sha256) {}

    /** Receives the bytes of every message, to keep or to examine them. */
    @FunctionalInterface
    public interface Sink {

        /**
         * Called when a message has crossed.
         *
         * @param message what it is
         * @param content its bytes
         */
        void accept(Message message, byte[] content);
    }

    private Transcript(FairnessAuditor auditor, Sink sink) {
        this.auditor = auditor;
        this.sink = sink;
    }

    /**
     * Records what crosses to and from an auditor.
     *
     * @param auditor the auditor; closing the transcript closes it
     * @return the auditor to talk to from now on
     */
    public static Transcript of(FairnessAuditor auditor) {
        return new Transcript(auditor, (message, content) -> {});
    }

    /**
     * Records what crosses to and from an auditor and passes its bytes on.
     *
     * @param auditor the auditor; closing the transcript closes it
     * @param sink receives the bytes of every message
     * @return the auditor to talk to from now on
     */
    public static Transcript of(FairnessAuditor auditor, Sink sink) {
        return new Transcript(auditor, sink);
    }

    /**
     * What has crossed so far.
     *
     * @return the messages in order, a view
     */
    public List<Message> messages() {
        return Collections.unmodifiableList(messages);
    }

    /**
     * The bytes that have crossed so far, both ways.
     *
     * @return at least 0
     */
    public long bytes() {
        return messages.stream().mapToLong(Message::bytes).sum();
    }

    private void record(Sender sender, String kind, byte[] content) {
        Message message =
                new Message(
                        sender,
                        kind,
                        content.length,
                        Hashing.sha256().hashBytes(content).toString());
        messages.add(message);
        sink.accept(message, content);
    }

    @Override
    public AuditorDescription describe() {
        AuditorDescription description = auditor.describe();
        record(Sender.AUDITOR, "AuditorDescription", Wire.of(description));
        return description;
    }

    @Override
    public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
        record(Sender.DEVELOPER, "SensitiveAdapterRequest", Wire.of(request));
        LoraAdapter adapter = auditor.sensitiveAdapter(request);
        record(Sender.AUDITOR, "LoraAdapter", Wire.of(adapter));
        return adapter;
    }

    @Override
    public LoraAdapter counterUpdate(CounterUpdateRequest request) {
        record(Sender.DEVELOPER, "CounterUpdateRequest", Wire.of(request));
        LoraAdapter adapter = auditor.counterUpdate(request);
        record(Sender.AUDITOR, "LoraAdapter", Wire.of(adapter));
        return adapter;
    }

    @Override
    public LinearEraser eraser(EraserRequest request) {
        record(Sender.DEVELOPER, "EraserRequest", Wire.of(request));
        LinearEraser eraser = auditor.eraser(request);
        record(Sender.AUDITOR, "LinearEraser", Wire.of(eraser));
        return eraser;
    }

    @Override
    public FairnessReport audit(Candidate candidate) {
        record(Sender.DEVELOPER, "Candidate", Wire.of(candidate));
        FairnessReport report = auditor.audit(candidate);
        record(Sender.AUDITOR, "FairnessReport", Wire.of(report));
        return report;
    }

    @Override
    public void close() {
        auditor.close();
    }
}
