package io.fairlora.ndarray;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A TorchScript module without parameters, as the file that {@code torch.jit.save} would write.
 *
 * <p>The file is a zip whose entries are stored, not deflated: the source of the class and a pickle
 * of one object of it.
 */
final class TorchScriptArchive {

    /** Pickle, protocol 2, of an empty tuple: the module has no tensor constants. */
    private static final byte[] NO_CONSTANTS = {(byte) 0x80, 2, ')', '.'};

    private TorchScriptArchive() {}

    /**
     * Writes a module.
     *
     * @param className the name of the class in {@code source}
     * @param source a class in the language that {@code torch.jit.save} writes: every type is
     *     annotated and every operator is called by its name
     * @return the bytes of the archive
     */
    static byte[] of(String className, String source) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            add(zip, "data.pkl", instance(className));
            add(zip, "code/__torch__.py", source.getBytes(StandardCharsets.UTF_8));
            add(zip, "constants.pkl", NO_CONSTANTS);
            add(zip, "version", "10\n".getBytes(StandardCharsets.US_ASCII));
            add(zip, "byteorder", "little".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new UncheckedIOException("a stream into memory failed", e);
        }
        return bytes.toByteArray();
    }

    /** Pickle, protocol 2, of an object of the class with the attribute {@code training = True}. */
    private static byte[] instance(String className) throws IOException {
        ByteArrayOutputStream pickle = new ByteArrayOutputStream();
        pickle.write(new byte[] {(byte) 0x80, 2});
        pickle.write(("c__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
        // EMPTY_TUPLE NEWOBJ EMPTY_DICT MARK "training" NEWTRUE SETITEMS BUILD STOP
        pickle.write(new byte[] {')', (byte) 0x81, '}', '('});
        byte[] key = "training".getBytes(StandardCharsets.US_ASCII);
        pickle.write(new byte[] {'X', (byte) key.length, 0, 0, 0});
        pickle.write(key);
        pickle.write(new byte[] {(byte) 0x88, 'u', 'b', '.'});
        return pickle.toByteArray();
    }

    private static void add(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry("kernels/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setCrc(crc.getValue());
        entry.setTime(0);
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }
}
