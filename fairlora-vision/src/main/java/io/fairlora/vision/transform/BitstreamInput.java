package io.fairlora.vision.transform;

import java.io.IOException;
import java.util.Arrays;
import javax.imageio.stream.ImageInputStreamImpl;

/**
 * A bitstream in memory. The reader of WebP looks 8 bytes ahead and takes their absence for zeros
 * without end: there are 8 zeros after the bitstream, and whoever reads on is refused.
 */
final class BitstreamInput extends ImageInputStreamImpl {

    private static final int AHEAD = 8;

    private final byte[] bytes;

    BitstreamInput(byte[] bitstream) {
        bytes = Arrays.copyOf(bitstream, bitstream.length + AHEAD);
    }

    @Override
    public int read() throws IOException {
        checkClosed();
        bitOffset = 0;
        checkEnd();
        return bytes[(int) streamPos++] & 0xFF;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        checkClosed();
        bitOffset = 0;
        checkEnd();
        int count = (int) Math.min(length, bytes.length - streamPos);
        System.arraycopy(bytes, (int) streamPos, target, offset, count);
        streamPos += count;
        return count;
    }

    private void checkEnd() throws IOException {
        if (streamPos >= bytes.length) {
            throw new IOException("its compressed data ends early");
        }
    }

    @Override
    public long length() {
        return bytes.length;
    }
}
