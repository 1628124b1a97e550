package io.fairlora.vision.transform;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** The chunks of a PNG file (ISO/IEC 15948, clause 5), whose checksums the JDK does not look at. */
final class PngStructure {

    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

    private PngStructure() {}

    static boolean isPng(byte[] file) {
        return file.length >= SIGNATURE.length
                && ByteBuffer.wrap(file, 0, SIGNATURE.length).equals(ByteBuffer.wrap(SIGNATURE));
    }

    /** What is wrong with the chunks up to the last, or {@code null}. */
    static @Nullable String damage(byte[] file) {
        ByteBuffer rest = ByteBuffer.wrap(file).position(SIGNATURE.length);
        CRC32 checksum = new CRC32();
        while (rest.remaining() >= 12) {
            int length = rest.getInt();
            String type = new String(file, rest.position(), 4, StandardCharsets.ISO_8859_1);
            if (length < 0 || length > rest.remaining() - 8) {
                return "its chunk " + printable(type) + " is cut short";
            }
            checksum.reset();
            checksum.update(file, rest.position(), 4 + length);
            rest.position(rest.position() + 4 + length);
            if (rest.getInt() != (int) checksum.getValue()) {
                return "the checksum of its chunk " + printable(type) + " is wrong";
            }
            if (type.equals("IEND")) {
                return null;
            }
        }
        return "its last chunk is missing";
    }

    private static String printable(String type) {
        return type.chars().allMatch(c -> c > ' ' && c < 0x7F) ? type : "of an unreadable name";
    }
}
