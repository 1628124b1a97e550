package io.fairlora.benchmarks;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.StringJoiner;

/** Runs the benchmarks; takes JMH's own options, such as a pattern of names or {@code -l}. */
public final class Benchmarks {

    private Benchmarks() {}

    /**
     * Runs JMH.
     *
     * @param args its options; none runs every benchmark
     * @throws IOException if JMH cannot write its results
     * @throws URISyntaxException if the class path has an entry that is not a file
     */
    public static void main(String[] args) throws IOException, URISyntaxException {
        // JMH starts its processes with java.class.path; inside Maven that is Maven's own.
        if (Thread.currentThread().getContextClassLoader() instanceof URLClassLoader loader) {
            StringJoiner path = new StringJoiner(File.pathSeparator);
            for (URL entry : loader.getURLs()) {
                path.add(Path.of(entry.toURI()).toString());
            }
            System.setProperty("java.class.path", path.toString());
        }
        org.openjdk.jmh.Main.main(args);
    }
}
