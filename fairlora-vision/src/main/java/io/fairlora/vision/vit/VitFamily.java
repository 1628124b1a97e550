package io.fairlora.vision.vit;

import static com.google.common.base.Preconditions.checkArgument;

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

    boolean isDinov2() {
        return this == DINOV2 || this == DINOV2_WITH_REGISTERS;
    }

    /** Whether positions are resized with antialiasing when their grid shrinks. */
    boolean antialiasesPositions() {
        return this == DINOV2_WITH_REGISTERS || this == TIMM;
    }

    static VitFamily ofModelType(String name) {
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

    /** Refuses what files of this family cannot express. */
    void check(VitConfig.Stem stem, boolean layerScale, VitConfig.FeedForward feedForward) {
        boolean timm = this == TIMM;
        checkArgument(stem.classToken() || timm, "a model of family %s has a class token", this);
        checkArgument(
                timm || stem.positions() == stem.tokens() - stem.registers(),
                "all tokens of family %s but the registers have positions, found %s",
                this,
                stem.positions());
        checkArgument(
                stem.distillationToken() == (this == DEIT) || timm,
                "a model of family %s has %s distillation token",
                this,
                this == DEIT ? "a" : "no");
        checkArgument(
                stem.registers() == 0 || timm || this == DINOV2_WITH_REGISTERS,
                "a model of family %s has no registers, found %s",
                this,
                stem.registers());
        checkArgument(
                !stem.norm() || timm, "a model of family %s has no norm before its layers", this);
        checkArgument(
                layerScale == isDinov2() || timm,
                "a model of family %s has %s layer scale",
                this,
                isDinov2() ? "a" : "no");
        checkArgument(
                feedForward == VitConfig.FeedForward.MLP || timm || isDinov2(),
                "a model of family %s has a feed-forward part of kind MLP, found %s",
                this,
                feedForward);
    }
}
