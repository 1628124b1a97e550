package io.fairlora.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.fairlora.lora.InputSpec;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * Brings batches of images onto a device; while one is in use the next few are decoded, on as many
 * threads as there are processors.
 */
public final class PixelReader {

    /** How many batches are decoded or ready at most, which bounds the memory they take. */
    static final int AHEAD = 4;

    private static final ExecutorService DECODERS = decoders();

    private final Images images;
    private final InputSpec spec;

    private static ExecutorService decoders() {
        int threads = Runtime.getRuntime().availableProcessors();
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(
                        threads,
                        threads,
                        10,
                        TimeUnit.SECONDS,
                        new LinkedBlockingQueue<>(),
                        new ThreadFactoryBuilder()
                                .setDaemon(true)
                                .setNameFormat("image-decoder-%d")
                                .build());
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    /**
     * A reader of images of one size.
     *
     * @param images the images
     * @param spec the size
     */
    public PixelReader(Images images, InputSpec spec) {
        this.images = images;
        this.spec = spec;
    }

    /**
     * Cuts an order of examples into batches.
     *
     * @param order the examples
     * @param size the number of examples of a batch, at least 1; the last may be smaller
     * @return the batches
     */
    public static List<int[]> batches(int[] order, int size) {
        return IntStream.range(0, (order.length + size - 1) / size)
                .mapToObj(
                        i ->
                                Arrays.copyOfRange(
                                        order, i * size, Math.min(order.length, (i + 1) * size)))
                .toList();
    }

    /**
     * Decodes batches ahead of the caller, a few at a time.
     *
     * @param batches the examples of each batch
     * @return the pixels of each batch, in that order; {@code next()} throws what reading the batch
     *     threw, such as {@link ImageReadException}
     */
    public Iterator<Pixels> read(List<int[]> batches) {
        return new Ahead(batches);
    }

    /**
     * The pixels of a batch in Java memory.
     *
     * @param rows the examples
     * @param bytes unsigned, in the order example, channel, row, column
     * @param spec the size of each image
     */
    @SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
    public record Pixels(int[] rows, byte[] bytes, InputSpec spec) {

        /**
         * Copies the pixels onto a device.
         *
         * @param manager the owner of the result
         * @return (batch, 3, height, width), {@code UINT8}
         */
        public NDArray toNDArray(NDManager manager) {
            return manager.create(
                    ByteBuffer.wrap(bytes),
                    new Shape(rows.length, 3, spec.height(), spec.width()),
                    DataType.UINT8);
        }
    }

    private Pixels decode(int[] rows) {
        byte[] bytes = new byte[Math.multiplyExact(rows.length, spec.bytes())];
        for (int i = 0; i < rows.length; i++) {
            images.read(rows[i], spec, bytes, i * spec.bytes());
        }
        return new Pixels(rows, bytes, spec);
    }

    private final class Ahead implements Iterator<Pixels> {

        private final Iterator<int[]> batches;
        private final Deque<Future<Pixels>> started = new ArrayDeque<>();

        Ahead(List<int[]> batches) {
            this.batches = batches.iterator();
            start();
        }

        private void start() {
            while (started.size() < AHEAD && batches.hasNext()) {
                int[] rows = batches.next();
                started.add(DECODERS.submit(() -> decode(rows)));
            }
        }

        @Override
        public boolean hasNext() {
            return !started.isEmpty();
        }

        @Override
        public Pixels next() {
            Future<Pixels> first = started.remove();
            try {
                // An interrupt stops a training between two steps, not here.
                Pixels pixels = Objects.requireNonNull(Uninterruptibles.getUninterruptibly(first));
                start();
                return pixels;
            } catch (ExecutionException e) {
                abandon();
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                if (e.getCause() instanceof Error cause) {
                    throw cause;
                }
                throw new IllegalStateException(e.getCause());
            }
        }

        /** Without an interrupt, which would close a file that other readers share. */
        private void abandon() {
            started.forEach(batch -> batch.cancel(false));
            started.clear();
        }
    }
}
