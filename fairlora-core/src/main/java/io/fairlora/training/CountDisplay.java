package io.fairlora.training;

import java.io.PrintStream;
import java.util.Locale;
import java.util.function.IntConsumer;

/**
 * Shows on one line of a terminal how many images have been read: of how many, and the time left at
 * the mean pace so far. Writes at most twice a second, and always the last one. Not safe for calls
 * side by side; whoever tells it calls it one after the other.
 */
public final class CountDisplay implements IntConsumer {

    private static final long INTERVAL_NANOS = 500_000_000L;

    private final PrintStream out;
    private final String what;
    private final int total;
    private final long start = System.nanoTime();
    private long shown = start;

    /**
     * A display; the time runs from now.
     *
     * @param out where to, such as {@code System.err}
     * @param what what is done to the images, such as "decoding"
     * @param total how many there are
     */
    public CountDisplay(PrintStream out, String what, int total) {
        this.out = out;
        this.what = what;
        this.total = total;
    }

    /**
     * Shows a number.
     *
     * @param done the images done, at least 1
     */
    @Override
    public void accept(int done) {
        long now = System.nanoTime();
        boolean last = done == total;
        if (now - shown < INTERVAL_NANOS && !last) {
            return;
        }
        shown = now;
        long left = Math.round((now - start) / 1e9 / done * (total - done));
        out.printf(
                Locale.ROOT,
                "\r%s: %,d of %,d images, %d:%02d:%02d left%s",
                what,
                done,
                total,
                left / 3600,
                left / 60 % 60,
                left % 60,
                last ? System.lineSeparator() : "");
        out.flush();
    }
}
