package io.fairlora.metrics.report;

import com.google.common.collect.ImmutableMap;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.Map;
import java.util.Properties;

/**
 * What a report is about and how it came to be.
 *
 * @param subject what was audited, such as a model's name or a file's
 * @param created when the report was made
 * @param libraryVersion the version of this library
 * @param settings what was chosen, by name: minimum group size, confidence, seed and the like
 */
public record Provenance(
        String subject, Instant created, String libraryVersion, Map<String, String> settings) {

    /** Copies the map. */
    public Provenance {
        settings = ImmutableMap.copyOf(settings);
    }

    /**
     * The version of this library.
     *
     * @return such as 0.1.0
     */
    public static String currentVersion() {
        Properties properties = new Properties();
        try (InputStream in =
                Provenance.class.getResourceAsStream("/io/fairlora/metrics/version.properties")) {
            if (in == null) {
                throw new IllegalStateException("version.properties is missing from the library");
            }
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }
}
