/**
 * Training of an adapter and a head on a frozen backbone: data, loop, optimizer, schedules,
 * checkpoints, progress.
 *
 * <p>Knows neither the parties nor the strategies; offers them hooks. Depends on {@code lora} and
 * {@code ndarray}.
 */
@NullMarked
package io.fairlora.training;

import org.jspecify.annotations.NullMarked;
