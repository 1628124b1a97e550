package io.fairlora.party;

import io.fairlora.lora.LoraConfig;
import io.fairlora.training.TrainingSettings;

/**
 * Asks for an adapter trained to predict the sensitive attribute, without its head.
 *
 * @param config the adapter's configuration
 * @param settings how it is trained
 */
public record SensitiveAdapterRequest(LoraConfig config, TrainingSettings settings) {}
