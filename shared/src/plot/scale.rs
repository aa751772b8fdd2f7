//! From values to places along an axis: scales, ticks, and how a number is written.

use super::Scale;

const MOST_TICKS: usize = 7;

impl Scale {
    /// Where a value lies, in units of the axis; `None` if it cannot be drawn.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        match self {
            Self::Linear => (value.abs() < 1e300).then_some(value),
            Self::Log10 => (value > 1e-300 && value < 1e300).then(|| value.log10()),
            Self::Categories(_) => self.name(value).map(|_| value),
        }
    }

    /// The category a value stands for.
    pub(super) fn name(&self, value: f64) -> Option<&str> {
        match self {
            Self::Categories(names) if value >= 0.0 && value.fract() == 0.0 => {
                names.get(value as usize).map(String::as_str)
            }
            _ => None,
        }
    }

    pub(super) fn is_categories(&self) -> bool {
        matches!(self, Self::Categories(_))
    }

    /// Positions and texts of the ticks that enclose the positions from `low` to `high`.
    fn ticks(&self, low: f64, high: f64) -> Vec<Tick> {
        match self {
            Self::Linear => {
                let positions = linear_ticks(low, high, MOST_TICKS);
                let step = positions[1] - positions[0];
                let largest = positions.iter().fold(step, |largest, tick| largest.max(tick.abs()));
                let tick = |position| Tick { position, text: number(position, step, largest) };
                positions.into_iter().map(tick).collect()
            }
            Self::Log10 => {
                let tick = |position| {
                    let value = 10f64.powf(position);
                    Tick { position, text: number(value, value, value) }
                };
                log_ticks(low, high, MOST_TICKS).into_iter().map(tick).collect()
            }
            Self::Categories(names) => {
                let tick = |(text, index)| Tick { position: f64::from(index), text };
                names.iter().cloned().zip(0..).map(tick).collect()
            }
        }
    }
}

/// A place on an axis that has a text.
pub(super) struct Tick {
    pub position: f64,
    pub text: String,
}

/// An axis laid out from one pixel to another.
pub(super) struct Ruler {
    pub ticks: Vec<Tick>,
    pub from: f64,
    pub to: f64,
    scale: Scale,
    low: f64,
    high: f64,
}

impl Ruler {
    /// The ruler whose ticks enclose the positions of `extent`, or 0 to 1 without.
    pub fn new(scale: &Scale, extent: Option<(f64, f64)>, from: f64, to: f64) -> Self {
        let (low, high) = extent.unwrap_or((0.0, 1.0));
        let ticks = scale.ticks(low, high);
        let margin = if scale.is_categories() { 0.5 } else { 0.0 };
        let low = ticks.first().map_or(0.0, |tick| tick.position) - margin;
        let high = ticks.last().map_or(0.0, |tick| tick.position) + margin;
        Self { ticks, from, to, scale: scale.clone(), low, high }
    }

    /// The pixel of a value; `None` if it cannot be drawn.
    pub fn at(&self, value: f64) -> Option<f64> {
        self.scale.position(value).map(|position| self.pixel(position))
    }

    /// The pixel of a position.
    pub fn pixel(&self, position: f64) -> f64 {
        let share = (position - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// How many pixels apart two positions are that differ by `distance`.
    pub fn pixels(&self, distance: f64) -> f64 {
        distance / (self.high - self.low) * (self.to - self.from)
    }
}

/// At most `at_most` (three or more) neighbouring multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, at_most: usize) -> Vec<f64> {
    let size = low.abs().max(high.abs());
    let margin = match high - low {
        _ if size < 1e-280 => 1.0,
        difference if difference <= 1e-6 * size => 0.1 * size,
        _ => 0.0,
    };
    let (low, high) = (low - margin, high + margin);
    let smallest = ((high - low) / at_most as f64).log10().floor() as i32;
    let steps = (smallest..).flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)));
    for step in steps {
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        if last - first < at_most as f64 {
            return (first as i64..=last as i64).map(|n| n as f64 * step).collect();
        }
    }
    unreachable!("a step as wide as the range needs three ticks at most")
}

/// At most `at_most` exponents of ten; those of 2, 5, 20, 50, ... as well where there is room.
fn log_ticks(low: f64, high: f64, at_most: usize) -> Vec<f64> {
    let margin = if high - low < 1e-6 { 0.3 } else { 0.0 };
    let (low, high) = (low - margin, high + margin);
    let decades = (high.ceil() - low.floor()).max(1.0);
    let stride = (decades / (at_most - 1) as f64).ceil();
    let exponents = |factors: &[f64]| {
        let decades =
            (0..=(decades / stride).ceil() as i32).map(|n| low.floor() + stride * f64::from(n));
        let all: Vec<f64> =
            decades.flat_map(|decade| factors.iter().map(move |n| decade + n.log10())).collect();
        let first = all.iter().rposition(|&tick| tick <= low + 1e-9).unwrap_or(0);
        let last = all.iter().position(|&tick| tick >= high - 1e-9).unwrap_or(all.len() - 1);
        all[first..=last].to_vec()
    };
    let fine = exponents(&[1.0, 2.0, 5.0]);
    if fine.len() <= at_most && stride == 1.0 { fine } else { exponents(&[1.0]) }
}

/// `value` as precise as `step`, written as suits the `largest` of its neighbours.
pub(super) fn number(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return String::from("0");
    }
    if !(9.9e-5..9.9e6).contains(&largest.abs()) {
        let decimals = (power(value) - power(step)).max(0) as usize;
        return format!("{value:.decimals$e}").replace(".0e", "e");
    }
    let decimals = (-power(step)).max(0) as usize;
    let digits = format!("{:.decimals$}", value.abs());
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.char_indices() {
        if index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `value` with three significant digits.
pub(super) fn short_number(value: f64) -> String {
    number(value, 10f64.powi(power(value).max(-300) - 2), value)
}

/// The exponent of ten of the first digit.
fn power(value: f64) -> i32 {
    (value.abs().log10() + 1e-9).floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGES: [(f64, f64); 12] = [
        (0.0, 1.0),
        (-1.0, 1.0),
        (0.3, 0.9),
        (-0.02, 0.71),
        (1.0, 1.0),
        (0.0, 0.0),
        (-7.0, -7.0),
        (0.0, 2000.0),
        (1.2e-9, 3.4e-9),
        (999.0, 1001.0),
        (-1e299, 1e299),
        (1e-300, 2e-300),
    ];

    #[test]
    fn linear_ticks_cover_the_range_are_few_and_step_by_one_two_or_five() {
        for (low, high) in RANGES {
            let ticks = linear_ticks(low, high, 7);

            let step = ticks[1] - ticks[0];
            let slack = 1e-6 * step;
            assert!((2..=7).contains(&ticks.len()), "{low}..{high}: {ticks:?}");
            assert!(ticks[0] <= low + slack && ticks[ticks.len() - 1] >= high - slack);
            let digit = step / 10f64.powi(power(step));
            assert!([1.0, 2.0, 5.0].iter().any(|n| (digit - n).abs() < 1e-6), "{step}");
        }
    }

    #[test]
    fn log_ticks_cover_the_range_and_are_few() {
        for (low, high) in [(0.0, 1.0), (-5.0, 0.0), (0.7, 0.7), (0.6, 2.1), (-299.0, 299.0)] {
            let ticks = log_ticks(low, high, 7);

            assert!((2..=7).contains(&ticks.len()), "{low}..{high}: {ticks:?}");
            assert!(ticks[0] <= low + 1e-9 && ticks[ticks.len() - 1] >= high - 1e-9);
        }
    }

    #[test]
    fn numbers_are_written_as_a_reader_expects() {
        let check = |value, step, largest, expected| {
            assert_eq!(number(value, step, largest), expected);
        };
        check(0.0, 0.2, 1.0, "0");
        check(0.4 + 0.2, 0.2, 1.0, "0.6");
        check(1.0, 0.5, 1.5, "1.0");
        check(-250.0, 50.0, 250.0, "-250");
        check(1000.0, 500.0, 2000.0, "1,000");
        check(-1_234_567.0, 1.0, 2e6, "-1,234,567");
        check(0.001, 0.001, 0.001, "0.001");
        check(1e-5, 1e-5, 1e-5, "1e-5");
        check(1.5e8, 5e7, 2e8, "1.5e8");
        check(-1e8, 5e7, 2e8, "-1e8");
        assert_eq!(short_number(0.021_34), "0.0213");
        assert_eq!(short_number(0.0), "0");
    }

    #[test]
    fn a_ruler_has_no_place_for_what_its_scale_cannot_show() {
        let names = Scale::Categories(vec!["csae".into(), "pmi".into()]);
        let unknown = [-1.0, 0.5, 2.0, f64::NAN];

        assert!(unknown.iter().all(|&value| names.position(value).is_none()));
        assert!([0.0, -1.0, f64::NAN].iter().all(|&value| Scale::Log10.position(value).is_none()));
        assert!(Scale::Linear.position(f64::INFINITY).is_none());
    }
}
