package io.fairlora.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.fairlora.lora.InputSpec;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Brings batches of images onto a device; the next batch is decoded while one is in use. */
public final class PixelReader {

    private final Images images;
    private final InputSpec spec;

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
     * Decodes batches one after the other, one ahead of the caller.
     *
     * @param batches the examples of each batch
     * @return the pixels of each batch
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
        private @Nullable CompletableFuture<Pixels> next;

        Ahead(List<int[]> batches) {
            this.batches = batches.iterator();
            next = start();
        }

        private @Nullable CompletableFuture<Pixels> start() {
            if (!batches.hasNext()) {
                return null;
            }
            int[] rows = batches.next();
            return CompletableFuture.supplyAsync(() -> decode(rows), ForkJoinPool.commonPool());
        }

        @Override
        public boolean hasNext() {
            return next != null;
        }

        @Override
        public Pixels next() {
            if (next == null) {
                throw new NoSuchElementException();
            }
            CompletableFuture<Pixels> current = next;
            next = start();
            try {
                return current.join();
            } catch (CompletionException e) {
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                throw e;
            }
        }
    }
}
