package io.fairlora.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class HalfPrecisionTest {

    private static final int INFINITE_HALF = 0x7c00;

    @Test
    void everyHalfSurvivesTheWayThroughFloat() {
        for (int bits = 0; bits <= 0xffff; bits++) {
            short half = (short) bits;
            float value = HalfPrecision.fromHalf(half);
            if (Float.isNaN(value)) {
                assertThat(HalfPrecision.fromHalf(HalfPrecision.toHalf(value))).isNaN();
            } else {
                assertThat(HalfPrecision.toHalf(value)).isEqualTo(half);
            }
        }
    }

    @Test
    void halvesHaveTheValuesOfTheStandard() {
        assertThat(HalfPrecision.fromHalf((short) 0x3c00)).isEqualTo(1f);
        assertThat(HalfPrecision.fromHalf((short) 0xc000)).isEqualTo(-2f);
        assertThat(HalfPrecision.fromHalf((short) 0x7bff)).isEqualTo(65504f);
        assertThat(HalfPrecision.fromHalf((short) 0x0001)).isEqualTo(0x1p-24f);
        assertThat(HalfPrecision.fromHalf((short) 0x0400)).isEqualTo(0x1p-14f);
        assertThat(HalfPrecision.fromHalf((short) 0x7c00)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(Float.floatToRawIntBits(HalfPrecision.fromHalf((short) 0x8000)))
                .isEqualTo(Float.floatToRawIntBits(-0f));
    }

    /** Between each two neighbours, the midpoint goes to the even one, any other to the nearer. */
    @Test
    void everyMidpointRoundsToEven() {
        for (int bits = 0; bits < INFINITE_HALF; bits++) {
            float low = HalfPrecision.fromHalf((short) bits);
            float high =
                    bits + 1 == INFINITE_HALF ? 65536f : HalfPrecision.fromHalf((short) (bits + 1));
            float middle = (low + high) / 2;
            short even = (short) (bits % 2 == 0 ? bits : bits + 1);
            assertThat(HalfPrecision.toHalf(middle)).isEqualTo(even);
            assertThat(HalfPrecision.toHalf(Math.nextDown(middle))).isEqualTo((short) bits);
            assertThat(HalfPrecision.toHalf(Math.nextUp(middle))).isEqualTo((short) (bits + 1));
            assertThat(HalfPrecision.toHalf(-middle)).isEqualTo((short) (even | 0x8000));
        }
    }

    @Property
    void bfloat16RoundsToTheNearest(@ForAll float value) {
        float rounded = HalfPrecision.fromBfloat16(HalfPrecision.toBfloat16(value));
        int truncated = Float.floatToRawIntBits(value) & 0xffff0000;
        double below = Float.intBitsToFloat(truncated);
        double above = Float.intBitsToFloat(truncated + 0x10000);
        double best = Math.min(Math.abs(value - below), Math.abs(value - above));
        if (Float.isFinite(rounded)) {
            assertThat(Math.abs((double) value - rounded)).isEqualTo(best);
        } else {
            assertThat(Math.abs(value)).isGreaterThan(3.38e38f);
        }
    }

    @Test
    void bfloat16TiesGoToEvenAndNaNStaysNaN() {
        assertThat(HalfPrecision.toBfloat16(Float.intBitsToFloat(0x3f808000)))
                .isEqualTo((short) 0x3f80);
        assertThat(HalfPrecision.toBfloat16(Float.intBitsToFloat(0x3f818000)))
                .isEqualTo((short) 0x3f82);
        // A NaN whose payload lies in the dropped half only.
        float nan = Float.intBitsToFloat(0x7f800001);
        assertThat(HalfPrecision.fromBfloat16(HalfPrecision.toBfloat16(nan))).isNaN();
        assertThat(HalfPrecision.fromHalf(HalfPrecision.toHalf(nan))).isNaN();
    }
}
