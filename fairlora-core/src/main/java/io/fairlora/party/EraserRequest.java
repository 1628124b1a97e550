package io.fairlora.party;

import io.fairlora.lora.LoraAdapter;

/**
 * Asks for the linear eraser of the sensitive attribute under an adapter.
 *
 * @param adapter the final adapter
 * @param givenTask whether the auditor weights its images so that attribute and task label are
 *     independent, for which it must know the label
 */
public record EraserRequest(LoraAdapter adapter, boolean givenTask) {}
