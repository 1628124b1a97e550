package io.fairlora.vision.synth;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkElementIndex;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import java.util.EnumMap;
import java.util.Map;

/**
 * All that determines one synthetic face: the class of every attribute, and the seed of everything
 * else that varies from face to face (how strongly an attribute shows, the shape of face, eyes,
 * nose and brows, clothes, background, exposure, noise, blur).
 *
 * @param attributes the class of each attribute
 * @param variation the seed of what the attributes leave open
 */
public record FaceRecipe(ImmutableMap<FaceAttribute, Integer> attributes, long variation) {

    /** Refuses recipes in which an attribute is missing or its class does not exist. */
    public FaceRecipe {
        for (FaceAttribute attribute : FaceAttribute.values()) {
            Integer value = attributes.get(attribute);
            checkArgument(value != null, "the class of %s is missing in %s", attribute, attributes);
            checkElementIndex(value, attribute.classes().size(), "class of " + attribute);
        }
    }

    /**
     * The class of one attribute.
     *
     * @param attribute the attribute
     * @return the class, in {@code [0, attribute.classes().size())}
     */
    public int get(FaceAttribute attribute) {
        return requireNonNull(attributes.get(attribute));
    }

    /**
     * The same face with another class of one attribute.
     *
     * @param attribute the attribute
     * @param classIndex its class
     * @return the changed recipe
     * @throws IndexOutOfBoundsException if the attribute has no such class
     */
    public FaceRecipe with(FaceAttribute attribute, int classIndex) {
        Map<FaceAttribute, Integer> changed = new EnumMap<>(attributes);
        changed.put(attribute, classIndex);
        return new FaceRecipe(Maps.immutableEnumMap(changed), variation);
    }

    /**
     * How dark the skin is: below 0.45 in class 0 of {@link FaceAttribute#SKIN_TONE}, from 0.55 in
     * class 1.
     *
     * @return from 0 (lightest) to 1 (darkest)
     */
    public double skinTone() {
        double shade = 0.45 * draw(Trait.SKIN_SHADE);
        return get(FaceAttribute.SKIN_TONE) == 0 ? shade : 0.55 + shade;
    }

    /** A number in [0, 1) that depends on the variation and the trait alone. */
    double draw(Trait trait) {
        return Mixing.unit(Mixing.mix(variation, trait.name().hashCode()));
    }

    /** A draw scaled to [low, high). */
    double draw(Trait trait, double low, double high) {
        return low + (high - low) * draw(trait);
    }

    /** One of {@code count} equally likely choices. */
    int choice(Trait trait, int count) {
        return (int) (count * draw(trait));
    }

    /** Where the corners of the mouth are: 0 level, 1 raised as far as they go. */
    double smile() {
        double amount = draw(Trait.SMILE_AMOUNT);
        // Both classes occur in [0.24, 0.32], so 5 % of faces are misread at best.
        return get(FaceAttribute.SMILE) == 0 ? -0.2 + 0.52 * amount : 0.24 + 0.76 * amount;
    }

    /** How much the head is turned: -1 far to the viewer's left, 1 far to the right. */
    double yaw() {
        return switch (get(FaceAttribute.POSE)) {
            case 1 -> draw(Trait.YAW, -1, -0.45);
            case 2 -> draw(Trait.YAW, 0.45, 1);
            default -> draw(Trait.YAW, -0.25, 0.25);
        };
    }

    /** How strongly the lines of age show, from 0 to 1. */
    double lines() {
        double strength = draw(Trait.LINE_STRENGTH);
        return get(FaceAttribute.AGE_LINES) == 0 ? 0.28 * strength : 0.45 + 0.55 * strength;
    }
}
