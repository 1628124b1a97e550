package io.fairlora.party;

import java.util.List;

/**
 * What an auditor says of itself before anything is exchanged; no data.
 *
 * @param attribute the name of the sensitive attribute
 * @param values the names of its values
 * @param backboneDigest the digest of the auditor's backbone, which must be the developer's
 * @param offersEraser whether it answers {@link FairnessAuditor#eraser}, which tells more about the
 *     attribute than an adapter does
 */
public record AuditorDescription(
        String attribute, List<String> values, String backboneDigest, boolean offersEraser) {

    /** Copies the list. */
    public AuditorDescription {
        values = List.copyOf(values);
    }
}
