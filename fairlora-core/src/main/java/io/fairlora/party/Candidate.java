package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.training.LinearHead;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A classifier that the developer hands over to be audited.
 *
 * @param name what the report calls it
 * @param adapter the adapter
 * @param head the task head, on the features as the adapter makes them, after {@code eraser}
 * @param classes the names of the task's classes
 * @param eraser what is applied to the features before the head, or {@code null}
 * @param eraserStrength how much of it, in [0, 1]
 */
public record Candidate(
        String name,
        LoraAdapter adapter,
        LinearHead.Weights head,
        List<String> classes,
        @Nullable LinearEraser eraser,
        double eraserStrength) {

    /** Checks that head and classes fit together. */
    public Candidate {
        classes = List.copyOf(classes);
        checkArgument(
                head.classes() == classes.size(),
                "the head has %s outputs, the classes are %s",
                head.classes(),
                classes);
        checkArgument(
                eraserStrength >= 0 && eraserStrength <= 1,
                "eraser strength must be in [0, 1], found %s",
                eraserStrength);
    }

    /**
     * The head with the eraser folded in: the same logits from features as they are.
     *
     * @return the head to serve
     */
    public LinearHead.Weights servedHead() {
        return eraser == null ? head : eraser.fold(head, eraserStrength);
    }
}
