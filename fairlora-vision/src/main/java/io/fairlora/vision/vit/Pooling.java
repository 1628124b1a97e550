package io.fairlora.vision.vit;

/** How the last layer's tokens become one feature vector. */
public enum Pooling {
    /** The class token, after the final layer norm; what Hugging Face's classifier reads. */
    CLS,
    /** The mean over the patch tokens, after the final layer norm. */
    MEAN
}
