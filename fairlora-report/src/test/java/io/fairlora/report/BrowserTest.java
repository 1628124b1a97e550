package io.fairlora.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Opens the page from a file in a headless Chromium, where one is installed. */
class BrowserTest {
    /** Measures the page after loading and leaves the result as text; not part of the page. */
    private static final String PROBE =
            """
            <script>
            const seen = [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect());
            document.body.setAttribute('data-probe', JSON.stringify({
              svgs: seen.length,
              smallest: Math.min(...seen.map(r => Math.min(r.width, r.height))),
              page: document.documentElement.scrollWidth,
              window: document.documentElement.clientWidth,
              rows: document.querySelectorAll('tbody tr').length,
              requests: performance.getEntriesByType('resource').length,
              heading: document.querySelector('h1').textContent
            }));
            </script>
            </body>""";

    @TempDir Path folder;
    private String browser = "";

    @BeforeEach
    void findBrowser() {
        Optional<String> found =
                Stream.of("chromium", "chromium-browser", "google-chrome")
                        .flatMap(
                                name ->
                                        Stream.of(
                                                        System.getenv("PATH")
                                                                .split(File.pathSeparator, -1))
                                                .map(dir -> Path.of(dir, name)))
                        .filter(Files::isExecutable)
                        .map(Path::toString)
                        .findFirst();
        assumeTrue(
                found.isPresent(),
                "skipped: no Chromium on the path (apt-get install chromium), so the page was not"
                        + " opened in a browser");
        browser = found.orElseThrow();
    }

    private String run(String... arguments) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                browser,
                                "--headless",
                                "--no-sandbox",
                                "--disable-gpu",
                                "--hide-scrollbars",
                                "--host-resolver-rules=MAP * ~NOTFOUND",
                                "--user-data-dir=" + folder.resolve("profile")));
        command.addAll(List.of(arguments));
        Path out = folder.resolve("out.txt");
        Process process =
                new ProcessBuilder(command)
                        .redirectOutput(out.toFile())
                        .redirectError(folder.resolve("err.txt").toFile())
                        .start();
        boolean ended = process.waitFor(3, TimeUnit.MINUTES);
        process.destroyForcibly();
        assertThat(ended).as("Chromium ended within three minutes").isTrue();
        return Files.readString(out);
    }

    @ParameterizedTest
    @ValueSource(ints = {390, 1280})
    void fitsPhoneAndScreen(int width) throws Exception {
        String page =
                HtmlReport.render(
                        Samples.report("smiles <1>", 0.4, Samples.groups()),
                        List.of(Samples.report("other", 0.1, Samples.groups())));
        Path file = folder.resolve("probe.html");
        // The page's own policy forbids scripts; the probe needs one.
        Files.writeString(
                file, page.replaceFirst("<meta http-equiv[^>]*>", "").replace("</body>", PROBE));
        // Chromium's window has a least width, a frame has none.
        Path frame = folder.resolve("frame.html");
        Files.writeString(
                frame,
                "<iframe src='probe.html' style='border:0;width:"
                        + width
                        + "px;height:900px'></iframe><script>onload = () =>"
                        + " document.body.dataset.probe = document.querySelector('iframe')"
                        + ".contentDocument.body.dataset.probe</script>");
        String dom =
                run(
                        "--allow-file-access-from-files",
                        "--window-size=1400,1000",
                        "--dump-dom",
                        frame.toUri().toString());
        String json =
                dom.replaceFirst("(?s).*<body data-probe=\"(.*?)\">.*", "$1")
                        .replace("&quot;", "\"")
                        .replace("&lt;", "<")
                        .replace("&gt;", ">")
                        .strip();
        JsonNode seen = new ObjectMapper().readTree(json);
        assertThat(seen.get("svgs").asInt()).isEqualTo(9);
        assertThat(seen.get("smallest").asDouble()).isGreaterThan(100);
        assertThat(seen.get("window").asInt()).isEqualTo(width);
        assertThat(seen.get("page").asInt()).isLessThanOrEqualTo(width);
        assertThat(seen.get("rows").asInt()).isGreaterThan(30);
        assertThat(seen.get("requests").asInt()).isZero();
        assertThat(seen.get("heading").asText()).isEqualTo("Fairness report: smiles <1>");
    }

    @Test
    void showsSomething() throws Exception {
        Path file = folder.resolve("report.html");
        HtmlReport.write(file, Samples.report("smiles", 0.4, Samples.groups()), List.of());
        Path shot = folder.resolve("shot.png");
        run("--window-size=1280,3000", "--screenshot=" + shot, file.toUri().toString());
        BufferedImage image = ImageIO.read(shot.toFile());
        Set<Integer> colors = new HashSet<>();
        for (int y = 0; y < image.getHeight(); y += 2) {
            for (int x = 0; x < image.getWidth(); x += 2) {
                colors.add(image.getRGB(x, y) & 0xffffff);
            }
        }
        // Text, grid and the blue of the intervals.
        assertThat(colors).contains(0xffffff, 0x0072b2).hasSizeGreaterThan(50);
    }
}
