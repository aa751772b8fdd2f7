//! `e^x`, many at once.

/// `e^x` within some 1e-7 of it, without a branch. Below -87 it is nearly 0, above 88 nearly the
/// largest number.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // Adding this rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two pieces, the first with few digits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = (x - whole * LN_2[0]) - whole * LN_2[1];
    // Taylor's series; `rest` is at most ln 2 / 2.
    let mut series = 1.0 / 5_040.0;
    for factorial in [720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        series = series * rest + 1.0 / factorial;
    }
    series * f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_have_seven_digits() {
        for place in -870..=880 {
            let x = place as f32 * 0.1;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 4e-7, "{x}: {error}");
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(exp(f32::NAN).is_nan());
    }
}
