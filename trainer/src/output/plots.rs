//! The pictures of a run, each with the numbers behind it.

use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::report::{Metric, Quality};

use crate::plan::Relation;
use crate::results::{Export, Method, Results, TrainingResult};

/// All charts of a run by name.
pub fn all(results: &Results) -> Vec<(String, Chart)> {
    let mut charts = vec![
        ("lm_loss", lm_loss(results)),
        ("autoencoder_loss", autoencoder_loss(results)),
        ("fvu", bars(results, "Unexplained variance", "FVU, lower is better", 0.0, |q| q.fvu)),
        ("loss_added", loss_added(results)),
        ("feature_density", density(results)),
        ("active_features", active_features(results)),
    ];
    charts.extend(schedule(results).map(|chart| ("schedule", chart)));
    charts.extend(attention_patterns(results).map(|chart| ("attention_patterns", chart)));
    charts.extend(feature_reuse(results).map(|chart| ("feature_reuse", chart)));
    charts.extend(strongest(results).map(|chart| ("combinations", chart)));
    if results.relation == Relation::Steps {
        charts.push(("fvu_steps", steps(results)));
    }
    charts.into_iter().map(|(name, chart)| (name.to_string(), chart)).collect()
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.into(), scale }
}

fn lm_loss(results: &Results) -> Chart {
    let series =
        |split: &str, label: &str| curve(label, &results.lm.metrics, split, Mark::LinePoints);
    Chart {
        title: "Language model".into(),
        subtitle: Some("mean over the same random windows of each part".into()),
        x: axis("step", Scale::Linear),
        y: axis("loss, nats per character", Scale::Linear),
        series: vec![series("train", "training"), series("val", "validation")],
    }
}

/// The trainings of the exported models: more than a few are hard to tell apart.
fn exported(results: &Results) -> impl Iterator<Item = &TrainingResult> {
    results.exports.iter().filter_map(|export| {
        let method = results.methods.iter().find(|method| method.name == export.name)?;
        results.trainings.iter().find(|training| {
            training.trial == export.name
                && Some(&training.seed) == method.seeds.first()
                && method.setting == format!("lr={}", training.learning_rate)
        })
    })
}

/// The mean squared error of the first seed at each trial's best learning rate.
fn autoencoder_loss(results: &Results) -> Chart {
    let series = exported(results)
        .map(|training| curve(&training.trial, &training.metrics, "mse", Mark::Line))
        .collect();
    Chart {
        title: "Autoencoders".into(),
        subtitle: Some("error on the batches they learn from".into()),
        x: axis("step", Scale::Linear),
        y: axis("mean squared error", Scale::Log10),
        series,
    }
}

/// What changes while the fullest model trains, each as a share of its largest value.
fn schedule(results: &Results) -> Option<Chart> {
    let training = exported(results).last()?;
    let series = |(name, value): (&str, &str)| {
        let mut series = curve(name, &training.metrics, value, Mark::Line);
        let values = || series.points.iter().map(|(_, value)| *value);
        let (least, most) = values()
            .fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), value| {
                (least.min(value), most.max(value))
            });
        let last = values().next_back()?;
        series.label = match value {
            "learning_rate" => format!("{name}, up to {most}"),
            _ if least == most => format!("{name}, {last}"),
            _ => format!("{name}, {} to {last}", series.points[0].1),
        };
        series.points.iter_mut().for_each(|(_, value)| *value /= most.max(f64::MIN_POSITIVE));
        Some(series)
    };
    let shown = [
        ("features", "sparsity_k"),
        ("combination size", "combination_size"),
        ("learning rate", "learning_rate"),
    ];
    Some(Chart {
        title: format!("How {} is trained", training.trial),
        subtitle: Some("what it may use at each step; size 1: nothing combines".into()),
        x: axis("step", Scale::Linear),
        y: axis("share of the largest value", Scale::Linear),
        series: shown.into_iter().filter_map(series).collect(),
    })
}

/// Where the heads of the fullest attention look.
fn attention_patterns(results: &Results) -> Option<Chart> {
    let export = results.exports.iter().rev().find(|export| export.attention.is_some())?;
    let heads = export.attention.as_ref()?;
    let partners = heads.first()?.len() - 1;
    let share = |place: usize| {
        let points = heads.iter().enumerate().map(|(head, shares)| (head as f64, shares[place]));
        let label = match place {
            place if place == partners => "nothing".into(),
            0 => "strongest".into(),
            place => format!("partner {}", place + 1),
        };
        Series { label, mark: Mark::Stack, points: points.collect(), intervals: vec![] }
    };
    let names = (1..=heads.len()).map(|head| head.to_string()).collect();
    Some(Chart {
        title: format!("Where the heads of {} look", export.name),
        subtitle: Some("mean share of attention over the active features of held-out rows".into()),
        x: axis("head", Scale::Categories(names)),
        y: axis("share of attention", Scale::Linear),
        series: (0..=partners).map(share).collect(),
    })
}

/// In how many combinations features take part, beside parts drawn at random.
fn feature_reuse(results: &Results) -> Option<Chart> {
    let export = results.exports.iter().rev().find(|export| export.reuse.is_some())?;
    let reuse = export.reuse.as_ref()?;
    let live = reuse.features_by_chance.iter().sum::<f64>();
    let most = reuse.most.max(reuse.features_by_chance.len().saturating_sub(1));
    let mut counts = vec![0.0; most + 1];
    reuse.uses.iter().filter(|uses| **uses > 0).for_each(|uses| counts[*uses] += 1.0);
    counts[0] = (live - reuse.used as f64).max(0.0);
    let chance = |uses: usize| reuse.features_by_chance.get(uses).copied().unwrap_or(0.0);
    let series = |label: &str, value: &dyn Fn(usize) -> f64| Series {
        label: label.into(),
        mark: Mark::Bars,
        points: (0..=most).map(|uses| (uses as f64, value(uses))).collect(),
        intervals: vec![],
    };
    Some(Chart {
        title: format!("How often features of {} are reused", export.name),
        subtitle: Some(format!("{} combinations, {live:.0} live features", export.units)),
        x: axis(
            "combinations that a feature takes part in",
            Scale::Categories((0..=most).map(|uses| uses.to_string()).collect()),
        ),
        y: axis("features", Scale::Linear),
        series: vec![series("found", &|uses| counts[uses]), series("by chance", &chance)],
    })
}

/// How strong combinations are, and how frequent.
fn strongest(results: &Results) -> Option<Chart> {
    let export = results.exports.iter().rev().find(|export| !export.combinations.is_empty())?;
    let of_size = |(size, label): (usize, &str)| {
        let some = export.combinations.iter().filter(|one| one.size() == size);
        let points: Vec<(f64, f64)> =
            some.map(|one| (one.support as f64, one.interaction)).collect();
        let series = Series { label: label.into(), mark: Mark::Points, points, intervals: vec![] };
        (!series.points.is_empty()).then_some(series)
    };
    let sizes = [(2, "pairs"), (3, "triples"), (4, "quadruples")];
    Some(Chart {
        title: format!("What features of {} say together", export.name),
        subtitle: Some(format!("{} held-out rows", results.held_out_rows)),
        x: axis("rows on which all parts are active", Scale::Log10),
        y: axis("interaction |I(P)|", Scale::Linear),
        series: sizes.into_iter().filter_map(of_size).collect(),
    })
}

fn curve(label: &str, metrics: &[Metric], value: &str, mark: Mark) -> Series {
    let point = |metric: &Metric| Some((metric.step as f64, *metric.values.get(value)?));
    Series {
        label: label.into(),
        mark,
        points: metrics.iter().filter_map(point).collect(),
        intervals: vec![],
    }
}

fn loss_added(results: &Results) -> Chart {
    let clean = results.reference.clean;
    let title = "Loss added by the reconstruction";
    bars(results, title, "nats per character", clean, |quality| quality.ce_spliced)
}

/// The methods with the profile's own number of active features.
fn own(results: &Results) -> impl Iterator<Item = &Method> {
    results.methods.iter().filter(|method| method.sparsity_k == results.sparsity_k)
}

/// What the autoencoders leave unexplained, from the plainest to the fullest, without baselines, whose
/// bars would dwarf them.
fn steps(results: &Results) -> Chart {
    let methods: Vec<&Method> = own(results).filter(|method| !method.is_baseline()).collect();
    bars_of(
        results,
        &methods,
        "What each step leaves unexplained",
        "FVU, lower is better",
        0.0,
        |q| q.fvu,
    )
}

/// One bar for each method, less a number, with the lowest and highest seed.
fn bars(
    results: &Results,
    title: &str,
    label: &str,
    less: f64,
    value: fn(&Quality) -> f64,
) -> Chart {
    let methods: Vec<&Method> = own(results).collect();
    bars_of(results, &methods, title, label, less, value)
}

fn bars_of(
    results: &Results,
    methods: &[&Method],
    title: &str,
    label: &str,
    less: f64,
    value: fn(&Quality) -> f64,
) -> Chart {
    let of = |method: &Method| -> Vec<f64> {
        method.qualities.iter().map(|quality| value(quality) - less).collect()
    };
    let values: Vec<Vec<f64>> = methods.iter().map(|method| of(method)).collect();
    let names = methods.iter().map(|method| method.name.clone()).collect();
    Chart {
        title: title.into(),
        subtitle: Some(format!(
            "{} held-out rows; bars are means over seeds, whiskers the lowest and highest seed",
            results.held_out_rows
        )),
        x: axis("", Scale::Categories(names)),
        y: axis(label, Scale::Linear),
        series: vec![bar_series(title, &values)],
    }
}

/// A bar for the mean of each, with its lowest and highest value.
fn bar_series(label: &str, values: &[Vec<f64>]) -> Series {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let range = |values: &[f64]| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (values.len() > 1).then_some((low, high))
    };
    Series {
        label: label.into(),
        mark: Mark::Bars,
        points: values.iter().enumerate().map(|(i, v)| (i as f64, mean(v))).collect(),
        intervals: values.iter().map(|v| range(v)).collect(),
    }
}

/// On which share of the rows so many features are active.
fn active_features(results: &Results) -> Chart {
    let series = |export: &Export| {
        let rows = export.active_counts.iter().sum::<usize>().max(1) as f64;
        let counts = export.active_counts.iter().enumerate();
        let shares = counts.map(|(active, count)| (active as f64, *count as f64 / rows));
        Series {
            label: export.name.clone(),
            mark: Mark::LinePoints,
            points: shares.filter(|(_, share)| *share > 0.0).collect(),
            intervals: vec![],
        }
    };
    Chart {
        title: "How many features are active".into(),
        subtitle: Some(format!("{} held-out rows", results.held_out_rows)),
        x: axis("active features in a row (L0)", Scale::Linear),
        y: axis("share of rows", Scale::Log10),
        series: results.exports.iter().map(series).collect(),
    }
}

/// How many features fire how often, in bins of half a decade.
fn density(results: &Results) -> Chart {
    let series = results
        .exports
        .iter()
        .map(|export| {
            let mut counts = [0.0; 10];
            for feature in export.features.iter().filter(|feature| feature.density > 0.0) {
                let bin = ((feature.density.log10() + 5.0) * 2.0).floor().clamp(0.0, 9.0);
                counts[bin as usize] += 1.0;
            }
            let middle = |bin: usize| -5.0 + (bin as f64 + 0.5) / 2.0;
            Series {
                label: export.name.clone(),
                mark: Mark::LinePoints,
                points: counts.iter().enumerate().map(|(bin, n)| (middle(bin), *n)).collect(),
                intervals: vec![],
            }
        })
        .collect();
    Chart {
        title: "How often features fire".into(),
        subtitle: Some("features that never fire are left out".into()),
        x: axis("log10 of the share of rows", Scale::Linear),
        y: axis("features", Scale::Linear),
        series,
    }
}
