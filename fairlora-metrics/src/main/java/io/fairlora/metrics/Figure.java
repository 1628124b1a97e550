package io.fairlora.metrics;

import java.io.Serial;
import java.io.Serializable;
import java.util.Objects;
import java.util.Optional;
import java.util.function.DoubleUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A number, or the reason why there is none.
 *
 * <p>A rate over an empty denominator is neither 0 nor a silent NaN: it is undefined and says why
 * ("no positives").
 */
public final class Figure implements Serializable {
    @Serial private static final long serialVersionUID = 1L;

    private final double value;
    private final @Nullable String reason;

    private Figure(double value, @Nullable String reason) {
        this.value = value;
        this.reason = reason;
    }

    /**
     * A defined figure.
     *
     * @param value any number but NaN; an infinite ratio is a value
     * @return the figure
     * @throws IllegalArgumentException if {@code value} is NaN
     */
    public static Figure of(double value) {
        if (Double.isNaN(value)) {
            throw new IllegalArgumentException(
                    "a figure's value is NaN; expected a number, or Figure.undefined with a reason");
        }
        return new Figure(value, null);
    }

    /**
     * A figure without a value.
     *
     * @param reason what is missing, as a phrase such as "no positives"
     * @return the figure
     */
    public static Figure undefined(String reason) {
        return new Figure(Double.NaN, Objects.requireNonNull(reason, "reason"));
    }

    /**
     * The quotient of two numbers, undefined over a zero denominator.
     *
     * @param numerator any finite number
     * @param denominator any finite number
     * @param reason why the quotient is undefined when {@code denominator} is zero
     * @return the quotient
     */
    public static Figure quotient(double numerator, double denominator, String reason) {
        return denominator == 0 ? undefined(reason) : of(numerator / denominator);
    }

    /**
     * Whether there is a value.
     *
     * @return true if {@link #value()} may be called
     */
    public boolean isDefined() {
        return reason == null;
    }

    /**
     * The value.
     *
     * @return a number, never NaN
     * @throws IllegalStateException if the figure is undefined; the message gives the reason
     */
    public double value() {
        if (reason != null) {
            throw new IllegalStateException("undefined: " + reason);
        }
        return value;
    }

    /**
     * The value, or another number in its place.
     *
     * @param other returned when the figure is undefined; may be NaN
     * @return the value or {@code other}
     */
    public double orElse(double other) {
        return reason == null ? value : other;
    }

    /**
     * Why there is no value.
     *
     * @return the reason, empty for a defined figure
     */
    public Optional<String> reason() {
        return Optional.ofNullable(reason);
    }

    /**
     * Applies a function to a defined value; an undefined figure stays as it is.
     *
     * @param function maps a number to a number
     * @return the result
     */
    public Figure map(DoubleUnaryOperator function) {
        return reason == null ? of(function.applyAsDouble(value)) : this;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Figure that
                && Double.compare(value, that.value) == 0
                && Objects.equals(reason, that.reason);
    }

    @Override
    public int hashCode() {
        return Objects.hash(value, reason);
    }

    @Override
    public String toString() {
        return reason == null ? Double.toString(value) : "undefined: " + reason;
    }
}
