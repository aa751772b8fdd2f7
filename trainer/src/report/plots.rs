//! The pictures of a report. Bars and points of one picture were made under the same conditions.

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::report::Metric;

use super::recorded::{Learned, Of, Recorded};

/// How many series a picture has at most.
const MOST_SERIES: usize = 6;
/// A method that leaves less has as many numbers as dimensions, and no place among the others.
const EXACT: f64 = 1e-9;

/// All pictures by name.
pub fn all(runs: &[Recorded]) -> Vec<(String, Chart)> {
    let results: Vec<Of> = runs.iter().flat_map(Recorded::results).collect();
    let mut conditions: Vec<Learned> = results.iter().map(Of::learned).collect();
    conditions.sort();
    conditions.dedup();
    let mut charts = vec![];
    for (number, condition) in conditions.iter().enumerate() {
        let alike: Vec<Of> =
            results.iter().copied().filter(|of| of.learned() == *condition).collect();
        let name = |measure: &str| format!("{measure}_{}", number + 1);
        let fvu = ("FVU, lower is better", Scale::Log10);
        let title = "Unexplained variance";
        charts.push((name("fvu"), compared(&alike, title, fvu, "fvu")));
        let recovered = ("share of the loss by zero ablation", Scale::Linear);
        let title = "Loss recovered by the reconstruction";
        charts
            .push((name("ce_recovered"), compared(&alike, title, recovered, "ce_recovered_zero")));
    }
    charts.extend(lm_loss(runs).map(|chart| ("lm_loss".to_string(), chart)));
    charts
}

/// A point for each method of each run, with its lowest and highest seed.
fn compared(alike: &[Of], title: &str, (label, scale): (&str, Scale), measure: &str) -> Chart {
    let methods = methods(alike);
    let series = alike.iter().take(MOST_SERIES).map(|of| {
        let (mut points, mut intervals) = (vec![], vec![]);
        for (place, method) in methods.iter().enumerate() {
            let name = format!("{method}_{measure}");
            let Some(mean) = of.mean(&name) else { continue };
            let values = of.values(&name);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            points.push((place as f64, mean));
            intervals.push((values.len() > 1).then_some((low, high)));
        }
        Series { label: of.run.to_string(), mark: Mark::Points, points, intervals }
    });
    let shown = alike.len().min(MOST_SERIES);
    let left_out = match alike.len() - shown {
        0 => String::new(),
        more => format!("; {more} more runs are in the table"),
    };
    let conditions = alike.first().map(Of::learned);
    // The subtitle has no room for both.
    let made_by = conditions.map_or("", |learned| learned.made_by);
    let subtitle = conditions.map(|learned| Learned { made_by: "", ..learned }.to_string());
    Chart {
        title: if made_by.is_empty() { title.into() } else { format!("{title}, {made_by}") },
        subtitle,
        x: Axis {
            label: String::new(),
            scale: Scale::Categories(methods.iter().map(|name| name.to_string()).collect()),
        },
        y: Axis {
            label: format!("{label}; means over seeds, whiskers the lowest and highest{left_out}"),
            scale,
        },
        series: series.collect(),
    }
}

/// The methods that leave something, the one that leaves most first.
fn methods<'a>(alike: &[Of<'a>]) -> Vec<&'a str> {
    let mut methods: Vec<(&str, f64)> = vec![];
    for of in alike {
        for method in of.methods() {
            let mean = of.mean(&format!("{method}_fvu")).unwrap_or(0.0);
            if mean > EXACT && methods.iter().all(|(other, _)| *other != method) {
                methods.push((method, mean));
            }
        }
    }
    methods.sort_by(|one, other| other.1.total_cmp(&one.1));
    methods.into_iter().map(|(name, _)| name).collect()
}

/// How the validation loss of each language model fell; runs that share one have one line.
fn lm_loss(runs: &[Recorded]) -> Option<Chart> {
    let mut series: Vec<Series> = vec![];
    for (label, points) in runs.iter().flat_map(lm_curves) {
        match series.iter_mut().find(|other| other.points == points) {
            Some(other) => other.label += &format!(", {label}"),
            None => {
                let mark = Mark::LinePoints;
                series.push(Series { label, mark, points, intervals: vec![] });
            }
        }
    }
    series.truncate(MOST_SERIES);
    (!series.is_empty()).then(|| Chart {
        title: "Language models".into(),
        subtitle: Some("losses on different texts do not compare".into()),
        x: Axis { label: "step".into(), scale: Scale::Linear },
        y: Axis { label: "validation loss, nats per character".into(), scale: Scale::Linear },
        series,
    })
}

/// The validation losses of each language model of a run, with what to call it: by the run, and by what
/// its stage says beyond `lm`.
fn lm_curves(run: &Recorded) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut curves: Vec<(String, Vec<(f64, f64)>)> = vec![];
    for Metric { stage, step, values } in &run.metrics {
        let mut words = stage.splitn(2, ' ');
        if words.next() != Some("lm") {
            continue;
        }
        let Some(loss) = values.get("val") else { continue };
        let label = match words.next() {
            Some(which) => format!("{} {which}", run.name),
            None => run.name.clone(),
        };
        let point = (*step as f64, *loss);
        match curves.iter_mut().find(|(other, _)| *other == label) {
            Some((_, points)) => points.push(point),
            None => curves.push((label, vec![point])),
        }
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::report::DatasetInfo;

    fn run(name: &str, profile: &str, last: f64) -> Recorded {
        let mut info = DatasetInfo::default();
        info.add("topk_fvu", &[0.1, 0.2]);
        info.add("topk_ce_recovered_zero", &[0.9, 0.8]);
        info.final_info_dict.insert("topk_setting".into(), json!("s"));
        info.final_info_dict.insert("profile".into(), json!(profile));
        let metric = |step: u64, loss: f64| Metric {
            stage: "lm".into(),
            step,
            values: [("val".to_string(), loss)].into(),
        };
        Recorded {
            name: name.into(),
            datasets: [("t".to_string(), info)].into(),
            metrics: vec![metric(10, 3.0), metric(20, last)],
            ..Recorded::default()
        }
    }

    #[test]
    fn a_picture_shows_what_was_made_under_the_same_conditions_only() {
        let runs = [run("run_0", "cpu", 2.0), run("run_1", "cpu", 2.0), run("old", "smoke", 2.5)];

        let charts = all(&runs);

        let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["fvu_1", "ce_recovered_1", "fvu_2", "ce_recovered_2", "lm_loss"]);
        let labels = |chart: &Chart| -> Vec<String> {
            chart.series.iter().map(|series| series.label.clone()).collect()
        };
        assert_eq!(labels(&charts[0].1), ["run_0", "run_1"]);
        assert_eq!(charts[0].1.series[0].intervals, [Some((0.1, 0.2))]);
        assert_eq!(labels(&charts[2].1), ["old"]);
        assert_eq!(labels(&charts[4].1), ["run_0, run_1", "old"]);
    }
}
