package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.vision.vit.VitConfig.FeedForward;
import io.fairlora.vision.vit.VitConfig.Stem;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Whose spelling of configuration and weights a model has, and what its variants may have. */
public enum VitFamily {
    /** Hugging Face's {@code ViTModel} (Dosovitskiy et al. 2020). */
    VIT("vit", "ViTModel", "vit."),
    /** Hugging Face's {@code DeiTModel} (Touvron et al. 2020): a distillation token. */
    DEIT("deit", "DeiTModel", "deit."),
    /** Hugging Face's {@code Dinov2Model} (Oquab et al. 2023): layer scale. */
    DINOV2("dinov2", "Dinov2Model", "dinov2."),
    /** Hugging Face's {@code Dinov2WithRegistersModel} (Darcet et al. 2023). */
    DINOV2_WITH_REGISTERS(
            "dinov2_with_registers", "Dinov2WithRegistersModel", "dinov2_with_registers."),
    /** The vision tower of Hugging Face's {@code CLIPModel} (Radford et al. 2021). */
    CLIP("clip_vision_model", "CLIPVisionModel", "vision_model."),
    /**
     * The vision tower of Hugging Face's {@code SiglipModel} (Zhai et al. 2023), without the
     * attention pooling of its head: the features are those that {@code
     * SiglipForImageClassification} reads.
     */
    SIGLIP("siglip_vision_model", "SiglipVisionModel", "vision_model."),
    /** timm's {@code VisionTransformer} and {@code VisionTransformerDistilled}. */
    TIMM("timm", "", "");

    private final String modelType;
    private final String architecture;
    private final String prefix;

    VitFamily(String modelType, String architecture, String prefix) {
        this.modelType = modelType;
        this.architecture = architecture;
        this.prefix = prefix;
    }

    /**
     * The {@code model_type} of {@code config.json}.
     *
     * @return the name, {@code timm} for timm, whose configuration has none
     */
    public String modelType() {
        return modelType;
    }

    /** The class of the model without a classifier, as {@code architectures} names it. */
    String architecture() {
        return architecture;
    }

    /** What stands before the names of the weights in a classifier's file. */
    String prefix() {
        return prefix;
    }

    /** Whether it is one of the two towers of a model of images and texts. */
    boolean isTower() {
        return this == CLIP || this == SIGLIP;
    }

    boolean isDinov2() {
        return this == DINOV2 || this == DINOV2_WITH_REGISTERS;
    }

    /** Whether positions are resized with antialiasing when their grid shrinks. */
    boolean antialiasesPositions() {
        return this == DINOV2_WITH_REGISTERS || this == TIMM;
    }

    /** The family of a {@code model_type}, which may be that of a model with two towers. */
    static VitFamily ofModelType(String name) {
        if (name.equals("clip")) {
            return CLIP;
        }
        if (name.equals("siglip")) {
            return SIGLIP;
        }
        for (VitFamily family : values()) {
            if (family != TIMM && family.modelType.equals(name)) {
                return family;
            }
        }
        String supported =
                Arrays.stream(values())
                        .filter(family -> family != TIMM)
                        .map(VitFamily::modelType)
                        .collect(Collectors.joining(", "));
        throw new IllegalArgumentException(
                "model_type must be one of " + supported + ", found " + name);
    }

    /** What stands before the layers of every model of this family of Hugging Face. */
    Stem stem(int registers) {
        return switch (this) {
            case DEIT -> new Stem(true, true, 0, 2, false);
            case DINOV2_WITH_REGISTERS -> new Stem(true, false, registers, 1, false);
            case CLIP -> new Stem(true, false, 0, 1, true);
            case SIGLIP -> new Stem(false, false, 0, 0, false);
            default -> Stem.CLASS;
        };
    }

    /** Refuses what files of this family cannot express. */
    void check(Stem stem, boolean layerScale, FeedForward feedForward) {
        if (this == TIMM) {
            return;
        }
        checkArgument(
                stem.equals(stem(stem.registers())),
                "a model of family %s has the stem %s, found %s",
                this,
                stem(stem.registers()),
                stem);
        checkArgument(
                layerScale == isDinov2(),
                "a model of family %s has %s layer scale",
                this,
                isDinov2() ? "a" : "no");
        checkArgument(
                feedForward == FeedForward.MLP || isDinov2(),
                "a model of family %s has a feed-forward part of kind MLP, found %s",
                this,
                feedForward);
    }
}
