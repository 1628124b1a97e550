/**
 * Low-rank adapters (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"): their
 * configuration, their place in a frozen backbone, arithmetic with them, PEFT's files.
 *
 * <p>Depends on {@code ndarray} and {@code safetensors}.
 */
@NullMarked
package io.fairlora.lora;

import org.jspecify.annotations.NullMarked;
