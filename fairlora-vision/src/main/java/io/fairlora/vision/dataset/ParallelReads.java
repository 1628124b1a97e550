package io.fairlora.vision.dataset;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.training.ImageReadException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/** Does something with every image on several threads. */
final class ParallelReads {

    private final int count;
    private final IntConsumer action;
    private final IntConsumer listener;
    private final AtomicInteger next = new AtomicInteger();
    private int done;

    private ParallelReads(int count, IntConsumer action, IntConsumer listener) {
        this.count = count;
        this.action = action;
        this.listener = listener;
    }

    /**
     * Calls the action with every number below the count, and the listener, one call after the
     * other, with the number of calls done. The first exception ends it and is thrown.
     */
    static void run(int count, int threads, IntConsumer action, IntConsumer listener) {
        checkArgument(threads >= 1, "threads must be at least 1, found %s", threads);
        ParallelReads reads = new ParallelReads(count, action, listener);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> workers = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                workers.add(pool.submit(reads::work));
            }
            for (Future<?> worker : workers) {
                await(worker);
            }
        } finally {
            pool.shutdownNow();
        }
    }

    private void work() {
        try {
            int i = next.getAndIncrement();
            while (i < count && !Thread.currentThread().isInterrupted()) {
                action.accept(i);
                tell();
                i = next.getAndIncrement();
            }
        } catch (RuntimeException | Error e) {
            // The others need not go on.
            next.set(count);
            throw e;
        }
    }

    private synchronized void tell() {
        listener.accept(++done);
    }

    private static void await(Future<?> worker) {
        try {
            worker.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageReadException("interrupted while reading images", e);
        }
    }
}
