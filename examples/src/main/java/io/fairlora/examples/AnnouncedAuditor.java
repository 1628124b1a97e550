package io.fairlora.examples;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.metrics.report.FairnessReport;
import io.fairlora.party.AuditorDescription;
import io.fairlora.party.Candidate;
import io.fairlora.party.CounterUpdateRequest;
import io.fairlora.party.EraserRequest;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.LinearEraser;
import io.fairlora.party.SensitiveAdapterRequest;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.Supplier;

/** An auditor that says what it does, so that nobody wonders why the training does not go on. */
final class AnnouncedAuditor implements FairnessAuditor {

    private final FairnessAuditor auditor;
    private final PrintStream out;
    private int updates;

    AnnouncedAuditor(FairnessAuditor auditor, PrintStream out) {
        this.auditor = auditor;
        this.out = out;
    }

    /** Written over a line of progress. */
    private <T> T announced(String what, Supplier<T> work) {
        out.printf("\r%-79s", "auditor: " + what + " ...");
        out.flush();
        long start = System.nanoTime();
        String end = "failed";
        try {
            T result = work.get();
            end = String.format(Locale.ROOT, "%.1f s", (System.nanoTime() - start) / 1e9);
            return result;
        } finally {
            out.printf("\r%-79s%n", "auditor: " + what + ", " + end);
        }
    }

    @Override
    public AuditorDescription describe() {
        return auditor.describe();
    }

    @Override
    public LoraAdapter sensitiveAdapter(SensitiveAdapterRequest request) {
        return announced("trains an adapter of its own", () -> auditor.sensitiveAdapter(request));
    }

    @Override
    public LoraAdapter counterUpdate(CounterUpdateRequest request) {
        updates++;
        return announced(
                "moves the adapter, round " + updates, () -> auditor.counterUpdate(request));
    }

    @Override
    public LinearEraser eraser(EraserRequest request) {
        return announced("fits an eraser", () -> auditor.eraser(request));
    }

    @Override
    public FairnessReport audit(Candidate candidate) {
        return announced("measures the classifier", () -> auditor.audit(candidate));
    }

    @Override
    public void close() {
        auditor.close();
    }
}
