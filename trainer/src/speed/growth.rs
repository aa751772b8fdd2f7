//! How times grow when inputs do: the exponent `p` of `time = c size^p`, by least squares on logarithms.

use std::time::Instant;

use anyhow::Result;
use burn::prelude::*;
use serde_json::{Value, json};
use shared::plot::{Axis, Chart, Mark, Scale, Series};
use shared::{CharLmConfig, CsaeConfig};

use super::ours::{corpus, learn, rows};
use crate::activations;
use crate::console::Console;
use crate::data::Windows;
use crate::train::Unwatched;

/// A measurement is the fastest of so many: what else the machine does only adds.
const TRIES: usize = 3;
/// Steps of a training whose width grows.
const STEPS: u64 = 40;

/// Times over one size that grows.
#[derive(Clone, Debug)]
pub struct Growth {
    /// What grows.
    pub name: &'static str,
    /// What is done at every size.
    pub what: &'static str,
    /// Size and seconds.
    pub points: Vec<(f64, f64)>,
}

impl Growth {
    /// The exponent that fits best; not a number for fewer than two sizes.
    pub fn exponent(&self) -> f64 {
        let logs: Vec<(f64, f64)> =
            self.points.iter().map(|(size, seconds)| (size.ln(), seconds.ln())).collect();
        let count = logs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let together: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let alone: f64 = logs.iter().map(|point| (point.0 - x).powi(2)).sum();
        together / alone
    }

    /// The sizes and their seconds, for a person.
    pub fn points_in_words(&self) -> String {
        let point = |(size, seconds): &(f64, f64)| format!("{size}: {seconds:.3}");
        self.points.iter().map(point).collect::<Vec<_>>().join(", ")
    }

    /// As `speed.json` has it.
    pub fn to_json(&self) -> Value {
        let points: Vec<Value> =
            self.points.iter().map(|(size, seconds)| json!([size, seconds])).collect();
        json!({
            "name": self.name,
            "what": self.what,
            "size_and_seconds": points,
            "exponent": self.exponent(),
        })
    }
}

/// Measures every growth, on the processor.
///
/// # Errors
/// A training fails, or the user stops it.
pub fn measure(console: &Console) -> Result<Vec<Growth>> {
    let mut stage = console.stage("growth", 0, 4);
    let device = &Device::flex();
    let width = |size: usize| {
        let config = CsaeConfig::new(size).with_n_features(2 * size);
        let rows = rows(size, 8 * 512);
        fastest(|| learn(&config, &rows, (STEPS, device), &mut Unwatched))
    };
    let narrow = rows(128, 8 * 512);
    let active = |size: usize| {
        let config = CsaeConfig::new(128).with_sparsity_k(size);
        fastest(|| learn(&config, &narrow, (STEPS, device), &mut Unwatched))
    };
    let many = rows(128, 1_000_000);
    let once = |size: usize| {
        let first = crate::data::Rows { values: many.values[..size * 128].to_vec(), width: 128 };
        let steps = (size / 512) as u64;
        fastest(|| learn(&CsaeConfig::new(128), &first, (steps, device), &mut Unwatched))
    };
    let mut all = vec![];
    let mut add = |name, what, sizes: &[usize], time: &dyn Fn(usize) -> Result<f64>| {
        let points = sizes.iter().map(|size| Ok((*size as f64, time(*size)?)));
        all.push(Growth { name, what, points: points.collect::<Result<_>>()? });
        stage.progress(all.len() as u64, &|| name.into());
        anyhow::Ok(())
    };
    let training = "40 steps of TopK on 512 rows";
    let wide = "40 steps of TopK on 512 rows, twice as many features as numbers in a row, k 32";
    add("width", wide, &[64, 128, 256, 512, 1024], &width)?;
    add("active features", training, &[8, 16, 32, 64, 128], &active)?;
    let pass = "TopK 128 -> 256, k 32, trained on all rows once";
    add("rows", pass, &[62_500, 125_000, 250_000, 500_000, 1_000_000], &once)?;
    let reading = "a language model of 4 layers of 128 reads a text in windows of 64";
    add("characters", reading, &[4_096, 8_192, 16_384, 32_768, 65_536], &read)?;
    stage.finish("measured");
    Ok(all)
}

/// The seconds of the fastest of a few calls.
fn fastest(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        let started = Instant::now();
        call()?;
        least = least.min(started.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn read(characters: usize) -> Result<f64> {
    let config = CharLmConfig::new(65);
    let model = config.init(1, &Device::flex());
    let text = corpus(config.vocab_size, characters * 10 / 9 + 1).train;
    let windows = Windows { block_size: config.block_size };
    let read = |batch: &_| activations::stream(&model, 2, batch);
    fastest(|| activations::in_order(&read, &text, windows, characters).map(drop))
}

/// All growths in one picture, each as multiples of its smallest size and shortest time.
pub fn charts(growths: &[Growth], machine: &str) -> Vec<(String, Chart)> {
    if growths.is_empty() {
        return vec![];
    }
    let series = growths.iter().map(|growth| {
        let (size, seconds) = growth.points.first().copied().unwrap_or((1.0, 1.0));
        Series {
            label: format!("{} {:.2}", growth.name, growth.exponent()),
            mark: Mark::LinePoints,
            points: growth.points.iter().map(|(x, y)| (x / size, y / seconds)).collect(),
            intervals: vec![],
        }
    });
    let axis = |label: &str| Axis { label: label.into(), scale: Scale::Log10 };
    let chart = Chart {
        title: "How times grow".into(),
        subtitle: Some(format!("{machine}; behind each name the exponent")),
        x: axis("size, as a multiple of the smallest"),
        y: axis("time, as a multiple of the shortest"),
        series: series.collect(),
    };
    vec![("growth".into(), chart)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let growth = |power: f64| Growth {
            name: "size",
            what: "a power",
            points: [1.0, 2.0, 4.0, 8.0].map(|size: f64| (size, 3.0 * size.powf(power))).into(),
        };

        for power in [0.0, 1.0, 1.7] {
            assert!((growth(power).exponent() - power).abs() < 1e-12);
        }
        assert_eq!(charts(&[growth(1.0)], "m")[0].1.series[0].points[3], (8.0, 8.0));
    }
}
