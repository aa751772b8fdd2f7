//! Charts as data, drawn the same for the trainer's files and the page. Knows no run and no page.

mod legend;
mod marks;
mod pen;
mod scale;
mod svg;

/// A drawing of a few series over two axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What the chart shows.
    pub title: String,
    /// Under which conditions, in smaller letters.
    pub subtitle: Option<String>,
    /// The axis from left to right.
    pub x: Axis,
    /// The axis from bottom to top; its label stands above it.
    pub y: Axis,
    /// What is drawn, the first below the others. More than six are hard to tell apart.
    pub series: Vec<Series>,
}

/// What one direction of the chart means.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity, and its unit if it has one.
    pub label: String,
    /// How its values become places.
    pub scale: Scale,
}

/// How values become places along an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart; what is not above zero is not drawn.
    Log10,
    /// One place per name; the value is the name's index.
    Categories(Vec<String>),
}

/// How the points of a series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line, with the intervals as a band around it.
    Line,
    /// A marker per point, with its interval as a whisker.
    Points,
    /// Both the line and the markers.
    LinePoints,
    /// A bar from zero, with its interval as a whisker; several such series stand side by side.
    Bars,
    /// A bar that stands on those of the stacked series before it; values below zero are not drawn.
    Stack,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name in the legend, which a chart of one series does without.
    pub label: String,
    /// How the points are drawn.
    pub mark: Mark,
    /// `(x, y)`; a point that cannot be drawn is left out and interrupts a line.
    pub points: Vec<(f64, f64)>,
    /// `(low, high)` of y for each point that has it; may be shorter than `points`.
    pub intervals: Vec<Option<(f64, f64)>>,
}

impl Chart {
    /// The chart as a file of its own, which may also stand inside a page.
    ///
    /// A page sets its colours by the properties `--plot-ground`, `--plot-ink`, `--plot-muted`,
    /// `--plot-grid` and `--plot-1` to `--plot-6`; alone, the drawing follows the reader's theme.
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }

    /// The numbers behind the drawing: `series,x,y`, and `low,high` if a point has an interval.
    pub fn to_csv(&self) -> String {
        let has_intervals =
            self.series.iter().any(|series| series.intervals.iter().any(Option::is_some));
        let mut csv =
            String::from(if has_intervals { "series,x,y,low,high\n" } else { "series,x,y\n" });
        for series in &self.series {
            for (index, &(x, y)) in series.points.iter().enumerate() {
                let x = self.x.scale.name(x).map_or_else(|| format!("{x:?}"), quoted);
                let interval = match series.intervals.get(index).copied().flatten() {
                    Some((low, high)) => format!(",{low:?},{high:?}"),
                    None if has_intervals => String::from(",,"),
                    None => String::new(),
                };
                csv += &format!("{},{x},{y:?}{interval}\n", quoted(&series.label));
            }
        }
        csv
    }
}

impl Chart {
    /// Where the bar of a stacked series begins.
    fn below(&self, index: usize, x: f64) -> f64 {
        let stacked = self.series[..index].iter().filter(|series| series.mark == Mark::Stack);
        let here = stacked.flat_map(|series| &series.points).filter(|point| point.0 == x);
        here.map(|point| point.1).filter(|y| *y > 0.0).sum()
    }
}

impl Mark {
    /// Whether points are bars.
    fn is_bar(self) -> bool {
        matches!(self, Self::Bars | Self::Stack)
    }
}

impl Series {
    /// The interval of a point, if it can be drawn.
    fn interval(&self, index: usize) -> Option<(f64, f64)> {
        let is_finite = |&(low, high): &(f64, f64)| low.is_finite() && high.is_finite();
        self.intervals.get(index).copied().flatten().filter(is_finite)
    }
}

/// A field of a CSV line, in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, intervals: Vec<Option<(f64, f64)>>) -> Chart {
        let points = vec![(0.0, 0.5), (1.0, f64::NAN)];
        Chart {
            title: String::new(),
            subtitle: None,
            x: Axis { label: String::new(), scale },
            y: Axis { label: String::new(), scale: Scale::Linear },
            series: vec![Series { label: "a, \"b\"".into(), mark: Mark::Bars, points, intervals }],
        }
    }

    #[test]
    fn the_csv_holds_every_point_even_those_that_cannot_be_drawn() {
        let csv = chart(Scale::Linear, vec![]).to_csv();

        assert_eq!(csv, "series,x,y\n\"a, \"\"b\"\"\",0.0,0.5\n\"a, \"\"b\"\"\",1.0,NaN\n");
    }

    #[test]
    fn the_csv_has_names_for_categories_and_columns_for_intervals() {
        let methods = Scale::Categories(vec!["csae".into(), "pmi".into()]);

        let csv = chart(methods, vec![Some((0.25, 1e-9))]).to_csv();

        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "series,x,y,low,high");
        assert_eq!(lines[1], "\"a, \"\"b\"\"\",csae,0.5,0.25,1e-9");
        assert_eq!(lines[2], "\"a, \"\"b\"\"\",pmi,NaN,,");
    }
}
