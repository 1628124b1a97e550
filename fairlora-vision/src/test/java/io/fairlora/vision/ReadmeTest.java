package io.fairlora.vision;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlora.strategy.CounterUpdates;
import io.fairlora.strategy.DebiasStrategy;
import io.fairlora.strategy.Strategies;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README says what the code does. */
class ReadmeTest {

    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
    private static final Pattern JAVA = Pattern.compile("(?ms)^```java\\n(.*?)^```$");

    @TempDir private Path classes;

    @Test
    void exampleCompiles() throws IOException {
        assertThat(compile(example())).isEmpty();
    }

    @Test
    void exampleOfAnotherApiDoesNotCompile() throws IOException {
        String drifted = example().replace(".strategy(", ".tactic(");

        assertThat(compile(drifted)).singleElement().asString().contains("tactic");
    }

    @Test
    void dependenciesAreTheBuildsOwn() throws IOException {
        String pom = Files.readString(ROOT.resolve("pom.xml"));
        String pytorch = property(pom, "pytorch.version");
        String djl = property(pom, "djl.version");

        assertThat(Files.readString(ROOT.resolve("README.md")))
                .containsPattern(
                        "fairlora-vision</artifactId>\\s*<version>"
                                + Pattern.quote(property(pom, "version"))
                                + "</version>")
                .containsPattern(
                        "pytorch-jni</artifactId>\\s*<version>"
                                + Pattern.quote(pytorch + "-" + djl)
                                + "</version>")
                .containsPattern(
                        "pytorch-native-cpu</artifactId>\\s*<version>"
                                + Pattern.quote(pytorch)
                                + "</version>");
    }

    @Test
    void strategiesAreAllThere() throws IOException {
        String readme = Files.readString(ROOT.resolve("README.md"));

        assertThat(Strategies.all())
                .allSatisfy(
                        strategy -> assertThat(readme).contains("\n| `" + strategy.name() + "` |"));
    }

    @Test
    void handOversAreAsManyAsThereAre() throws IOException {
        String readme = Files.readString(ROOT.resolve("README.md"));
        String protocol = Files.readString(ROOT.resolve("docs/PROTOCOL.md"));

        for (DebiasStrategy strategy : Strategies.all()) {
            if (strategy instanceof CounterUpdates updates) {
                int times = updates.endWithAuditor() ? updates.rounds() : updates.rounds() - 1;
                assertThat(readme)
                        .containsPattern(
                                "\n\\| `"
                                        + updates.name()
                                        + "` \\|.*there and back, "
                                        + times
                                        + " times \\|");
                assertThat(protocol)
                        .containsPattern(
                                "\n\\| [A-Z, ]*\\b"
                                        + updates.name()
                                        + "\\b[A-Z, ]* \\| "
                                        + times
                                        + " `CounterUpdateRequest` \\|");
            }
        }
    }

    @Test
    void linksLeadToFiles() throws IOException {
        List<String> broken =
                Pattern.compile("\\]\\((?!https?:|#)([^)#]+)[^)]*\\)")
                        .matcher(Files.readString(ROOT.resolve("README.md")))
                        .results()
                        .map(link -> link.group(1))
                        .filter(link -> !Files.exists(ROOT.resolve(link)))
                        .toList();

        assertThat(broken).as("links of README.md to files that do not exist").isEmpty();
    }

    private static String property(String pom, String name) {
        return Pattern.compile("<" + Pattern.quote(name) + ">(.*?)</")
                .matcher(pom)
                .results()
                .findFirst()
                .map(found -> found.group(1))
                .orElseThrow(() -> new AssertionError("pom.xml has no <" + name + ">"));
    }

    /** All Java of the README. */
    private static String example() throws IOException {
        String java =
                JAVA.matcher(Files.readString(ROOT.resolve("README.md")))
                        .results()
                        .map(block -> block.group(1))
                        .collect(Collectors.joining());
        assertThat(java).as("Java in README.md").isNotEmpty();
        return java;
    }

    private static String imports(String java) {
        return java.lines()
                .filter(line -> line.startsWith("import "))
                .collect(Collectors.joining("\n"));
    }

    private static String body(String java) {
        return java.lines()
                .filter(line -> !line.startsWith("import ") && !line.isBlank())
                .collect(Collectors.joining("\n"));
    }

    private List<String> compile(String java) throws IOException {
        String source =
                imports(java)
                        + "\nclass Readme {\n    void example() throws Exception {\n"
                        + body(java)
                        + "\n    }\n}\n";
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertThat(compiler).as("a JDK's compiler").isNotNull();
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        try (StandardJavaFileManager files =
                compiler.getStandardFileManager(found, Locale.ROOT, StandardCharsets.UTF_8)) {
            compiler.getTask(
                            null,
                            files,
                            found,
                            List.of(
                                    "-d",
                                    classes.toString(),
                                    "-cp",
                                    classPath(),
                                    "-proc:none",
                                    "-Xlint:deprecation,unchecked,rawtypes"),
                            null,
                            List.of(new Source(source)))
                    .call();
        }
        return found.getDiagnostics().stream()
                .filter(d -> d.getKind() != Diagnostic.Kind.NOTE)
                .map(d -> d.getLineNumber() + ": " + d.getMessage(Locale.ROOT))
                .toList();
    }

    /** Surefire hides the class path in a jar's manifest and says it here. */
    private static String classPath() {
        return System.getProperty(
                "surefire.test.class.path", System.getProperty("java.class.path"));
    }

    private static final class Source extends SimpleJavaFileObject {

        private final String text;

        Source(String text) {
            super(URI.create("string:///Readme.java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }
    }
}
