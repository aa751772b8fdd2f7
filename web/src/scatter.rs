//! Dots in a plane as SVG, each with what it says when it is pointed at. Colours come from the page's
//! style sheet by class, as in [`crate::charts`].

use std::fmt::Write as _;

use crate::charts::opening;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
/// Where the plane begins and ends.
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = HEIGHT - 48.0;

/// A line of a table as a dot.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// Its number, by which the page finds what was clicked.
    pub number: usize,
    /// Where it lies along both axes.
    pub at: [f64; 2],
    /// What it says when it is pointed at.
    pub says: String,
    /// Whether the table shows it, too.
    pub is_shown: bool,
}

/// What one direction means.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its name.
    pub name: &'static str,
    /// Whether equal steps are equal factors; what is 0 then has no place.
    pub is_logarithmic: bool,
    /// How its numbers are written.
    pub written: fn(f64) -> String,
}

/// Draws `dots`; those that the table does not show lie faintly below the others.
pub fn scatter(mut dots: Vec<Dot>, axes: [Axis; 2]) -> String {
    dots.retain(|dot| dot.at.iter().zip(&axes).all(|(value, axis)| axis.has(*value)));
    if dots.is_empty() {
        return String::new();
    }
    dots.sort_by_key(|dot| dot.is_shown);
    let scale = |which: usize| Scale::of(axes[which], dots.iter().map(|dot| dot.at[which]));
    let (across, up) = (scale(0), scale(1));
    let x = |value: f64| LEFT + across.share(value) * (RIGHT - LEFT);
    let y = |value: f64| BOTTOM - up.share(value) * (BOTTOM - TOP);
    let label = format!("{} by {}; the table has the numbers", axes[1].name, axes[0].name);
    let mut svg = opening(WIDTH, HEIGHT, &label);
    for value in up.ticks() {
        let (y, text) = (y(value), (axes[1].written)(value));
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    for value in across.ticks() {
        let (x, text) = (x(value), (axes[0].written)(value));
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>\
             <text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{text}</text>",
            BOTTOM + 18.0
        );
    }
    let _ = write!(
        svg,
        "<text class=\"end\" x=\"{RIGHT}\" y=\"{:.1}\">{}</text>\
         <text x=\"{LEFT}\" y=\"{:.1}\">{}</text>",
        BOTTOM + 40.0,
        axes[0].name,
        TOP - 12.0,
        axes[1].name
    );
    for dot in &dots {
        let class = if dot.is_shown { "dot" } else { "dot faint" };
        let _ = write!(
            svg,
            "<circle class=\"{class}\" data-number=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\">\
             <title>{}</title></circle>",
            dot.number,
            x(dot.at[0]),
            y(dot.at[1]),
            dot.says
        );
    }
    svg + "</svg>"
}

impl Axis {
    /// Whether a value has a place on it.
    fn has(&self, value: f64) -> bool {
        value.is_finite() && (value > 0.0 || !self.is_logarithmic)
    }
}

/// Where values lie between both ends of an axis.
#[derive(Clone, Copy, Debug)]
struct Scale {
    axis: Axis,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(axis: Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match axis.is_logarithmic {
            true => (low / 1.2, high * 1.2),
            false => (low.min(0.0), high + 0.05 * high.abs().max(1e-9)),
        };
        Self { axis, low, high }
    }

    /// 0 at the lower end, 1 at the upper.
    fn share(&self, value: f64) -> f64 {
        match self.axis.is_logarithmic {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        }
    }

    /// Values that are written beside the axis.
    fn ticks(&self) -> Vec<f64> {
        let ten = |power: i32| 10_f64.powi(power);
        if !self.axis.is_logarithmic {
            let rough = (self.high - self.low) / 5.0;
            let power = ten(rough.log10().floor() as i32);
            let fits = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough);
            let step = fits.unwrap_or(10.0) * power;
            let (first, last) =
                ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
            return (first..=last).map(|place| place as f64 * step).collect();
        }
        let (first, last) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
        let tens: Vec<f64> = (first..=last).map(ten).collect();
        match tens.len() {
            0 | 1 => vec![self.low * 1.2, self.high / 1.2],
            _ => tens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::number;

    const PLAIN: Axis = Axis { name: "reuse", is_logarithmic: false, written: number };
    const LOGARITHMIC: Axis = Axis { name: "density", is_logarithmic: true, written: number };

    fn dot(number: usize, at: [f64; 2]) -> Dot {
        Dot { number, at, says: format!("f{number}"), is_shown: number.is_multiple_of(2) }
    }

    #[test]
    fn each_dot_has_its_place_and_the_shown_ones_lie_on_top() {
        let dots = vec![dot(0, [0.001, 0.0]), dot(1, [0.1, 4.0]), dot(2, [0.01, 2.0])];

        let svg = scatter(dots, [LOGARITHMIC, PLAIN]);

        let order: Vec<&str> = svg.split("data-number=\"").skip(1).map(|rest| &rest[..1]).collect();
        assert_eq!(order, ["1", "0", "2"]);
        assert_eq!(svg.matches("faint").count(), 1);
        assert!(svg.contains("<title>f2</title>"), "{svg}");
        // Half of the decades, in the middle.
        let middle = (LEFT + RIGHT) / 2.0;
        assert!(svg.contains(&format!("data-number=\"2\" cx=\"{middle:.1}\"")), "{svg}");
        assert!(!svg.contains("style"), "the page's policy refuses styles");
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let dead = vec![dot(0, [0.0, 1.0]), dot(1, [f64::NAN, 1.0])];

        assert_eq!(scatter(dead, [LOGARITHMIC, PLAIN]), "");
        assert_eq!(scatter(vec![], [PLAIN, PLAIN]), "");
        let svg = scatter(vec![dot(3, [0.0, 0.0])], [PLAIN, PLAIN]);
        assert!(svg.contains("data-number=\"3\"") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn ticks_are_round_numbers_inside() {
        let ticks = |axis, values: &[f64]| Scale::of(axis, values.iter().copied()).ticks();

        assert_eq!(ticks(PLAIN, &[0.0, 9.0]), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(ticks(PLAIN, &[-0.25, 1.0]), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(LOGARITHMIC, &[0.002, 0.3]), [0.01, 0.1]);
        let narrow = ticks(LOGARITHMIC, &[0.02, 0.05]);
        assert!((narrow[0] - 0.02).abs() < 1e-9 && (narrow[1] - 0.05).abs() < 1e-9, "{narrow:?}");
    }
}
