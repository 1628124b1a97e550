package io.fairlora.vision.synth;

import java.awt.Color;

/** The colours of one face. */
record Palette(
        Color skin,
        Color skinShadow,
        Color skinLine,
        Color lip,
        Color hair,
        Color brow,
        Color iris,
        Color shirt,
        Color hat,
        Color frame,
        Color backgroundTop,
        Color backgroundBottom) {

    private static final Color[] SKIN = {
        new Color(246, 216, 194),
        new Color(236, 196, 164),
        new Color(226, 176, 138),
        new Color(194, 136, 96),
        new Color(152, 98, 64),
        new Color(122, 78, 53),
        new Color(94, 60, 43)
    };
    // By class of HAIR_COLOUR: the darkest and the lightest shade.
    private static final Color[][] HAIR = {
        {new Color(16, 14, 16), new Color(44, 36, 34)},
        {new Color(70, 44, 26), new Color(128, 82, 48)},
        {new Color(196, 152, 84), new Color(240, 212, 146)},
        {new Color(140, 48, 20), new Color(206, 94, 40)},
        {new Color(136, 136, 140), new Color(214, 214, 218)}
    };
    private static final Color[] IRIS = {
        new Color(44, 26, 16),
        new Color(72, 44, 24),
        new Color(98, 70, 36),
        new Color(70, 110, 90),
        new Color(76, 120, 166)
    };
    private static final Color[] FRAME = {
        new Color(24, 22, 24),
        new Color(92, 52, 30),
        new Color(150, 36, 44),
        new Color(40, 60, 120),
        new Color(176, 150, 92)
    };
    private static final Color ROSE = new Color(196, 70, 76);
    private static final Color UMBER = new Color(40, 18, 12);

    static Palette of(FaceRecipe recipe) {
        Color skin = warm(between(SKIN, recipe.skinTone()), recipe.draw(Trait.SKIN_HUE, -6, 6));
        Color[] hairs = HAIR[recipe.get(FaceAttribute.HAIR_COLOUR)];
        Color hair = mix(hairs[0], hairs[1], recipe.draw(Trait.HAIR_SHADE));
        float background = (float) recipe.draw(Trait.BACKGROUND_SHADE, 0.3, 0.95);
        float backgroundHue = (float) recipe.draw(Trait.BACKGROUND_HUE);
        float saturation = (float) (0.12 + 0.3 * recipe.draw(Trait.BACKGROUND_KIND));
        // Redder lips on darker skin, so that a mouth is as easy to see on any.
        double lips = recipe.draw(Trait.LIP_COLOUR, 0.3, 0.7) + 0.22 * recipe.skinTone();
        return new Palette(
                skin,
                mix(skin, UMBER, 0.22),
                mix(skin, UMBER, 0.5),
                mix(skin, ROSE, lips),
                hair,
                mix(hair, UMBER, 0.35),
                IRIS[recipe.choice(Trait.EYE_COLOUR, IRIS.length)],
                hsb(recipe, Trait.SHIRT_HUE, Trait.SHIRT_SHADE),
                hsb(recipe, Trait.HAT_HUE, Trait.HAT_SHADE),
                FRAME[recipe.choice(Trait.FRAME_COLOUR, FRAME.length)],
                Color.getHSBColor(backgroundHue, saturation, background),
                Color.getHSBColor(backgroundHue + 0.06f, saturation, background * 0.72f));
    }

    /** From {@code from} at 0 to {@code to} at 1. */
    static Color mix(Color from, Color to, double share) {
        return new Color(
                level(from.getRed() + share * (to.getRed() - from.getRed())),
                level(from.getGreen() + share * (to.getGreen() - from.getGreen())),
                level(from.getBlue() + share * (to.getBlue() - from.getBlue())));
    }

    /** The colour, covering what is below it only in part. */
    static Color glaze(Color colour, double opacity) {
        return new Color(
                colour.getRed(), colour.getGreen(), colour.getBlue(), level(255 * opacity));
    }

    private static Color between(Color[] scale, double position) {
        double at = position * (scale.length - 1);
        int below = Math.min((int) at, scale.length - 2);
        return mix(scale[below], scale[below + 1], at - below);
    }

    private static Color warm(Color colour, double levels) {
        return new Color(
                level(colour.getRed() + levels),
                colour.getGreen(),
                level(colour.getBlue() - levels));
    }

    private static Color hsb(FaceRecipe recipe, Trait hue, Trait shade) {
        double brightness = recipe.draw(shade);
        return Color.getHSBColor(
                (float) recipe.draw(hue),
                (float) (0.65 - 0.4 * brightness),
                (float) (0.25 + 0.65 * brightness));
    }

    private static int level(double value) {
        return (int) Math.max(0, Math.min(255, Math.round(value)));
    }
}
