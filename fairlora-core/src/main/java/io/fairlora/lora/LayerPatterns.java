package io.fairlora.lora;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** PEFT's rule for the keys of {@code rank_pattern} and {@code alpha_pattern}. */
final class LayerPatterns {

    private LayerPatterns() {}

    /** Whether a key means a layer. */
    static boolean isMatch(String pattern, String path) {
        return Pattern.compile("(.*\\.)?(" + pattern + ")$")
                .matcher(new BoundedText(path))
                .lookingAt();
    }

    /** The value of the first key that means a layer. */
    static <V> Optional<V> first(Map<String, V> values, String path) {
        return values.entrySet().stream()
                .filter(entry -> isMatch(entry.getKey(), path))
                .map(Map.Entry::getValue)
                .findFirst();
    }

    /** A key that means none of the layers, if there is one. */
    static Optional<String> unused(List<String> patterns, Iterable<String> paths) {
        List<String> left = new ArrayList<>(patterns);
        for (String path : paths) {
            left.removeIf(pattern -> isMatch(pattern, path));
        }
        return left.stream().findFirst();
    }
}
