package io.fairlora.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicDirectoryTest {

    @TempDir Path folder;

    private static AtomicDirectory.Content file(String name, String text) {
        return directory -> Files.writeString(directory.resolve(name), text);
    }

    @Test
    void makesParentsAndReplacesTheSameFiles() throws IOException {
        Path target = folder.resolve("a").resolve("b");
        AtomicDirectory.write(target, file("f", "1"));
        AtomicDirectory.write(target, file("f", "2"));
        assertThat(target.resolve("f")).hasContent("2");
        assertThat(target.getParent().toFile().list()).containsExactly("b");
    }

    @Test
    void fillsAnEmptyDirectoryAndFollowsALink() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), empty);
        AtomicDirectory.write(link, file("f", "1"));
        assertThat(link).isSymbolicLink();
        assertThat(empty.resolve("f")).hasContent("1");
    }

    @Test
    void keepsWhatWouldBeLost() throws IOException {
        Path target = Files.createDirectories(folder.resolve("t").resolve("sub")).getParent();
        Files.writeString(target.resolve("sub").resolve("x"), "precious");
        assertThatThrownBy(() -> AtomicDirectory.write(target, file("f", "1")))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("would be lost");
        assertThat(target.resolve("sub").resolve("x")).hasContent("precious");
        assertThat(target.resolve("f")).doesNotExist();
        assertThat(folder.toFile().list()).containsExactly("t");
    }

    @Test
    void aFailureLeavesNothing() throws IOException {
        Path target = folder.resolve("t");
        AtomicDirectory.write(target, file("f", "1"));
        for (Exception failure :
                new Exception[] {new IOException("disk"), new IllegalStateException("bug")}) {
            assertThatThrownBy(
                            () ->
                                    AtomicDirectory.write(
                                            target,
                                            directory -> {
                                                Files.writeString(directory.resolve("f"), "2");
                                                if (failure instanceof IOException e) {
                                                    throw e;
                                                }
                                                throw (RuntimeException) failure;
                                            }))
                    .isSameAs(failure);
            assertThat(target.resolve("f")).hasContent("1");
            assertThat(folder.toFile().list()).containsExactly("t");
        }
    }
}
