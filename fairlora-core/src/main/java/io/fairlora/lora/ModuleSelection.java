package io.fairlora.lora;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.Ints;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which layers get an adapter, by PEFT's rules and in their order: what is excluded, what is saved
 * whole, what is a target, in which transformer layers.
 *
 * @param names targets by the end of their path
 * @param regex targets by an expression for the whole path
 * @param allLinear whether every linear layer is a target
 * @param excludedNames exceptions by the end of their path
 * @param excludedRegex exceptions by an expression for the whole path
 * @param layers indices of transformer layers, empty for all
 * @param layersPatterns expressions for the part of a path before a transformer layer's index
 * @param modulesToSave modules trained and saved whole
 */
record ModuleSelection(
        ImmutableList<String> names,
        @Nullable String regex,
        boolean allLinear,
        ImmutableList<String> excludedNames,
        @Nullable String excludedRegex,
        ImmutableList<Integer> layers,
        ImmutableList<String> layersPatterns,
        ImmutableList<String> modulesToSave) {

    private static final ImmutableList<String> ANY_PART = ImmutableList.of("[^.]*");

    boolean matches(String path) {
        if (excludedRegex != null && matches(excludedRegex, path)) {
            return false;
        }
        if (excludedNames.stream().anyMatch(name -> isNamed(path, name))) {
            return false;
        }
        if (modulesToSave.stream().anyMatch(module -> isInModule(path, module))) {
            return false;
        }
        if (allLinear) {
            return true;
        }
        if (regex != null) {
            return matches(regex, path);
        }
        return names.stream().anyMatch(name -> isNamed(path, name)) && isInLayers(path);
    }

    private static boolean matches(String regex, String path) {
        return Pattern.compile(regex).matcher(new BoundedText(path)).matches();
    }

    /** Whether a path equals a name or ends with it after a dot. */
    static boolean isNamed(String path, String name) {
        return path.equals(name) || path.endsWith("." + name);
    }

    /** Whether a name stands in a path between dots, so that the path is the module's or below. */
    static boolean isInModule(String path, String module) {
        return ("." + path + ".").contains("." + module + ".");
    }

    private boolean isInLayers(String path) {
        if (layers.isEmpty()) {
            return true;
        }
        for (String part : layersPatterns.isEmpty() ? ANY_PART : layersPatterns) {
            Matcher index =
                    Pattern.compile(".*?\\." + part + "\\.(\\d+)\\.")
                            .matcher(new BoundedText(path));
            if (index.lookingAt()) {
                // A number too long for an int is no index of a layer.
                return Optional.ofNullable(Ints.tryParse(index.group(1)))
                        .filter(layers::contains)
                        .isPresent();
            }
        }
        return false;
    }
}
