//! Numbers in, SVG out. Colours come from the page's style sheet by class, never from here: a strict
//! content security policy refuses styles inside the drawing.

use std::fmt::Write as _;

/// Bars of a feature's strengths from 0 to `high`, heights on a logarithmic scale, so that rare
/// strong firings are seen.
pub fn histogram(counts: &[u64], high: f64) -> String {
    const WIDTH: f64 = 480.0;
    const HEIGHT: f64 = 190.0;
    let (left, bottom, top) = (52.0, HEIGHT - 34.0, 12.0);
    let most = counts.iter().max().copied().unwrap_or(0);
    if most == 0 || !high.is_finite() {
        return String::new();
    }
    let decades = (most as f64).log10().max(1.0);
    let height = |count: u64| (1.0 + (count as f64).log10()) / (1.0 + decades) * (bottom - top);
    let label = format!("How often it fires how strongly, from 0 to {high:.2}");
    let mut svg = opening(WIDTH, HEIGHT, &label);
    for power in 0..=decades.floor() as u32 {
        let y = bottom - height(10_u64.pow(power));
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{left} {y:.1}H{WIDTH}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{}</text>",
            left - 8.0,
            y + 4.0,
            crate::figures::thousands(10_i64.pow(power))
        );
    }
    let step = (WIDTH - left) / counts.len() as f64;
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = height(*count);
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            left + place as f64 * step + 1.0,
            bottom - height,
            step - 2.0
        );
    }
    for (share, class) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let x = left + share * (WIDTH - left);
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"{class}\">{}</text>",
            bottom + 22.0,
            crate::figures::number(high * share)
        );
    }
    let _ = write!(svg, "<path class=\"base\" d=\"M{left} {bottom}H{WIDTH}\"/></svg>");
    svg
}

/// A histogram of the size of a word; `heights` are in hundredths of the highest.
pub fn spark(heights: &[u8]) -> String {
    let width = heights.len() * 4;
    let mut path = String::new();
    for (place, height) in heights.iter().enumerate().filter(|(_, height)| **height > 0) {
        let height = f64::from((*height).min(100)) * 0.16 + 1.5;
        let _ = write!(path, "M{} 18v-{height:.1}h3v{height:.1}z", place * 4);
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {width} 18\" width=\"{width}\" height=\"18\" \
         aria-hidden=\"true\"><path class=\"bar\" d=\"{path}\"/></svg>"
    )
}

/// A bar from 0 to `value` on a scale up to `most`, beside a line from `low` to `high` if there is
/// such an interval.
pub fn bar(value: f64, most: f64, interval: Option<[f64; 2]>) -> String {
    const WIDTH: f64 = 200.0;
    let x = |value: f64| (value / most * WIDTH).clamp(0.0, WIDTH);
    if !(most > 0.0 && value.is_finite()) {
        return String::new();
    }
    let whisker = interval.map_or(String::new(), |[low, high]| {
        let (low, high) = (x(low), x(high).max(x(low) + 1.0));
        format!("<path class=\"whisker\" d=\"M{low:.1} 7H{high:.1}M{low:.1} 4v6M{high:.1} 4v6\"/>")
    });
    format!(
        "<svg class=\"meter\" viewBox=\"0 0 {WIDTH} 14\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><path class=\"rail\" d=\"M0 2H{WIDTH}v10H0z\"/>\
         <path class=\"bar\" d=\"M0 2H{:.1}v10H0z\"/>{whisker}</svg>",
        x(value)
    )
}

/// The start of a drawing, with what it is called for those who do not see it.
pub(crate) fn opening(width: f64, height: f64, label: &str) -> String {
    let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_a_bar_for_every_bin_that_is_not_empty() {
        let svg = histogram(&[1, 0, 1_000, 7], 4.2);

        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains(">1,000<") && svg.contains(">4.20<"), "{svg}");
        assert!(!svg.contains("style"), "the page's policy refuses styles");
    }

    #[test]
    fn nothing_to_draw_gives_nothing() {
        assert_eq!(histogram(&[], 1.0), "");
        assert_eq!(histogram(&[0, 0], 1.0), "");
        assert_eq!(bar(f64::NAN, 1.0, None), "");
        assert_eq!(bar(1.0, 0.0, None), "");
    }

    #[test]
    fn bars_stay_on_their_rail() {
        let svg = bar(3.0, 1.0, Some([-1.0, 9.0]));

        assert!(svg.contains("H200.0v10") && svg.contains("M0.0 7H200.0"), "{svg}");
    }
}
