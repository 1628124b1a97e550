package io.fairlora.vision.hub;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.regex.Pattern;

/**
 * A model on the hub at one of its revisions.
 *
 * @param id {@code OWNER/NAME}, or {@code NAME} alone
 * @param revision a branch, a tag, or the 40 hexadecimal digits of a commit
 */
public record HubModel(String id, String revision) {

    /** The branch that is meant if none is named. */
    public static final String MAIN = "main";

    private static final String PART = "[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?";
    private static final Pattern ID = Pattern.compile(PART + "(?:/" + PART + ")?");
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_./-]*");
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** Refuses what cannot be such a name, and might lead out of the cache as a path. */
    public HubModel {
        checkArgument(isId(id), "a model is named OWNER/NAME, found '%s'", id);
        checkArgument(
                REVISION.matcher(revision).matches() && !revision.contains(".."),
                "a revision is a branch, a tag or a commit, found '%s'",
                revision);
    }

    /**
     * Reads a name such as {@code google/vit-base-patch16-224} or {@code
     * google/vit-base-patch16-224@main}.
     *
     * @param name the name, and after an {@code @} the revision
     * @return the model, at {@link #MAIN} unless the name has a revision
     * @throws IllegalArgumentException if it cannot be such a name
     */
    public static HubModel parse(String name) {
        int at = name.indexOf('@');
        return at < 0
                ? new HubModel(name, MAIN)
                : new HubModel(name.substring(0, at), name.substring(at + 1));
    }

    private static boolean isId(String id) {
        return id.length() <= 96
                && ID.matcher(id).matches()
                && !id.contains("--")
                && !id.contains("..");
    }

    /** Whether the revision is a commit, which never changes. */
    boolean isCommit() {
        return isCommit(revision);
    }

    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    HubModel at(String commit) {
        return new HubModel(id, commit);
    }

    /** The name as {@link #parse} reads it. */
    @Override
    public String toString() {
        return revision.equals(MAIN) ? id : id + "@" + revision;
    }
}
