//! The names of the series, right of the frame and as high as their lines end.

use super::marks::Look;
use super::pen::{INK, fill, paint, stroke, text, width_of};
use super::svg::Frame;
use super::{Chart, Mark, Series};

/// The widest a name may be.
const NAME: f64 = 150.0;
/// From the frame to the samples, and from there to the names.
const SAMPLE: f64 = 14.0;
const LABEL: f64 = 44.0;

/// How much of the drawing's width the legend takes.
pub(super) fn width(chart: &Chart) -> f64 {
    if chart.series.len() < 2 {
        // Half a tick's text reaches beyond the frame.
        return 12.0;
    }
    let names = chart.series.iter().map(|series| width_of(&series.label));
    LABEL + names.fold(0.0, f64::max).min(NAME)
}

/// A row per series, if there are several.
pub(super) fn draw(chart: &Chart, frame: &Frame) -> String {
    if chart.series.len() < 2 {
        return String::new();
    }
    let heights: Vec<f64> = chart.series.iter().map(|series| end(series, frame)).collect();
    let rows = spread(&heights, frame.y.to + 4.0, frame.y.from);
    rows.iter()
        .zip(0..)
        .map(|(&y, index)| row(&chart.series[index], index, frame.x.to, y))
        .collect()
}

/// How high the last point lies; bars are named at the top.
fn end(series: &Series, frame: &Frame) -> f64 {
    let height = |&(x, y): &(f64, f64)| frame.x.at(x).and(frame.y.at(y));
    let last = series.points.iter().rev().find_map(height);
    last.filter(|_| !series.mark.is_bar()).unwrap_or(frame.y.to)
}

/// The heights nearest to those asked for at which rows do not overlap.
fn spread(heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let distance = ((bottom - top) / heights.len() as f64).min(20.0);
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&one, &other| heights[one].total_cmp(&heights[other]));

    let mut rows = heights.to_vec();
    let mut free = top;
    for &index in &order {
        rows[index] = rows[index].max(free);
        free = rows[index] + distance;
    }
    let mut free = bottom;
    for &index in order.iter().rev() {
        rows[index] = rows[index].min(free);
        free = rows[index] - distance;
    }
    rows
}

fn row(series: &Series, index: usize, right: f64, y: f64) -> String {
    let look = Look::of(series, index);
    let x = right + SAMPLE;
    let line = stroke(&format!("M{x:.1} {y:.1}h22"), look.width.max(1.6), look.dash);
    let marker = fill(&look.marker(x + 11.0, y), 1.0);
    let sample = match series.mark {
        Mark::Line => line,
        Mark::Points => marker,
        Mark::LinePoints => line + &marker,
        Mark::Bars | Mark::Stack => {
            fill(&format!("M{:.1} {:.1}h11v11h-11z", x + 5.5, y - 5.5), 0.9)
        }
    };
    let name = text(right + LABEL, y + 4.0, NAME, &series.label);
    paint(look.colour, "", &sample) + &paint(INK, "", &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_and_never_overlap() {
        let rows = spread(&[100.0, 95.0, 300.0, 300.0, 101.0], 80.0, 300.0);

        assert_eq!(rows, [115.0, 95.0, 280.0, 300.0, 135.0]);
    }

    #[test]
    fn many_rows_share_the_height() {
        let rows = spread(&[50.0; 40], 100.0, 300.0);

        assert_eq!((rows[0], rows[39]), (100.0, 295.0));
    }
}
