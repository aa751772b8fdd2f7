//! The layout of a chart: where heading, axes, series and legend go.

use super::legend;
use super::marks;
use super::pen::{GRID, GROUND, INK, MUTED, escaped, fill, paint, rising_text, stroke};
use super::pen::{style_sheet, text, width_of};
use super::scale::Ruler;
use super::{Chart, Mark};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const MARGIN: f64 = 24.0;
/// The longest a category, written at an angle, or a tick's text may be.
const NAME: f64 = 112.0;

/// The whole drawing.
pub(super) fn draw(chart: &Chart) -> String {
    let frame = Frame::around(chart);
    let series = (0..chart.series.len()).map(|index| marks::draw(chart, index, &frame));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\" aria-label=\"{}\" \
         font-family=\"Ubuntu, sans-serif\" font-size=\"12\">\n\
         <style>\n{}</style>\n{}{}{}{}{}</svg>\n",
        escaped(&chart.title),
        style_sheet(),
        paint(GROUND, "", &fill(&format!("M0 0H{WIDTH}V{HEIGHT}H0z"), 1.0)),
        frame.heading(chart),
        frame.axes(chart),
        series.collect::<String>(),
        legend::draw(chart, &frame),
    )
}

/// The lowest and the highest position on an axis, if anything is drawn.
type Extent = Option<(f64, f64)>;

/// The rectangle in which every point lies.
pub(super) struct Frame {
    pub x: Ruler,
    pub y: Ruler,
    /// Pixels from one bar, or one group of bars, to the next.
    pub slot: f64,
    has_rising_names: bool,
}

impl Frame {
    pub fn around(chart: &Chart) -> Self {
        let (mut along, mut up) = chart.extents();
        let gap = chart.bar_gap();
        if let Some(gap) = gap {
            let room = if chart.x.scale.is_categories() { 0.0 } else { 0.5 * gap };
            along = along.map(|(low, high)| (low - room, high + room));
            // Room for the numbers beyond the bars.
            up = up.map(|(low, high)| {
                let bars = chart.series.iter().filter(|series| series.mark == Mark::Bars);
                let numbers = bars.count() == 1;
                let room = if numbers { 0.07 * (high - low) } else { 0.0 };
                (
                    low - if low < 0.0 { room } else { 0.0 },
                    high + if high > 0.0 { room } else { 0.0 },
                )
            });
        }
        let top = if chart.subtitle.is_some() { 102.0 } else { 82.0 };
        let mut y = Ruler::new(&chart.y.scale, up, 0.0, top);
        let numbers = y.ticks.iter().map(|tick| width_of(&tick.text)).fold(0.0, f64::max);
        let left = MARGIN + numbers.min(NAME) + 8.0;
        let right = WIDTH - MARGIN - legend::width(chart);
        let x = Ruler::new(&chart.x.scale, along, left, right);
        let slot = x.pixels(gap.unwrap_or(1.0));
        let is_long = |text: &str| width_of(text) > slot - 8.0;
        let has_rising_names =
            chart.x.scale.is_categories() && x.ticks.iter().any(|tick| is_long(&tick.text));
        y.from = HEIGHT - if has_rising_names { 124.0 } else { 60.0 };
        Self { x, y, slot, has_rising_names }
    }

    /// Where bars stand and the x axis lies: at zero if the y axis has it, else at the bottom.
    pub fn base(&self) -> f64 {
        let is_inside = |y: &f64| (self.y.to..=self.y.from).contains(y);
        self.y.at(0.0).filter(is_inside).unwrap_or(self.y.from)
    }

    fn heading(&self, chart: &Chart) -> String {
        let room = WIDTH - 2.0 * MARGIN;
        let title = text(MARGIN, 36.0, room * 12.0 / 17.0, &chart.title);
        let subtitle = chart.subtitle.iter().map(|subtitle| text(MARGIN, 57.0, room, subtitle));
        let quantity = text(MARGIN, self.y.to - 15.0, room, &chart.y.label);
        paint(INK, " font-size=\"17\" font-weight=\"500\"", &title)
            + &paint(MUTED, "", &(subtitle.collect::<String>() + &quantity))
    }

    fn axes(&self, chart: &Chart) -> String {
        let (left, right, bottom, top) = (self.x.from, self.x.to, self.y.from, self.y.to);
        let middle = (left + right) / 2.0;
        let (mut grid, mut ends, mut middles) = (String::new(), String::new(), String::new());
        for tick in &self.y.ticks {
            let y = self.y.pixel(tick.position);
            grid += &format!("M{left:.1} {y:.1}H{right:.1}");
            ends += &text(left - 8.0, y + 4.0, NAME, &tick.text);
        }
        let every = (24.0 / self.slot).ceil().max(1.0) as usize;
        let every = if self.has_rising_names { every } else { 1 };
        for tick in self.x.ticks.iter().step_by(every) {
            let x = self.x.pixel(tick.position);
            if !chart.x.scale.is_categories() {
                grid += &format!("M{x:.1} {bottom:.1}V{top:.1}");
            }
            if self.has_rising_names {
                let room = ((x - 4.0) / 0.82).min(NAME);
                ends += &rising_text(x + 4.0, bottom + 16.0, room, &tick.text);
            } else {
                middles += &text(x, bottom + 18.0, NAME, &tick.text);
            }
        }
        middles += &text(middle, HEIGHT - 18.0, right - left, &chart.x.label);
        if chart.extents().0.is_none() {
            middles += &text(middle, (bottom + top) / 2.0, NAME, "no data");
        }
        let base = format!("M{left:.1} {:.1}H{right:.1}", self.base());
        paint(GRID, "", &stroke(&grid, 1.0, "none"))
            + &paint(MUTED, "", &stroke(&base, 1.0, "none"))
            + &paint(MUTED, " text-anchor=\"end\"", &ends)
            + &paint(MUTED, " text-anchor=\"middle\"", &middles)
    }
}

impl Chart {
    /// How far the points reach on the x axis and, with their intervals, on the y axis.
    fn extents(&self) -> (Extent, Extent) {
        let (mut along, mut up) = (Vec::new(), Vec::new());
        for (place, series) in self.series.iter().enumerate() {
            for (index, &(x, y)) in series.points.iter().enumerate() {
                let y = match series.mark {
                    Mark::Stack => self.below(place, x) + y.max(0.0),
                    _ => y,
                };
                let position = self.x.scale.position(x).zip(self.y.scale.position(y));
                let Some((x, y)) = position else { continue };
                let (low, high) = series.interval(index).unzip();
                let base = series.mark.is_bar().then_some(0.0);
                let further = [low, high, base].into_iter().flatten();
                along.push(x);
                up.push(y);
                up.extend(further.filter_map(|value| self.y.scale.position(value)));
            }
        }
        (extent(&along), extent(&up))
    }

    /// The smallest distance between neighbouring bars; `None` if no series has bars.
    fn bar_gap(&self) -> Option<f64> {
        let bars = || self.series.iter().filter(|series| series.mark.is_bar());
        bars().next()?;
        if self.x.scale.is_categories() {
            return Some(1.0);
        }
        let xs = bars().flat_map(|series| &series.points);
        let mut xs: Vec<f64> = xs.filter_map(|point| self.x.scale.position(point.0)).collect();
        xs.sort_by(f64::total_cmp);
        let gaps = xs.windows(2).map(|pair| pair[1] - pair[0]).filter(|&gap| gap > 0.0);
        Some(gaps.reduce(f64::min).unwrap_or(1.0))
    }
}

fn extent(positions: &[f64]) -> Extent {
    let low = positions.iter().copied().reduce(f64::min)?;
    let high = positions.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Axis, Scale, Series};

    const HOSTILE: [(f64, f64); 9] = [
        (0.0, 1.0),
        (1.0, -3.0),
        (2.0, f64::NAN),
        (f64::INFINITY, 2.0),
        (1e-9, 1e9),
        (1.0, 0.0),
        (2.0, 1e305),
        (-1.0, -1e280),
        (1.0, 1e-310),
    ];

    fn chart(x: Scale, y: Scale, mark: Mark, points: &[(f64, f64)]) -> Chart {
        let axis = |scale| Axis { label: "l".repeat(500), scale };
        let series = |label: &str| Series {
            label: label.repeat(100),
            mark,
            points: points.to_vec(),
            intervals: vec![Some((f64::NAN, 2.0)), Some((-9.0, 9.0))],
        };
        Chart {
            title: "a < b".repeat(100),
            subtitle: None,
            x: axis(x),
            y: axis(y),
            series: (0..9).map(|_| series("a & b")).collect(),
        }
    }

    /// Every pair of scales with every mark.
    fn all_charts(points: &[(f64, f64)]) -> Vec<Chart> {
        let names = vec!["csae".repeat(9), String::new(), "pmi".into()];
        let scales = [Scale::Linear, Scale::Log10, Scale::Categories(names)];
        let mut charts = Vec::new();
        for x in &scales {
            for y in &scales {
                for mark in [Mark::Line, Mark::Points, Mark::LinePoints, Mark::Bars, Mark::Stack] {
                    charts.push(chart(x.clone(), y.clone(), mark, points));
                }
            }
        }
        charts
    }

    #[test]
    fn every_point_that_can_be_drawn_lies_inside_the_frame() {
        for points in [&HOSTILE[..], &HOSTILE[..1], &[(5.0, 5.0), (5.0, 5.0)]] {
            for chart in all_charts(points) {
                let Frame { x, y, .. } = Frame::around(&chart);
                for &(along, up) in points {
                    // Bars below zero have no place in a stack.
                    if chart.series[0].mark == Mark::Stack && up < 0.0 {
                        continue;
                    }
                    let Some((along, up)) = x.at(along).zip(y.at(up)) else { continue };
                    assert!(along > x.from - 1e-3 && along < x.to + 1e-3, "{along}");
                    assert!(up > y.to - 1e-3 && up < y.from + 1e-3, "{up}");
                }
                assert!(0.0 < x.from && x.from < x.to && x.to < WIDTH, "{} {}", x.from, x.to);
                assert!(0.0 < y.to && y.to < y.from && y.from < HEIGHT, "{} {}", y.to, y.from);
            }
        }
    }

    #[test]
    fn stacked_bars_stand_on_one_another() {
        let names = || Scale::Categories(vec!["a".into(), "b".into()]);
        let mut chart = chart(names(), Scale::Linear, Mark::Stack, &[(0.0, 3.0), (1.0, 1.0)]);
        chart.series.truncate(3);

        assert_eq!(
            (chart.below(0, 0.0), chart.below(2, 0.0), chart.below(2, 1.0)),
            (0.0, 6.0, 2.0)
        );
        let Frame { y, .. } = Frame::around(&chart);
        let top = y.at(9.0).unwrap();
        assert!(top >= y.to - 1e-3 && top < y.to + 60.0, "{top}");
    }

    #[test]
    fn no_coordinate_is_ever_missing() {
        for points in [&HOSTILE[..], &HOSTILE[..1], &[]] {
            for chart in all_charts(points) {
                let svg = draw(&chart);

                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
            }
        }
    }

    #[test]
    fn a_chart_without_points_says_so() {
        let says_so = |points| {
            let svg = draw(&chart(Scale::Log10, Scale::Linear, Mark::Line, points));
            svg.contains(">no data<")
        };

        assert!(says_so(&[]) && says_so(&[(-1.0, 2.0), (1.0, f64::NAN)]));
        assert!(!says_so(&[(1.0, 2.0)]));
    }

    #[test]
    fn names_of_any_length_and_content_stay_text() {
        let svg = draw(&chart(Scale::Linear, Scale::Linear, Mark::Line, &HOSTILE));

        assert!(svg.contains("a &lt; ba &lt; b") && !svg.contains("a < b"));
        assert!(svg.contains("a &amp; ba &amp; b") && svg.contains('\u{2026}'));
    }
}
