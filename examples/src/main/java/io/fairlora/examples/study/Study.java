package io.fairlora.examples.study;

import com.google.common.base.Suppliers;
import com.google.common.util.concurrent.Uninterruptibles;
import io.fairlora.lora.Backbone;
import io.fairlora.lora.LoraConfig;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.training.TrainingListener;
import io.fairlora.training.TrainingSettings;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Runs strategies side by side over several seeds.
 *
 * @param backbone the frozen backbone, shared by all runs; it stays the caller's
 * @param source where the faces come from
 * @param strategies what to compare; two references come on top: ERM with its head fitted anew, and
 *     the reweighing that sees s
 * @param lora the adapter
 * @param settings the training; each seed replaces its seed
 * @param firstSeed the first seed
 * @param seeds how many seeds from there
 * @param workers how many run at a time, each on a thread of its own
 * @param probeExamples how many images the auditor fits a probe on
 */
public record Study(
        Backbone backbone,
        FaceSource source,
        List<DebiasStrategy> strategies,
        LoraConfig lora,
        TrainingSettings settings,
        long firstSeed,
        int seeds,
        int workers,
        int probeExamples) {

    /**
     * The strategies of a seed are dealt out to so many tasks, so that no worker idles at the end.
     */
    private static final int LANES = 2;

    private static final int REFERENCES = 2;

    /** Told when a run begins, moves on and ends; from several threads at once. */
    public interface Listener {

        /**
         * A run has made progress.
         *
         * @param seed its seed
         * @param strategy its name
         * @param done the part of the whole study that is done, in [0, 1]
         */
        void onProgress(long seed, String strategy, double done);
    }

    /**
     * Runs everything.
     *
     * @param listener told about the progress
     * @return one outcome for each strategy and seed, the references last
     * @throws InterruptedException if the thread is interrupted meanwhile; no run is under way any
     *     more
     */
    public List<Outcome> run(Listener listener) throws InterruptedException {
        ExecutorService executor = Executors.newFixedThreadPool(workers);
        try {
            Meter meter = new Meter(listener, seeds * (strategies.size() + REFERENCES));
            List<Future<List<Outcome>>> futures = new ArrayList<>();
            for (int i = 0; i < seeds; i++) {
                long seed = firstSeed + i;
                Supplier<FaceSource.Parts> parts = Suppliers.memoize(() -> source.parts(seed));
                // Of all strategies the second has DISTILL and takes longest: begun last, it ends
                // alone.
                for (int lane = LANES - 1; lane >= 0; lane--) {
                    int own = lane;
                    futures.add(executor.submit(() -> runLane(seed, parts, own, meter)));
                }
            }
            List<Outcome> outcomes = new ArrayList<>();
            for (Future<List<Outcome>> future : futures) {
                outcomes.addAll(get(future));
            }
            outcomes.sort(Comparator.comparingInt(outcome -> position(outcome.strategy())));
            return outcomes;
        } finally {
            executor.shutdownNow();
            // They stop between two steps and close what they hold.
            Uninterruptibles.awaitTerminationUninterruptibly(executor);
        }
    }

    private static List<Outcome> get(Future<List<Outcome>> future) throws InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    private int position(String name) {
        int i = 0;
        while (i < strategies.size() && !strategies.get(i).name().equals(name)) {
            i++;
        }
        return name.equals(SeedRun.REWEIGHING) ? i + 1 : i;
    }

    /** Every second strategy of one seed; the two references count as the last. */
    private List<Outcome> runLane(
            long seed, Supplier<FaceSource.Parts> parts, int lane, Meter meter) {
        List<Outcome> outcomes = new ArrayList<>();
        try (SeedRun run =
                new SeedRun(backbone, parts.get(), lora, settings.withSeed(seed), probeExamples)) {
            for (int i = lane; i < strategies.size() + REFERENCES; i += LANES) {
                if (i < strategies.size()) {
                    DebiasStrategy strategy = strategies.get(i);
                    outcomes.add(run.run(strategy, meter.run(seed, strategy.name())));
                } else if (i == strategies.size()) {
                    outcomes.add(run.refit(meter.run(seed, SeedRun.REFIT)));
                } else {
                    outcomes.add(run.reweighing(meter.run(seed, SeedRun.REWEIGHING)));
                }
                meter.end();
            }
        }
        return outcomes;
    }

    /** Adds up the progress of all runs. */
    private static final class Meter {

        private final Listener listener;
        private final int runs;
        private int ended;

        Meter(Listener listener, int runs) {
            this.listener = listener;
            this.runs = runs;
        }

        TrainingListener run(long seed, String name) {
            return progress -> report(seed, name, (double) progress.step() / progress.total());
        }

        private synchronized void report(long seed, String name, double part) {
            listener.onProgress(seed, name, Math.min(1, (ended + part) / runs));
        }

        synchronized void end() {
            ended++;
        }
    }
}
