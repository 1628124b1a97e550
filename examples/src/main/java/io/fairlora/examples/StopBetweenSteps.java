package io.fairlora.examples;

import com.google.common.util.concurrent.Uninterruptibles;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;

/**
 * Lets a process that is asked to end, such as with Control-C, finish the step under way: the
 * native library that computes it must not be taken down meanwhile.
 */
final class StopBetweenSteps {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private StopBetweenSteps() {}

    /**
     * Does some work; if the process is asked to end meanwhile, interrupts it and waits for it.
     *
     * @param work ends soon if its thread is interrupted
     * @return its result
     * @throws Exception what the work throws
     */
    static <T> T during(Callable<T> work) throws Exception {
        Thread worker = Thread.currentThread();
        CountDownLatch ended = new CountDownLatch(1);
        Thread hook =
                new Thread(
                        () -> {
                            worker.interrupt();
                            if (!Uninterruptibles.awaitUninterruptibly(ended, PATIENCE)) {
                                System.err.println("ended in the middle of a step");
                            }
                        },
                        "stop between steps");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            return work.call();
        } finally {
            ended.countDown();
            withdraw(hook);
        }
    }

    private static void withdraw(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is ending and the hook runs, as it is meant to.
        }
    }
}
