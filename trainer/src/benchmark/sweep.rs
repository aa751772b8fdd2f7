//! One knob at several values.

use serde_json::{Value, json};
use shared::plot::Scale;

use super::arguments::Knobs;
use super::config::WorldConfig;
use super::runs::{MethodRuns, to_json};
use crate::complaint::Complaint;

/// What methods reached at each value of a knob.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The knob's name.
    pub knob: String,
    /// The values in the order in which they were given.
    pub points: Vec<SweepPoint>,
}

/// What methods reached at one value.
#[derive(Clone, Debug)]
pub struct SweepPoint {
    /// The value as it was given.
    pub value: String,
    /// The first world.
    pub world: WorldConfig,
    /// The methods.
    pub runs: Vec<MethodRuns>,
}

/// A knob and the settings of all knobs at each of its values.
pub type Plan = (String, Vec<(String, Knobs)>);

/// Reads `knob=value,value`: the other knobs stay as they are.
///
/// # Errors
/// There is no such knob, or a value is none for it.
pub fn plan(text: &str, knobs: &Knobs) -> Result<Plan, Complaint> {
    let complain = |what: String| {
        Complaint::usage(format!("--sweep={text}: {what}"))
            .fix("name a knob and its values, as in --sweep=noise=0.01,0.05,0.2")
    };
    let (knob, values) = text.split_once('=').ok_or_else(|| complain("no values".into()))?;
    let knob = knob.trim_start_matches('-').replace('-', "_");
    let each = values.split(',').map(|value| {
        let knobs = knobs.with(&knob, value).map_err(&complain)?;
        Ok((value.to_string(), knobs))
    });
    Ok((knob.clone(), each.collect::<Result<_, Complaint>>()?))
}

impl Sweep {
    /// How the values lie along an axis, and where.
    pub fn axis(&self) -> (Scale, Vec<f64>) {
        let numbers: Option<Vec<f64>> =
            self.points.iter().map(|point| point.value.parse().ok()).collect();
        let Some(numbers) = numbers else {
            let names = self.points.iter().map(|point| point.value.clone()).collect();
            return (Scale::Categories(names), (0..self.points.len()).map(|p| p as f64).collect());
        };
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(0.0, f64::max);
        let is_wide = least > 0.0 && most / least >= 4.0;
        (if is_wide { Scale::Log10 } else { Scale::Linear }, numbers)
    }

    /// As `benchmark.json` has it.
    pub fn to_json(&self) -> Value {
        let point = |point: &SweepPoint| {
            let mut value = to_json(&point.runs);
            value["value"] = json!(point.value);
            value["world"] = json!(point.world);
            value
        };
        let points: Vec<Value> = self.points.iter().map(point).collect();
        json!({ "knob": self.knob, "points": points })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_moves_one_knob_and_leaves_the_others() {
        let knobs = Knobs { delta: Some(0.5), ..Knobs::default() };

        let (knob, points) = plan("decoy-cosine=0,0.6", &knobs).unwrap();

        assert_eq!((knob.as_str(), points.len()), ("decoy_cosine", 2));
        assert_eq!(points[1].0, "0.6");
        let expected = Knobs { decoy_cosine: Some(0.6), ..knobs.clone() };
        assert_eq!(points[1].1, expected);
        for wrong in ["noise", "noise=x", "colour=1", "gate=half", "features=1.5", "noise="] {
            assert!(plan(wrong, &knobs).is_err(), "{wrong}");
        }
        assert!(plan("gate=minimum,product", &knobs).is_ok());
    }
}
