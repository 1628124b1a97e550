package io.fairlora.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlora.lora.InputSpec;
import io.fairlora.lora.Interpolation;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class PixelReaderTest {

    private static final InputSpec SPEC = new InputSpec(1, 1, Interpolation.BILINEAR);

    /** Images of one pixel, whose red is their position; one of them may be bad. */
    private static final class Numbered implements Images {

        private final int bad;
        private final AtomicInteger read = new AtomicInteger();

        Numbered(int bad) {
            this.bad = bad;
        }

        @Override
        public int size() {
            return 100;
        }

        @Override
        public String name(int index) {
            return index + ".png";
        }

        @Override
        public void read(int index, InputSpec spec, byte[] target, int offset) {
            if (index == bad) {
                throw new ImageReadException(name(index) + ": is not an image", null);
            }
            read.incrementAndGet();
            target[offset] = (byte) index;
        }
    }

    private static Iterator<PixelReader.Pixels> batches(Numbered images) {
        int[] all = IntStream.range(0, 100).toArray();
        return new PixelReader(images, SPEC).read(PixelReader.batches(all, 5));
    }

    @Test
    void givesTheBatchesInOrder() {
        Iterator<PixelReader.Pixels> batches = batches(new Numbered(-1));

        for (int b = 0; b < 20; b++) {
            PixelReader.Pixels pixels = batches.next();
            assertThat(pixels.rows()).containsExactly(IntStream.range(5 * b, 5 * b + 5).toArray());
            for (int i = 0; i < 5; i++) {
                assertThat(pixels.bytes()[3 * i]).isEqualTo((byte) (5 * b + i));
            }
        }
        assertThat(batches.hasNext()).isFalse();
        assertThatThrownBy(batches::next).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    @Timeout(60)
    void decodesAFewBatchesAheadAndNoMore() throws InterruptedException {
        Numbered images = new Numbered(-1);
        Iterator<PixelReader.Pixels> batches = batches(images);

        for (int taken = 0; taken < 3; taken++) {
            int expected = 5 * (taken + PixelReader.AHEAD);
            while (images.read.get() < expected) {
                TimeUnit.MILLISECONDS.sleep(1);
            }
            TimeUnit.MILLISECONDS.sleep(20);
            assertThat(images.read).hasValue(expected);
            batches.next();
        }
    }

    @Test
    void namesABadImageWhenItsTurnComes() {
        Iterator<PixelReader.Pixels> batches = batches(new Numbered(12));

        batches.next();
        batches.next();
        assertThatThrownBy(batches::next)
                .isInstanceOf(ImageReadException.class)
                .hasMessage("12.png: is not an image");
        assertThat(batches.hasNext()).isFalse();
    }

    @Test
    void anInterruptIsKeptForTheCaller() {
        Iterator<PixelReader.Pixels> batches = batches(new Numbered(-1));

        Thread.currentThread().interrupt();
        PixelReader.Pixels first = batches.next();

        assertThat(first.bytes()[3]).isEqualTo((byte) 1);
        assertThat(Thread.interrupted()).isTrue();
    }
}
