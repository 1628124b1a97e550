package io.fairlora.vision.vit;

/** How the last layer's tokens become one feature vector. */
public enum Pooling {
    /** The class token, after the final layer norm; what Hugging Face's ViT classifier reads. */
    CLS,
    /** The mean over the patch tokens, after the final layer norm. */
    MEAN,
    /**
     * The class token and then the mean over the patch tokens, after the final layer norm, 2 D
     * numbers; what Hugging Face's DINOv2 classifier reads.
     */
    CLS_MEAN,
    /**
     * The class token and then the distillation token, after the final layer norm, 2 D numbers;
     * what the two classifiers of a distilled DeiT read.
     */
    CLS_DISTILLATION,
    /** The layer norm of the mean over the patch tokens; timm's {@code fc_norm}. */
    MEAN_NORM,
    /**
     * The mean over the patch tokens without the final layer norm; what Hugging Face's CLIP
     * classifier reads.
     */
    MEAN_UNNORMED;

    /** Whether tokens pass the final norm before they become features. */
    boolean normsTokens() {
        return this != MEAN_NORM && this != MEAN_UNNORMED;
    }

    /** How many vectors of length D make the features. */
    int vectors() {
        return this == CLS_MEAN || this == CLS_DISTILLATION ? 2 : 1;
    }
}
