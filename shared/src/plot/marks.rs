//! One series as lines, markers, bars, bands and whiskers.

use super::pen::{Colour, INK, SERIES, fill, paint, stroke, text, width_of};
use super::scale::short_number;
use super::svg::Frame;
use super::{Chart, Mark, Series};

/// Outlines around a point: circle, square, triangle, diamond, triangle upside down, plus.
const MARKERS: [&str; 6] = [
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "m-3.2-3.2h6.4v6.4h-6.4z",
    "m0-4.4l4.2 7.4h-8.4z",
    "m0-4.7l4.7 4.7l-4.7 4.7l-4.7-4.7z",
    "m0 4.4l4.2-7.4h-8.4z",
    "m-1.3-4.3h2.6v3h3v2.6h-3v3h-2.6v-3h-3v-2.6h3z",
];
const DASHES: [&str; 6] = ["none", "7 3", "2 3", "10 3 2 3", "14 4", "4 2"];

/// Series `index` of `chart`.
pub(super) fn draw(chart: &Chart, index: usize, frame: &Frame) -> String {
    let series = &chart.series[index];
    if series.mark == Mark::Bars {
        return bars(chart, index, frame);
    }
    if series.mark == Mark::Stack {
        return stacked(chart, index, frame);
    }
    let look = Look::of(series, index);
    let places = places(series, frame, 0.0);
    let is_line = series.mark == Mark::Line;
    let marked = if is_line { lone(&places) } else { places.iter().flatten().collect() };
    let markers: String = marked.iter().map(|place| look.marker(place.x, place.y)).collect();
    let opacity = if places.len() > 200 { 0.5 } else { 1.0 };
    let intervals = if is_line { fill(&band(&places), 0.16) } else { whiskers(&places) };
    let line = if series.mark == Mark::Points { String::new() } else { line(&places) };
    let marks = intervals + &stroke(&line, look.width, look.dash) + &fill(&markers, opacity);
    paint(look.colour, "", &marks)
}

/// What tells a series from the others: its colour, and its marker or its dash.
pub(super) struct Look {
    pub colour: Colour,
    pub dash: &'static str,
    pub width: f64,
    marker: &'static str,
}

impl Look {
    pub fn of(series: &Series, index: usize) -> Self {
        // The seventh series has the first one's colour, but not its marker.
        let shape = (index + index / SERIES.len()) % SERIES.len();
        // A line of many points is too ragged for dashes.
        let is_dense = series.points.len() > 300;
        let has_dash = series.mark == Mark::Line && !is_dense;
        Self {
            colour: SERIES[index % SERIES.len()],
            dash: if has_dash { DASHES[shape] } else { DASHES[0] },
            width: if is_dense { 1.0 } else { 1.8 },
            marker: MARKERS[shape],
        }
    }

    pub fn marker(&self, x: f64, y: f64) -> String {
        format!("M{x:.1} {y:.1}{}", self.marker)
    }
}

/// A point in the drawing, with its interval.
struct Place {
    x: f64,
    y: f64,
    interval: Option<(f64, f64)>,
}

/// The places of the points, `offset` further right; `None` for those that cannot be drawn.
fn places(series: &Series, frame: &Frame, offset: f64) -> Vec<Option<Place>> {
    let end = |value| frame.y.at(value).unwrap_or(frame.y.from);
    let place = |(index, &(x, y)): (usize, &(f64, f64))| {
        let interval = series.interval(index).map(|(low, high)| (end(low), end(high)));
        Some(Place { x: frame.x.at(x)? + offset, y: frame.y.at(y)?, interval })
    };
    series.points.iter().enumerate().map(place).collect()
}

fn bars(chart: &Chart, index: usize, frame: &Frame) -> String {
    let is_bar = |series: &&Series| series.mark == Mark::Bars;
    let abreast = chart.series.iter().filter(is_bar).count() as f64;
    let left_of_it = chart.series[..index].iter().filter(is_bar).count() as f64;
    let share = if chart.x.scale.is_categories() { 0.72 } else { 0.96 };
    let width = (share * frame.slot / abreast).min(64.0);

    let series = &chart.series[index];
    let places = places(series, frame, (left_of_it - (abreast - 1.0) / 2.0) * width);
    let is_narrow = |point: &(f64, f64)| width_of(&short_number(point.1)) < 1.08 * width;
    let has_numbers = abreast < 2.0 && series.points.iter().all(is_narrow);
    let (mut bars, mut numbers) = (String::new(), String::new());
    for (place, &(_, value)) in places.iter().zip(&series.points) {
        let Some(Place { x, y, interval }) = place else { continue };
        let (left, right) = (x - 0.47 * width, x + 0.47 * width);
        bars += &format!("M{left:.1} {:.1}V{y:.1}H{right:.1}V{0:.1}z", frame.base());
        let (low, high) = interval.unwrap_or((*y, *y));
        let beyond = if value < 0.0 { low.max(*y) + 14.0 } else { high.min(*y) - 6.0 };
        if has_numbers {
            numbers += &text(*x, beyond, 1.08 * width, &short_number(value));
        }
    }
    paint(Look::of(series, index).colour, "", &fill(&bars, 0.9))
        + &paint(INK, "", &whiskers(&places))
        + &paint(INK, " font-size=\"11\" text-anchor=\"middle\"", &numbers)
}

fn stacked(chart: &Chart, index: usize, frame: &Frame) -> String {
    let series = &chart.series[index];
    let share = if chart.x.scale.is_categories() { 0.72 } else { 0.96 };
    let half = 0.47 * (share * frame.slot).min(64.0);
    let bar = |&(x, y): &(f64, f64)| {
        let below = chart.below(index, x);
        let (low, high) = (frame.y.at(below)?, frame.y.at(below + y)?);
        let (left, right) = (frame.x.at(x)? - half, frame.x.at(x)? + half);
        Some(format!("M{left:.1} {low:.1}V{high:.1}H{right:.1}V{low:.1}z"))
    };
    let bars: String = series.points.iter().filter(|point| point.1 > 0.0).filter_map(bar).collect();
    paint(Look::of(series, index).colour, "", &fill(&bars, 0.9))
}

fn line(places: &[Option<Place>]) -> String {
    let runs = places.split(Option::is_none);
    runs.map(|run| path(run.iter().flatten().map(|place| (place.x, place.y)))).collect()
}

/// The places between two gaps, where a line would be a mere point.
fn lone(places: &[Option<Place>]) -> Vec<&Place> {
    places.split(Option::is_none).filter(|run| run.len() == 1).flatten().flatten().collect()
}

fn whiskers(places: &[Option<Place>]) -> String {
    let whisker = |place: &Place| {
        let (x, (low, high)) = (place.x, place.interval?);
        let left = x - 4.0;
        Some(format!("M{x:.1} {low:.1}V{high:.1}M{left:.1} {high:.1}h8M{left:.1} {low:.1}h8"))
    };
    let whiskers: String = places.iter().flatten().filter_map(whisker).collect();
    stroke(&whiskers, 1.2, "none")
}

fn band(places: &[Option<Place>]) -> String {
    let interval = |place: &Option<Place>| {
        let place = place.as_ref()?;
        Some((place.x, place.interval?))
    };
    let runs = places.split(|place| interval(place).is_none()).filter(|run| run.len() > 1);
    let outline = |run: &[Option<Place>]| {
        let lower = run.iter().filter_map(interval).map(|(x, (low, _))| (x, low));
        let upper = run.iter().rev().filter_map(interval).map(|(x, (_, high))| (x, high));
        path(lower.chain(upper)) + "z"
    };
    runs.map(outline).collect()
}

fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in places {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        path += &format!("{letter}{x:.1} {y:.1}");
    }
    path
}
